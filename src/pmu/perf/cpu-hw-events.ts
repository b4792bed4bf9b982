/**
 * perf's own view of one logical CPU: `struct cpu_hw_events`.
 *
 * Models: Linux arch/x86/events/perf_event.h, semantics.md §1.2. Counts of events (`n_pebs`, `n_added`, …) are
 * not kept: they are read off the events themselves, so that no second truth can drift.
 * Leaves out: LBR, BTS, PT, topdown state, and the sample-period bookkeeping.
 */
import { COUNTERS, type CounterSet } from '../arch/counter-set.js';
import type { FixedCtrl } from '../arch/fixed-ctrl.js';
import type { Hardware } from '../arch/hardware.js';
import { SwitchList } from './switch-list.js';

/** The bit that tells what was read of `fixed_ctrl_val` from nothing. */
export const FIXED_CTRL_READ = 1 << 31;
/** Places in `event_list`: no CPU has more counters. */
export const PLACES = 24;
/**
 * Tags count modulo this number, so that a search has finitely many states. Two uses of a place that are eight apart look
 * like one; the kernel, which never compares tags of different places on purpose either, has such coincidences too.
 */
export const TAGS = 8;

export class CpuHwEvents {
  /** `guest_switch_msrs`: the list being handed to KVM; empty but between its building and its last use. */
  readonly guestSwitchMsrs = new SwitchList();
  /** What PMU enable has read of `pebs_enabled` and not yet written to IA32_PEBS_ENABLE (a CPU register in the kernel). */
  pebsEnableRead: CounterSet = 0;
  /** `enabled`: the PMU is logically on. 1 from boot, 0 between PMU disable and enable and inside the NMI handler. */
  enabled = 1;
  /** `pebs_enabled`: what perf wants in IA32_PEBS_ENABLE, host and guest events alike. */
  pebsEnabled: CounterSet = 0;
  /** `intel_ctrl_guest_mask`: counters of active events that exclude the host. */
  intelCtrlGuestMask: CounterSet = 0;
  /** `intel_ctrl_host_mask`: counters of active events that exclude the guest. */
  intelCtrlHostMask: CounterSet = 0;
  /** `active_pebs_data_cfg`: the value last written to MSR_PEBS_DATA_CFG. */
  activePebsDataCfg = 0;
  /** `pebs_data_cfg`: the wanted superset; reset by the first PEBS event, never shrunk by a removal. */
  pebsDataCfg = 0;
  /** `ds`: identity of this CPU's DS area, 0 while no hardware event has reserved it. */
  ds = 0;
  /** `fixed_ctrl_val`: what perf wants in IA32_FIXED_CTR_CTRL. */
  fixedCtrl: FixedCtrl = 0;
  /** `active_fixed_ctrl_val`: what perf believes to be there. */
  activeFixedCtrl: FixedCtrl = 0;
  /** What PMU enable has read of `fixed_ctrl_val` and not yet noted as written, with FIXED_CTRL_READ; 0 where it read nothing. */
  fixedCtrlRead: FixedCtrl = 0;
  /** What PMU enable has made of `intel_ctrl_guest_mask` and not yet written to IA32_PERF_GLOBAL_CTRL. */
  globalCtrlRead: CounterSet = 0;
  /** `active_mask`: counters of started events. */
  activeMask: CounterSet = 0;
  /** `tags[]`: how often each place of `event_list` was given a counter, modulo TAGS. */
  readonly tags = new Int32Array(PLACES);
  /** `perf_throttled_count`: something was throttled since the last tick. */
  throttled = 0;

  copyFrom(from: CpuHwEvents): void {
    this.guestSwitchMsrs.copyFrom(from.guestSwitchMsrs);
    this.pebsEnableRead = from.pebsEnableRead;
    this.enabled = from.enabled;
    this.pebsEnabled = from.pebsEnabled;
    this.intelCtrlGuestMask = from.intelCtrlGuestMask;
    this.intelCtrlHostMask = from.intelCtrlHostMask;
    this.activePebsDataCfg = from.activePebsDataCfg;
    this.pebsDataCfg = from.pebsDataCfg;
    this.ds = from.ds;
    this.fixedCtrl = from.fixedCtrl;
    this.activeFixedCtrl = from.activeFixedCtrl;
    this.fixedCtrlRead = from.fixedCtrlRead;
    this.globalCtrlRead = from.globalCtrlRead;
    this.activeMask = from.activeMask;
    this.throttled = from.throttled;
    for (let place = 0; place < PLACES; place += 1) {
      this.tags[place] = from.tags[place]!;
    }
  }
}

/** What perf wants in IA32_PERF_GLOBAL_CTRL while the host runs: `intel_ctrl & ~intel_ctrl_guest_mask`. */
export function hostGlobalCtrl(cpuc: CpuHwEvents, intelCtrl: CounterSet): CounterSet {
  return intelCtrl & ~cpuc.intelCtrlGuestMask;
}

/** Bits of active host PEBS events that are set in IA32_PEBS_ENABLE. */
export function hostPebsBits({
  cpuc,
  hardware,
}: {
  cpuc: CpuHwEvents;
  hardware: Hardware;
}): CounterSet {
  return hardware.pebsEnable & cpuc.pebsEnabled & ~cpuc.intelCtrlGuestMask & COUNTERS;
}
