/**
 * Candidate fixes for the paths that leave a bit stuck without any guest (semantics.md §7.6, H1 to H3 and H11). None was posted anywhere;
 * each is a change to the newest release, so that a search can say what it closes.
 */
import type { KernelOptions, KernelVariant } from './kernel-variant.js';
import { changeOfNewest } from './landed.js';

const HANDLER = 'arch/x86/events/intel/core.c intel_pmu_handle_irq()';
const ENABLE_ALL = 'arch/x86/events/intel/core.c __intel_pmu_enable_all()';

function candidate(
  id: string,
  title: string,
  summary: string,
  options: Partial<KernelOptions>,
  place: string,
  hazards: string,
): KernelVariant {
  return {
    ...changeOfNewest(id, title, summary, options),
    date: '2026-11-26',
    sources: [
      place,
      `a candidate for ${hazards}, not posted anywhere`,
      'src/pmu/semantics.md §7.6',
    ],
  };
}

const COMPARE_LAST = { nmiComparesPebsLast: true, nmiWritesPebsOnlyIfOn: true } as const;
const RECHECK = { enableAllAlwaysWritesPebs: true, enableAllRechecksPebs: true } as const;

export const hostCandidates: readonly KernelVariant[] = [
  candidate(
    'pebs-handler-compares-last',
    'NMI handler compares pebs_enabled after the non-PEBS overflows',
    'The NMI handler checks for a changed pebs_enabled once more after it has handled the non-PEBS overflows, and writes IA32_PEBS_ENABLE if it changed.',
    { nmiComparesPebsLast: true },
    HANDLER,
    'H1',
  ),
  candidate(
    'pebs-enable-all-recheck',
    'PMU enable writes PEBS_ENABLE until it is what perf wants',
    'PMU enable always writes IA32_PEBS_ENABLE, reads pebs_enabled again, and repeats both while the two differ.',
    RECHECK,
    'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all()',
    'H2 and H3',
  ),
  candidate(
    'fixed-ctrl-recheck',
    'PMU enable writes FIXED_CTR_CTRL until it is what perf wants',
    'PMU enable records the value it wrote in active_fixed_ctrl_val, compares it with fixed_ctrl_val, and repeats while they differ.',
    { fixedCtrl: 'written' },
    ENABLE_ALL,
    'H11',
  ),
  candidate(
    'fixed-ctrl-handler-clears',
    'NMI handler clears active_fixed_ctrl_val',
    'The NMI handler sets active_fixed_ctrl_val to 0 when it is done, so that the next section should write IA32_FIXED_CTR_CTRL again.',
    { fixedCtrl: 'handler_clears' },
    HANDLER,
    'H11',
  ),
  candidate(
    'fixed-ctrl-always',
    'PMU enable always writes FIXED_CTR_CTRL',
    'PMU enable and the NMI handler write IA32_FIXED_CTR_CTRL whether or not it seems to have changed.',
    { fixedCtrl: 'always' },
    ENABLE_ALL,
    'H11',
  ),
  candidate(
    'host-side-hardened',
    'All candidates that close a path, together',
    'The NMI handler compares pebs_enabled last and leaves IA32_PEBS_ENABLE alone while the PMU is off; PMU enable rechecks IA32_PEBS_ENABLE and IA32_FIXED_CTR_CTRL.',
    { ...COMPARE_LAST, ...RECHECK, fixedCtrl: 'written' },
    `${HANDLER}, __intel_pmu_enable_all()`,
    'H1, H2, H3 and H11',
  ),
];
