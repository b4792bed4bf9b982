/**
 * The series as it landed: its four urgent patches in 7.3.4, 6.18.55, 6.12.117 and 6.6.158, the first two in 6.1.192.
 *
 * Source: semantics.md §5d and §0.2, read there in Linux 7.3.4, 6.12.117 and 6.1.192.
 */
import type { CounterSet } from '../arch/counter-set.js';
import type { SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { linux726, linux61187, linux612107 } from './before-series.js';
import {
  BEFORE_6_2,
  BEFORE_6_16,
  BEFORE_ACTIVE_LISTS,
  type KernelOptions,
  type KernelVariant,
  MAINLINE_2026,
  type Patch,
} from './kernel-variant.js';
import { derivedSupport, SUPPORT } from './pmu-support.js';
import {
  activeDataCfg,
  addDsAndDataCfg,
  completeWithoutGuestPebs,
  landedGuestPebs,
  runInGuest,
  wantedDataCfg,
} from './switch-branches.js';

const PATCHES: readonly Patch[] = [
  { n: 1, title: 'Ensure no unwanted bits are set in GLOBAL_CTRL', behavioural: true },
  {
    n: 2,
    title: "Don't write PEBS_ENABLED on host<=>guest xfers if CPU has PEBS isolation",
    behavioural: true,
  },
  { n: 3, title: "Don't pointlessly switch DS_AREA and PEBS_DATA_CFG", behavioural: true },
  { n: 4, title: 'Make @data a mandatory parameter of perf_guest_get_msrs()', behavioural: false },
];

function completeLandedList(list: SwitchList, input: SwitchInput): CounterSet {
  return completeWithoutGuestPebs(list, input) ? 0 : completeWithGuestPebs(list, input);
}

/** The list of CPUs with isolation and EPT-friendly PEBS. */
export function completeWithGuestPebs(list: SwitchList, input: SwitchInput): CounterSet {
  if (input.guest === null) {
    return 0;
  }
  const guestPebs = landedGuestPebs(list, input, input.guest);
  runInGuest(list, guestPebs);
  addDsAndDataCfg(list, input, activeDataCfg(input), guestPebs === 0 ? null : input.guest);
  return guestPebs;
}

function completeIntermediateList(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input) || input.guest === null) {
    return 0;
  }
  addDsAndDataCfg(list, input, wantedDataCfg(input), input.guest);
  const guestPebs = landedGuestPebs(list, input, input.guest);
  runInGuest(list, guestPebs);
  return guestPebs;
}

const SWITCH_FUNCTION = 'arch/x86/events/intel/core.c intel_guest_get_msrs()';
const SHEET = 'src/pmu/semantics.md §5d';
const MAINLINE_IDS = 'mainline cec38d5c098a, 4b64dbdc5861, d06260e99eb9, a391618e1d56';
const SUMMARY =
  'All four urgent patches: IA32_PEBS_ENABLE is never switched with isolation, IA32_DS_AREA and MSR_PEBS_DATA_CFG only while guest PEBS runs. CPUs without isolation are as before.';

/** The newest release. */
export const linux734: KernelVariant = {
  id: 'linux-7.3.4',
  title: 'Linux 7.3.4, the landed series',
  summary: `${SUMMARY} Throttling stops the whole group; architectural PEBS. The mediated vPMU is off.`,
  date: '2026-11',
  base: linux726.id,
  patches: PATCHES,
  certainty: 'read',
  options: MAINLINE_2026,
  support: SUPPORT['7.3.4'],
  formulas: {
    IA32_PERF_GLOBAL_CTRL: 'I & ~GM / G0 | gp',
    IA32_DS_AREA: 'ds / gp ? guest DS_AREA : ds',
    MSR_PEBS_DATA_CFG: 'active_pebs_data_cfg / gp ? guest PEBS_DATA_CFG : active_pebs_data_cfg',
  },
  finishList: completeLandedList,
  sources: ['Linux 7.3.4 arch/x86/events/intel/core.c intel_guest_get_msrs()', MAINLINE_IDS, SHEET],
};

const linux61855: KernelVariant = {
  ...linux734,
  id: 'linux-6.18.55',
  title: 'Linux 6.18.55, the landed series',
  summary: `${SUMMARY} Throttling stops the whole group.`,
  date: '2026-10',
  certainty: 'derived',
  // Architectural PEBS came after 6.18.
  support: derivedSupport(SUPPORT['6.12.117']),
  sources: [
    `${SWITCH_FUNCTION}: kernel.org push logs have the series in 6.18.55`,
    'kernel/events/core.c perf_event_throttle_group(): since 6.16',
    'src/pmu/semantics.md §0.2',
  ],
};

export const linux612117: KernelVariant = {
  ...linux734,
  id: 'linux-6.12.117',
  title: 'Linux 6.12.117, the landed series',
  summary: SUMMARY,
  date: '2026-11-01',
  base: linux612107.id,
  options: BEFORE_6_16,
  support: SUPPORT['6.12.117'],
  sources: [
    'Linux 6.12.117 arch/x86/events/intel/core.c intel_guest_get_msrs()',
    MAINLINE_IDS,
    SHEET,
  ],
};

const linux66158: KernelVariant = {
  ...linux612117,
  id: 'linux-6.6.158',
  title: 'Linux 6.6.158, the landed series',
  date: '2026-10',
  certainty: 'derived',
  options: BEFORE_ACTIVE_LISTS,
  support: derivedSupport(SUPPORT['6.12.117']),
  sources: [
    `${SWITCH_FUNCTION}: kernel.org push logs have the series in 6.6.158`,
    'src/pmu/semantics.md §0.2',
  ],
};

export const linux61192: KernelVariant = {
  ...linux612117,
  id: 'linux-6.1.192',
  title: 'Linux 6.1.192, the first two patches',
  summary:
    'IA32_PEBS_ENABLE is never switched with isolation; IA32_DS_AREA and MSR_PEBS_DATA_CFG are still switched for every vCPU. Only Ice Lake-SP counts as EPT-friendly.',
  base: linux61187.id,
  options: BEFORE_6_2,
  patches: PATCHES.slice(0, 2),
  support: SUPPORT['6.1.192'],
  formulas: {
    IA32_PERF_GLOBAL_CTRL: 'I & ~GM / G0 | gp',
    IA32_DS_AREA: 'ds / guest DS_AREA',
    MSR_PEBS_DATA_CFG: 'pebs_data_cfg / guest PEBS_DATA_CFG',
  },
  finishList: completeIntermediateList,
  sources: [
    'Linux 6.1.192 arch/x86/events/intel/core.c intel_guest_get_msrs()',
    '6.1.189 change log',
    SHEET,
  ],
};

export const landed: readonly KernelVariant[] = [
  linux734,
  linux61855,
  linux612117,
  linux66158,
  linux61192,
];

/** A change to the newest release that no release has; it still lacks its date and sources. */
export function changeOfNewest(
  id: string,
  title: string,
  summary: string,
  options: Partial<KernelOptions>,
): KernelVariant {
  return {
    ...linux734,
    id,
    title,
    summary,
    base: linux734.id,
    patches: [{ n: 1, title, behavioural: true }],
    certainty: 'derived',
    options: { ...linux734.options, ...options },
  };
}
