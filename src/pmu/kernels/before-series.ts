/**
 * Releases before the series: IA32_PEBS_ENABLE, IA32_DS_AREA and MSR_PEBS_DATA_CFG are switched for every vCPU.
 *
 * Source: semantics.md §5a, read there in `intel_guest_get_msrs()` of Linux 6.1.187, 6.12.107, 7.2.6 and a mid-2026
 * mainline tree. They are one formula, but for the host value of MSR_PEBS_DATA_CFG on 6.1.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import type { SwitchFunction, SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { BEFORE_6_2, BEFORE_6_16, type KernelVariant, MAINLINE_2026 } from './kernel-variant.js';
import { SUPPORT } from './pmu-support.js';
import {
  activeDataCfg,
  addDsAndDataCfg,
  completeWithoutGuestPebs,
  hostPebs,
  runInGuest,
  stopInGuest,
  wantedDataCfg,
} from './switch-branches.js';

/** How the releases before the series differ from each other. */
interface BeforeSeries {
  /** What is handed out as the host's MSR_PEBS_DATA_CFG. */
  readonly hostDataCfg: (input: SwitchInput) => number;
  /** What the guest's own IA32_PEBS_ENABLE lets run. */
  readonly guestPebsEnable: (input: SwitchInput) => CounterSet;
}

export function guestPebsEnable({ guest }: SwitchInput): CounterSet {
  return guest === null ? 0 : guest.pebsEnable;
}

export function completeBeforeSeries(differences: BeforeSeries): SwitchFunction {
  return (list: SwitchList, input: SwitchInput): CounterSet => {
    if (completeWithoutGuestPebs(list, input) || input.guest === null) {
      return 0;
    }
    const { cpuc, guest } = input;
    addDsAndDataCfg(list, input, differences.hostDataCfg(input), guest);
    const host = hostPebs(input);
    if (host !== 0) {
      // Guest and host PEBS never run together: host events force guest PEBS off.
      list.add(PEBS_ENABLE, host, 0);
      return 0;
    }
    const guestPebs =
      list.pebsMask &
      ~cpuc.intelCtrlHostMask &
      differences.guestPebsEnable(input) &
      ~guest.crossMapped;
    list.add(PEBS_ENABLE, host, guestPebs);
    stopInGuest(list, guest.crossMapped);
    runInGuest(list, guestPebs);
    return guestPebs;
  };
}

export const BEFORE_SERIES_FORMULAS = {
  IA32_PERF_GLOBAL_CTRL: 'I & ~GM / host PEBS ? G0 : (G0 & ~xm) | gp',
  IA32_DS_AREA: 'ds / guest DS_AREA',
  MSR_PEBS_DATA_CFG: 'active_pebs_data_cfg / guest PEBS_DATA_CFG',
  IA32_PEBS_ENABLE: 'pebs_enabled & ~GM / host PEBS ? 0 : gp',
} as const;

const SHEET = 'src/pmu/semantics.md §5a';
const SUMMARY =
  'The switch function before the series: with isolation and EPT-friendly PEBS every vCPU switches IA32_DS_AREA, MSR_PEBS_DATA_CFG and IA32_PEBS_ENABLE.';

/** Mainline before the series, known as `upstream-base` as well: nothing tells the two apart. */
export const linux726: KernelVariant = {
  id: 'linux-7.2.6',
  aliases: ['upstream-base'],
  title: 'Linux 7.2.6, before the series',
  summary: `${SUMMARY} Throttling stops the whole group.`,
  date: '2026-09',
  patches: [],
  certainty: 'read',
  options: MAINLINE_2026,
  support: SUPPORT['7.2.6'],
  formulas: BEFORE_SERIES_FORMULAS,
  finishList: completeBeforeSeries({ hostDataCfg: activeDataCfg, guestPebsEnable }),
  sources: [
    'Linux 7.2.6 arch/x86/events/intel/core.c intel_guest_get_msrs()',
    'mid-2026 mainline, the same function',
    SHEET,
  ],
};

export const linux612107: KernelVariant = {
  ...linux726,
  id: 'linux-6.12.107',
  aliases: [],
  title: 'Linux 6.12.107, before the series',
  summary: SUMMARY,
  date: '2026-08-29',
  options: BEFORE_6_16,
  support: SUPPORT['6.12.107'],
  sources: ['Linux 6.12.107 arch/x86/events/intel/core.c intel_guest_get_msrs()', SHEET],
};

export const linux61187: KernelVariant = {
  ...linux612107,
  id: 'linux-6.1.187',
  title: 'Linux 6.1.187, before the series',
  summary: `${SUMMARY} Only Ice Lake-SP counts as EPT-friendly.`,
  date: '2026-09',
  options: BEFORE_6_2,
  support: SUPPORT['6.1.187'],
  formulas: {
    ...BEFORE_SERIES_FORMULAS,
    MSR_PEBS_DATA_CFG: 'pebs_data_cfg / guest PEBS_DATA_CFG',
  },
  finishList: completeBeforeSeries({ hostDataCfg: wantedDataCfg, guestPebsEnable }),
  sources: ['Linux 6.1.187 arch/x86/events/intel/core.c intel_guest_get_msrs()', SHEET],
};

export const beforeSeries: readonly KernelVariant[] = [linux726, linux612107, linux61187];
