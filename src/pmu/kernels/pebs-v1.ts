/**
 * The series as first posted: IA32_PEBS_ENABLE never switched with isolation; IA32_DS_AREA and MSR_PEBS_DATA_CFG
 * returned only while the guest uses PEBS. Its bug: what is not returned is not cleared either, so the vCPU keeps
 * stale entries for ever (semantics.md §7.6, H7).
 *
 * Source: semantics.md §5b, derived from the v1 cover letter and v2's change log; the patch bodies were not found.
 */
import type { CounterSet } from '../arch/counter-set.js';
import type { SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { linux726 } from './before-series.js';
import { type KernelVariant, MAINLINE_2026 } from './kernel-variant.js';
import {
  addDsAndDataCfg,
  completeWithoutGuestPebs,
  hostPebs,
  runInGuest,
  stopInGuest,
} from './switch-branches.js';

/** `gp` of v1 and v2, and its effect on the guest's IA32_PERF_GLOBAL_CTRL. */
export function runGuestPebs(list: SwitchList, input: SwitchInput): CounterSet {
  const { cpuc, guest } = input;
  if (guest === null || hostPebs(input) !== 0) {
    return 0;
  }
  const guestPebs = list.pebsMask & ~cpuc.intelCtrlHostMask & guest.pebsEnable & ~guest.crossMapped;
  stopInGuest(list, guest.crossMapped);
  runInGuest(list, guestPebs);
  return guestPebs;
}

function finishList(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input)) {
    return 0;
  }
  const guestPebs = runGuestPebs(list, input);
  if (guestPebs !== 0) {
    addDsAndDataCfg(list, input, input.cpuc.activePebsDataCfg, input.guest);
  }
  return guestPebs;
}

export const pebsV1: KernelVariant = {
  id: 'pebs-v1',
  title: "perf/x86: Don't write PEBS_ENABLED on KVM transitions, v1",
  summary:
    'First posting: IA32_PEBS_ENABLE is not switched with isolation, IA32_DS_AREA and MSR_PEBS_DATA_CFG only while the guest uses PEBS. Leaves stale entries behind.',
  date: '2026-04-14',
  base: linux726.id,
  patches: [
    {
      n: 1,
      title: "Don't write PEBS_ENABLED on host<=>guest xfers if CPU has isolation",
      behavioural: true,
    },
    {
      n: 2,
      title: "Don't switch DS_AREA and PEBS_DATA_CFG if the guest uses no PEBS",
      behavioural: true,
    },
    { n: 3, title: 'Make @data a mandatory parameter', behavioural: false },
    { n: 4, title: 'Give guest PEBS state a structure', behavioural: false },
  ],
  certainty: 'derived',
  options: MAINLINE_2026,
  support: linux726.support,
  formulas: {
    IA32_PERF_GLOBAL_CTRL: 'I & ~GM / host PEBS ? G0 : (G0 & ~xm) | gp',
    IA32_DS_AREA: 'only if gp: ds / guest DS_AREA',
    MSR_PEBS_DATA_CFG: 'only if gp: active_pebs_data_cfg / guest PEBS_DATA_CFG',
  },
  finishList,
  sources: [
    'arch/x86/events/intel/core.c intel_guest_get_msrs()',
    'v1 cover letter, 14 Apr 2026, lkml.iu.edu/2604.1/10933',
    'v2 change log, lkml.iu.edu/2604.2/11058',
    'src/pmu/semantics.md §5b',
  ],
};
