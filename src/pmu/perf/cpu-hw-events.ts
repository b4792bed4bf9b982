/**
 * perf's own view of one logical CPU: `struct cpu_hw_events`.
 *
 * Models: Linux arch/x86/events/perf_event.h, semantics.md §1.2. Counts of events (`n_pebs`, `n_added`, …) are
 * not kept: they are read off the events themselves, so that no second truth can drift.
 * Leaves out: LBR, BTS, PT, topdown state, and the sample-period bookkeeping.
 */
import { COUNTERS, type CounterSet } from '../arch/counter-set.js';
import type { Hardware } from '../arch/hardware.js';
import { recordOf } from '../fields/record.js';
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

export class CpuHwEvents extends recordOf(
  {
    /** The PMU is logically on: from boot, and not between PMU disable and enable, nor inside the NMI handler. */
    enabled: { kind: 'number', width: 1, name: 'enabled', initial: 1 },
    /** Something was throttled since the last tick. */
    throttled: {
      kind: 'number',
      width: 1,
      name: 'perf_throttled_count',
      kept: 'ticks_and_overflows',
    },
    /** How often each place of `event_list` was given a counter, modulo TAGS. */
    tags: { kind: 'tags', name: 'tags', length: PLACES, kept: 'mixes', bookkeeping: true },
    /** Identity of this CPU's DS area, 0 while no hardware event has reserved it. */
    ds: { kind: 'address', name: 'ds' },
    /** What perf wants in IA32_PEBS_ENABLE, host and guest events alike. */
    pebsEnabled: { kind: 'counters', name: 'pebs_enabled', kept: 'pebs_strays' },
    /** What PMU enable has read of `pebs_enabled` and not yet written to IA32_PEBS_ENABLE (a CPU register in the kernel). */
    pebsEnableRead: {
      kind: 'counters',
      name: 'pebs_enabled as read',
      during: ['e3_read_pebs_enabled'],
    },
    /** The value last written to MSR_PEBS_DATA_CFG. */
    activePebsDataCfg: { kind: 'data_cfg', name: 'active_pebs_data_cfg' },
    /** The wanted superset; reset by the first PEBS event, never shrunk by a removal. */
    pebsDataCfg: { kind: 'data_cfg', name: 'pebs_data_cfg' },
    /** What perf wants in IA32_FIXED_CTR_CTRL. */
    fixedCtrl: { kind: 'fixed_ctrl', name: 'fixed_ctrl_val' },
    /** What perf believes to be there. */
    activeFixedCtrl: { kind: 'fixed_ctrl', name: 'active_fixed_ctrl_val' },
    /** What PMU enable has read of `fixed_ctrl_val` and not yet noted as written, with FIXED_CTRL_READ; 0 where it read nothing. */
    fixedCtrlRead: {
      kind: 'fixed_ctrl',
      name: 'fixed_ctrl_val as read',
      during: ['e5_read_fixed_ctrl', 'e5_wrmsr_fixed_ctrl'],
    },
    /** Counters of started events. */
    activeMask: { kind: 'counters', name: 'active_mask', kept: 'strays' },
    /** Counters of active events that exclude the host. */
    intelCtrlGuestMask: { kind: 'counters', name: 'intel_ctrl_guest_mask', kept: 'strays' },
    /** Counters of active events that exclude the guest. */
    intelCtrlHostMask: { kind: 'counters', name: 'intel_ctrl_host_mask', kept: 'strays' },
    /** What PMU enable has made of `intel_ctrl_guest_mask` and not yet written to IA32_PERF_GLOBAL_CTRL. */
    globalCtrlRead: {
      kind: 'global_ctrl',
      name: 'IA32_PERF_GLOBAL_CTRL as computed',
      during: ['e6_read_guest_mask'],
    },
  },
  {
    /** `guest_switch_msrs`: the list being handed to KVM; empty but between its building and its last use. */
    guestSwitchMsrs: SwitchList,
  },
) {}

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
