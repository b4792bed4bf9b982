/**
 * Releases with a fault of perf's host side that was reported in public, and a fix that was posted and is in no release read.
 *
 * Source: semantics.md §7.9; the reports and the patches that mend them were read, the releases were not. What
 * they make of a CPU model is derived from the next release that was read.
 */
import { PERF_METRICS, VLBR } from '../arch/counter-set.js';
import { linux726, linux612107 } from './before-series.js';
import { BEFORE_6_2, type KernelVariant, MAINLINE_2026 } from './kernel-variant.js';
import { linux734 } from './landed.js';
import { derivedSupport, SUPPORT } from './pmu-support.js';
import { linux56 } from './published-bugs.js';

const SHEET = 'src/pmu/semantics.md §7.9';

const linux511: KernelVariant = {
  ...linux56,
  id: 'linux-5.11',
  title: 'Linux 5.11, which sets a PEBS bit that no CPU has',
  summary:
    'As 5.6, but the NMI handler leaves IA32_PEBS_ENABLE alone. A precise VLBR event puts bit 58 into it: the WRMSR faults, and the register keeps its value. Broadwell-X counts as not isolated.',
  date: '2021-02-14',
  options: BEFORE_6_2,
  support: { ...linux56.support, pebsPseudo: VLBR | PERF_METRICS },
  sources: [
    'arch/x86/events/intel/core.c intel_pmu_hw_config(): fix 2dc0572f2cef (Mar 2021), perf_fuzzer on Haswell, reported by Vince Weaver',
    'arch/x86/events/intel/core.c isolation_ucodes[]: fix 4b2f1e59229b (Apr 2021), the wrong stepping of Broadwell-X, Jim Mattson',
    'arch/x86/events/intel/core.c intel_pmu_handle_irq(): commit 6c1c07b33eb0 (5.7)',
    SHEET,
  ],
};

const linux616: KernelVariant = {
  ...linux612107,
  id: 'linux-6.16',
  title: 'Linux 6.16.0, which throttles members of a group that are off',
  summary:
    'Throttling stops the whole group, and the tick starts it again, members included that are off: one that was on a counter before runs, though perf has it off.',
  date: '2025-07-27',
  certainty: 'derived',
  options: { ...MAINLINE_2026, throttlesIdleMembers: true },
  support: derivedSupport(SUPPORT['6.12.107']),
  sources: [
    'kernel/events/core.c perf_event_throttle_group(): commit 9734e25fbf5a (6.16)',
    'fix b64fdd422a85 (Aug 2025), reported by Yunseong Kim, reproduced by Mark Rutland',
    SHEET,
  ],
};

const linux619: KernelVariant = {
  ...linux726,
  id: 'linux-6.19',
  aliases: [],
  title: 'Linux 6.19.0, which loses sight of a throttled event that moves',
  summary:
    'PMU enable gives a throttled event its new counter but no pointer in events[]. The tick starts it, and the NMI handler does not find it: its overflows are lost.',
  date: '2026-02-08',
  certainty: 'derived',
  options: { ...MAINLINE_2026, losesMovedEvents: true },
  support: derivedSupport(SUPPORT['7.2.6']),
  sources: [
    'arch/x86/events/core.c x86_pmu_enable(): commit 7e772a93eb61 (6.19)',
    'fix 8d5fae601126 (Mar 2026), reported by Breno Leitao: on AMD the NMI handler crashes, on Intel it skips the counter',
    SHEET,
  ],
};

const metricsNeverPrecise: KernelVariant = {
  ...linux734,
  id: 'metrics-never-precise',
  title: 'perf refuses every precise metrics event',
  summary:
    'A metrics event is recognised by its event code alone, whatever other bits its configuration has: it cannot be precise, so bit 48 never gets into IA32_PEBS_ENABLE.',
  date: '2025-06-20',
  base: linux734.id,
  patches: [{ n: 1, title: 'Fix unchecked PEBS_ENABLE MSR access error', behavioural: true }],
  certainty: 'derived',
  support: { ...linux734.support, pebsPseudo: 0 },
  sources: [
    'arch/x86/events/intel/core.c intel_pmu_hw_config(): in no source read, 7.3.4 included',
    '20250620110406.3782402-1-kan.liang@linux.intel.com, tested by Vince Weaver',
    SHEET,
  ],
};

export const publishedHostBugs: readonly KernelVariant[] = [
  linux619,
  linux616,
  linux511,
  metricsNeverPrecise,
];
