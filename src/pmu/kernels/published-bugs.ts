/**
 * Releases whose faults were reported in public: each must be caught by an invariant.
 *
 * Source: semantics.md §7.9; the formulas were read in the postings and in the patches that mend them, the releases
 * themselves were not. What they make of a CPU model is derived from the next release that was read.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { GLOBAL_CTRL } from '../arch/msr.js';
import type { SwitchFunction, SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { BEFORE_SERIES_FORMULAS, completeBeforeSeries } from './before-series.js';
import {
  BEFORE_6_2,
  BEFORE_6_16,
  BEFORE_ACTIVE_LISTS,
  type KernelVariant,
} from './kernel-variant.js';
import { derivedSupport, SUPPORT } from './pmu-support.js';
import { activeDataCfg, completeWithoutGuestPebs, wantedDataCfg } from './switch-branches.js';

const SHEET = 'src/pmu/semantics.md §7.9';
const C59A1F106F5C =
  'arch/x86/events/intel/core.c intel_guest_get_msrs(): commit c59a1f106f5c (6.0), guest PEBS';
const OR_FOR_AND = 'fix 971079464001 (Jan 2024), reported by Paul E. McKenney';
const NO_GUEST_PEBS_ENABLE = 'fix 58f6217e5d01, CVE-2025-37936, reported by Seth Forshee';
const NARROWED =
  'arch/x86/events/intel/ds.c pebs_update_state(): fix 312be9fc2234, 20240401133320.703971-1';
const ADAPTIVE_GUESTS =
  'arch/x86/kvm/vmx/vmx.c vmx_get_perf_capabilities(): fix 9e985cbf2942 (Mar 2024), KVM hides PEBS_BASELINE';

/** A guest-only PEBS event of the host is taken for the guest's own. */
const ANY_GUEST_PEBS = -1;
const anyGuestPebs = (): CounterSet => ANY_GUEST_PEBS;

/** OR where AND was meant: only what is both host-only and PEBS stays off in the guest. */
function withOr(complete: SwitchFunction): SwitchFunction {
  return (list: SwitchList, input: SwitchInput): CounterSet => {
    const { intelCtrlHostMask } = input.cpuc;
    list.guest[GLOBAL_CTRL] = input.caps.intelCtrl & (~intelCtrlHostMask | ~list.pebsMask);
    return complete(list, input);
  };
}

const FAULTY_FORMULAS = {
  ...BEFORE_SERIES_FORMULAS,
  IA32_PEBS_ENABLE: 'pebs_enabled & ~GM / host PEBS ? 0 : pm & ~HM & ~xm',
} as const;
const OR_FORMULAS = {
  ...FAULTY_FORMULAS,
  IA32_PERF_GLOBAL_CTRL:
    'I & ~GM / host PEBS ? I & (~HM | ~pm) : (I & (~HM | ~pm) & ~xm) | guest IA32_PEBS_ENABLE',
} as const;

const linux61227: KernelVariant = {
  id: 'linux-6.12.27',
  title: "Linux 6.12.27, which takes the host's guest-only PEBS events for the guest's",
  summary:
    "The guest's IA32_PEBS_ENABLE gets every guest-only PEBS event that the host opened, whether or not the guest uses PEBS: it fires in the guest with the guest's DS area, 0 perhaps.",
  date: '2025-05',
  patches: [],
  certainty: 'derived',
  options: BEFORE_6_16,
  support: derivedSupport(SUPPORT['6.12.107']),
  formulas: FAULTY_FORMULAS,
  finishList: completeBeforeSeries({ hostDataCfg: activeDataCfg, guestPebsEnable: anyGuestPebs }),
  sources: [C59A1F106F5C, NO_GUEST_PEBS_ENABLE, SHEET],
};

const linux66: KernelVariant = {
  ...linux61227,
  id: 'linux-6.6',
  title: 'Linux 6.6.0, which lets host-only counters run in the guest',
  summary:
    "The guest's IA32_PERF_GLOBAL_CTRL leaves out only what is both host-only and PEBS: host-only counters and PEBS counters that the guest may see run in the guest, on any CPU. Adaptive PEBS is shown to guests; removing a PEBS event narrows the records of the one that stays.",
  date: '2023-10-29',
  options: { ...BEFORE_ACTIVE_LISTS, removalNarrowsDataCfg: true },
  support: derivedSupport(SUPPORT['6.12.107'], {
    guestGlobalCtrl: 'zero',
    guestAdaptivePebs: true,
  }),
  formulas: OR_FORMULAS,
  finishList: withOr(linux61227.finishList),
  sources: [C59A1F106F5C, OR_FOR_AND, NO_GUEST_PEBS_ENABLE, NARROWED, ADAPTIVE_GUESTS, SHEET],
};

const linux64rc2: KernelVariant = {
  ...linux66,
  id: 'linux-6.4-rc2',
  title: "Linux 6.4-rc2, which loads perf's own bit 63 into MSR_PEBS_DATA_CFG",
  summary:
    "As 6.6, and the host's MSR_PEBS_DATA_CFG is the wanted one, with the bit 63 that perf keeps for itself: VM-exit loads a reserved bit.",
  date: '2023-05-14',
  formulas: {
    ...OR_FORMULAS,
    MSR_PEBS_DATA_CFG: 'pebs_data_cfg with its software bit 63 / guest PEBS_DATA_CFG',
  },
  finishList: withOr(
    completeBeforeSeries({ hostDataCfg: wantedDataCfg, guestPebsEnable: anyGuestPebs }),
  ),
  sources: [
    'arch/x86/events/intel/core.c intel_guest_get_msrs(): commit b752ea0c28e3, fix 3c845304d2d7 (May 2023), reported by Like Xu',
    ...linux66.sources,
  ],
};

const linux61: KernelVariant = {
  ...linux64rc2,
  id: 'linux-6.1',
  title: 'Linux 6.1.0, which lets host-only counters run in the guest',
  summary:
    "The guest's IA32_PERF_GLOBAL_CTRL leaves out only what is both host-only and PEBS, on any CPU. Only Ice Lake-SP counts as EPT-friendly; adaptive PEBS is shown to guests.",
  date: '2022-12-11',
  options: BEFORE_6_2,
  support: derivedSupport(SUPPORT['6.1.187'], {
    // Emerald Rapids came with 6.2.
    cases: without(SUPPORT['6.1.187'].cases, 'emerald-rapids'),
    guestAdaptivePebs: true,
  }),
  formulas: { ...OR_FORMULAS, MSR_PEBS_DATA_CFG: 'pebs_data_cfg / guest PEBS_DATA_CFG' },
  sources: [C59A1F106F5C, OR_FOR_AND, NO_GUEST_PEBS_ENABLE, ADAPTIVE_GUESTS, SHEET],
};

export const linux56: KernelVariant = {
  id: 'linux-5.6',
  title: 'Linux 5.6, whose NMI handler switches PEBS off and on',
  summary:
    'No guest PEBS: the list is IA32_PERF_GLOBAL_CTRL, and IA32_PEBS_ENABLE without isolation. The NMI handler writes 0 to IA32_PEBS_ENABLE on entry, and on exit, if the PMU was on, what perf wants.',
  date: '2020-03-29',
  patches: [],
  certainty: 'derived',
  options: { ...BEFORE_6_2, nmiSwitchesPebs: true },
  support: derivedSupport(SUPPORT['6.1.187'], {
    cases: without(SUPPORT['6.1.187'].cases, 'sapphire-rapids', 'emerald-rapids', 'alder-lake-p'),
    eptModels: [],
    dsFormatMax: 4,
    pebsCounters: 8,
    pebsPseudo: 0,
    isolationMicrocode: {
      // The stepping of Broadwell-X was wrong and those of Cascade Lake were missing until 2021.
      'broadwell-x': [{ stepping: 2, revision: 0x0b000014 }],
      'cascade-lake': [],
    },
    guestPrecise3: { pmc0: [], fixed0: [] },
  }),
  formulas: { IA32_PERF_GLOBAL_CTRL: 'I & ~GM / G0' },
  finishList: (list, input) => {
    completeWithoutGuestPebs(list, input);
    return 0;
  },
  sources: [
    'arch/x86/events/intel/core.c intel_pmu_handle_irq(): commit 6c1c07b33eb0 (5.7), which dropped these writes to save MSR accesses, 20200121181338.3234-1-kan.liang',
    'arch/x86/events/intel/core.c isolation_ucodes[]: commit 4b2f1e59229b (2021), the wrong stepping of Broadwell-X',
    'src/pmu/semantics.md §7.9 and §3.3',
  ],
};

function without(cases: ReadonlyMap<string, number | null>, ...models: string[]) {
  return new Map([...cases].filter(([model]) => !models.includes(model)));
}

export const publishedBugs: readonly KernelVariant[] = [
  linux61227,
  linux66,
  linux64rc2,
  linux61,
  linux56,
];
