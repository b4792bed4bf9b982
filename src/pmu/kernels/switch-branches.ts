/**
 * The branches that several kernels' switch functions share.
 *
 * Models: `intel_guest_get_msrs()`, semantics.md §5. `pm`, `gp`, `xm` are the sheet's names for
 * `pebs_enabled & pebs_capable`, the guest PEBS counters that may run, and the cross-mapped counters.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, PEBS_ENABLE } from '../arch/msr.js';
import type { GuestPebs, SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';

/**
 * The branches before guest PEBS comes into play. Returns true when the list is complete: no DS-based PEBS (K4), no
 * isolation (K1, where IA32_PEBS_ENABLE is switched to 0), or no guest PEBS on this CPU (K2).
 */
export function completeWithoutGuestPebs(list: SwitchList, input: SwitchInput): boolean {
  if (!input.caps.dsPebs) {
    return true;
  }
  if (input.noIsolation) {
    list.add(PEBS_ENABLE, input.cpuc.pebsEnabled, 0);
    return true;
  }
  return input.guest === null || !input.caps.pebsEpt;
}

/** Host PEBS events as the kernels before the series see them: `pebs_enabled & ~intel_ctrl_guest_mask`. */
export function hostPebs(input: SwitchInput): CounterSet {
  return input.cpuc.pebsEnabled & ~input.cpuc.intelCtrlGuestMask;
}

/** The host's MSR_PEBS_DATA_CFG as last written (`active_pebs_data_cfg`). */
export function activeDataCfg({ cpuc }: SwitchInput): number {
  return cpuc.activePebsDataCfg;
}

/** The one that perf wants (`pebs_data_cfg`), which 6.1 hands out: the register may still hold another. */
export function wantedDataCfg({ cpuc }: SwitchInput): number {
  return cpuc.pebsDataCfg;
}

/** IA32_DS_AREA and, with adaptive PEBS, MSR_PEBS_DATA_CFG: the host's values, and the guest's or the host's again. */
export function addDsAndDataCfg(
  list: SwitchList,
  input: SwitchInput,
  hostDataCfg: number,
  guest: GuestPebs | null,
): void {
  const { caps, cpuc } = input;
  list.add(DS_AREA, cpuc.ds, guest === null ? cpuc.ds : guest.dsArea);
  if (caps.pebsBaseline) {
    list.add(PEBS_DATA_CFG, hostDataCfg, guest === null ? hostDataCfg : guest.pebsDataCfg);
  }
}

/** `gp` as the landed series computes it. */
export function landedGuestPebs(
  list: SwitchList,
  input: SwitchInput,
  guest: GuestPebs,
): CounterSet {
  const { caps, cpuc } = input;
  if ((list.pebsMask & ~cpuc.intelCtrlGuestMask) !== 0) {
    return 0;
  }
  return (
    list.pebsMask &
    caps.intelCtrl &
    guest.pebsEnable &
    ~cpuc.intelCtrlHostMask &
    cpuc.intelCtrlGuestMask &
    ~guest.crossMapped
  );
}

/** Lets counters run in the guest. */
export function runInGuest(list: SwitchList, counters: CounterSet): void {
  list.guest[GLOBAL_CTRL]! |= counters;
}

/** Keeps counters from running in the guest. */
export function stopInGuest(list: SwitchList, counters: CounterSet): void {
  list.guest[GLOBAL_CTRL]! &= ~counters;
}
