/**
 * Mainline before the series (mid-2026): IA32_PEBS_ENABLE, IA32_DS_AREA and MSR_PEBS_DATA_CFG are switched for every vCPU.
 *
 * Source: semantics sheet §5a, read there in a mid-2026 tree's `intel_guest_get_msrs()`.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import type { SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { type KernelVariant, MAINLINE_2026 } from './kernel-variant.js';
import {
  addDsAndDataCfg,
  completeWithoutGuestPebs,
  hostPebs,
  runInGuest,
  stopInGuest,
} from './switch-branches.js';

function completeList(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input) || input.guest === null) {
    return 0;
  }
  const { cpuc, guest } = input;
  addDsAndDataCfg(list, input, cpuc.activePebsDataCfg, guest);
  const host = hostPebs(input);
  if (host !== 0) {
    // Guest and host PEBS never run together: host events force guest PEBS off.
    list.add(PEBS_ENABLE, host, 0);
    return 0;
  }
  const guestPebs = list.pebsMask & ~cpuc.intelCtrlHostMask & guest.pebsEnable & ~guest.crossMapped;
  list.add(PEBS_ENABLE, host, guestPebs);
  stopInGuest(list, guest.crossMapped);
  runInGuest(list, guestPebs);
  return guestPebs;
}

export const upstreamBase: KernelVariant = {
  id: 'upstream-base',
  title: 'Mainline before the series',
  summary:
    'The pre-series switch function: on CPUs with isolation and EPT-friendly PEBS every vCPU switches IA32_DS_AREA, MSR_PEBS_DATA_CFG and IA32_PEBS_ENABLE.',
  date: '2026-04-13',
  patches: [],
  certainty: 'read',
  options: MAINLINE_2026,
  listsPebsEnable: true,
  idleDsArea: 'switched',
  formulas: {
    IA32_PERF_GLOBAL_CTRL: 'I & ~GM / host PEBS ? G0 : (G0 & ~xm) | gp',
    IA32_DS_AREA: 'ds / guest DS_AREA',
    MSR_PEBS_DATA_CFG: 'active_pebs_data_cfg / guest PEBS_DATA_CFG',
    IA32_PEBS_ENABLE: 'pebs_enabled & ~GM / host PEBS ? 0 : gp',
  },
  completeList,
  sources: [
    'mid-2026 mainline arch/x86/events/intel/core.c intel_guest_get_msrs()',
    'Linux 6.12.107 (same but for names)',
  ],
};
