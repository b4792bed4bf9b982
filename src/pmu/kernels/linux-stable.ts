/**
 * The series as it landed: all of it in 6.12.117, its first two patches in 6.1.192.
 *
 * Source: semantics sheet §5d, read there in Debian's linux-source-6.12 (6.12.117) and linux-source-6.1 (6.1.192).
 */
import type { CounterSet } from '../arch/counter-set.js';
import type { SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { BEFORE_6_16, type KernelVariant, type Patch } from './kernel-variant.js';
import {
  addDsAndDataCfg,
  completeWithoutGuestPebs,
  landedGuestPebs,
  runInGuest,
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

export function completeLandedList(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input) || input.guest === null) {
    return 0;
  }
  const guestPebs = landedGuestPebs(list, input, input.guest);
  runInGuest(list, guestPebs);
  addDsAndDataCfg(list, input, input.cpuc.activePebsDataCfg, guestPebs === 0 ? null : input.guest);
  return guestPebs;
}

function completeIntermediateList(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input) || input.guest === null) {
    return 0;
  }
  // 6.1 hands out the wanted configuration, not the one last written.
  addDsAndDataCfg(list, input, input.cpuc.pebsDataCfg, input.guest);
  const guestPebs = landedGuestPebs(list, input, input.guest);
  runInGuest(list, guestPebs);
  return guestPebs;
}

export const LANDED_FORMULAS = {
  IA32_PERF_GLOBAL_CTRL: 'I & ~GM / G0 | gp',
  IA32_DS_AREA: 'ds / gp ? guest DS_AREA : ds',
  MSR_PEBS_DATA_CFG: 'active_pebs_data_cfg / gp ? guest PEBS_DATA_CFG : active_pebs_data_cfg',
} as const;

export const linux612: KernelVariant = {
  id: 'linux-6.12.117',
  title: 'Linux 6.12.117, the landed series',
  summary:
    'All four urgent patches: IA32_PEBS_ENABLE is never switched with isolation, IA32_DS_AREA and MSR_PEBS_DATA_CFG only while guest PEBS runs. CPUs without isolation are as before.',
  date: '2026-11-01',
  base: 'upstream-base',
  patches: PATCHES,
  certainty: 'read',
  options: BEFORE_6_16,
  listsPebsEnable: false,
  idleDsArea: 'clears',
  formulas: LANDED_FORMULAS,
  completeList: completeLandedList,
  sources: [
    'Linux 6.12.117 arch/x86/events/intel/core.c intel_guest_get_msrs()',
    'mainline cec38d5c098a, 4b64dbdc5861, d06260e99eb9, a391618e1d56',
  ],
};

export const linux61: KernelVariant = {
  id: 'linux-6.1.192',
  title: 'Linux 6.1.192, the first two patches',
  summary:
    'IA32_PEBS_ENABLE is never switched with isolation; IA32_DS_AREA and MSR_PEBS_DATA_CFG are still switched for every vCPU.',
  date: '2026-11-01',
  base: 'upstream-base',
  patches: PATCHES.slice(0, 2),
  certainty: 'read',
  options: BEFORE_6_16,
  listsPebsEnable: false,
  idleDsArea: 'switched',
  formulas: {
    IA32_PERF_GLOBAL_CTRL: 'I & ~GM / G0 | gp',
    IA32_DS_AREA: 'ds / guest DS_AREA',
    MSR_PEBS_DATA_CFG: 'pebs_data_cfg / guest PEBS_DATA_CFG',
  },
  completeList: completeIntermediateList,
  sources: [
    'Linux 6.1.192 arch/x86/events/intel/core.c intel_guest_get_msrs()',
    '6.1.189 change log',
  ],
};
