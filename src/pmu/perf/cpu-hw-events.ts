/**
 * perf's own view of one logical CPU: `struct cpu_hw_events`.
 *
 * Models: Linux arch/x86/events/perf_event.h, semantics sheet §1.2. Counts of events (`n_pebs`, `n_added`, …) are
 * not kept: they are read off the events themselves, so that no second truth can drift.
 * Leaves out: LBR, BTS, PT, topdown state, and the sample-period bookkeeping.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { SwitchList } from './switch-list.js';

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
  /** `fixed_ctrl_val`: fixed counters perf wants enabled. */
  fixedCtrl: CounterSet = 0;
  /** `active_fixed_ctrl_val`: fixed counters last written to IA32_FIXED_CTR_CTRL. */
  activeFixedCtrl: CounterSet = 0;
  /** `active_mask`: counters of started events. */
  activeMask: CounterSet = 0;

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
    this.activeMask = from.activeMask;
  }
}

/** What perf wants in IA32_PERF_GLOBAL_CTRL while the host runs: `intel_ctrl & ~intel_ctrl_guest_mask`. */
export function hostGlobalCtrl(cpuc: CpuHwEvents, intelCtrl: CounterSet): CounterSet {
  return intelCtrl & ~cpuc.intelCtrlGuestMask;
}
