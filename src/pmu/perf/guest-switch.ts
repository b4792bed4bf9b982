/**
 * The interface that perf owns and KVM calls: "which PMU MSRs must change between host and guest?"
 *
 * Models: `perf_guest_get_msrs()` and `struct perf_guest_switch_msr` (Linux arch/x86/include/asm/perf_event.h),
 * semantics.md §5. The part every kernel shares is here: perf's first read of `pebs_enabled` and the
 * IA32_PERF_GLOBAL_CTRL entry. The rest differs and is one pure function per kernel in `kernels/`.
 * Leaves out: `core_guest_get_msrs` (perfmon 1), AMD, and the mediated vPMU.
 */
import type { CounterSet } from '../arch/counter-set.js';
import type { PmuCaps } from '../arch/cpu-model.js';
import { GLOBAL_CTRL } from '../arch/msr.js';
import type { CpuHwEvents } from './cpu-hw-events.js';
import type { SwitchList } from './switch-list.js';

/** What KVM tells perf of the vCPU about to run (`struct x86_guest_pebs`; before it, the kvm_pmu itself). */
export interface GuestPebs {
  readonly pebsEnable: CounterSet;
  /** Address handle of the guest's DS area. */
  readonly dsArea: number;
  readonly pebsDataCfg: number;
  /** `host_cross_mapped_mask`. */
  readonly crossMapped: CounterSet;
}

/** The first half of the switch function: reads the masks and makes the IA32_PERF_GLOBAL_CTRL entry `H / G0`. */
export function readMasks(list: SwitchList, cpuc: CpuHwEvents, caps: PmuCaps): void {
  const pebsMask = cpuc.pebsEnabled & caps.pebsCapable;
  list.present = 0;
  list.pebsMask = pebsMask;
  list.add(
    GLOBAL_CTRL,
    caps.intelCtrl & ~cpuc.intelCtrlGuestMask,
    caps.intelCtrl & ~cpuc.intelCtrlHostMask & ~pebsMask,
  );
}

/** Everything the second half may read. */
export interface SwitchInput {
  readonly caps: PmuCaps;
  /** `x86_pmu.pebs_no_isolation`; a late microcode load can change it. */
  readonly noIsolation: boolean;
  readonly cpuc: CpuHwEvents;
  /** Null where the caller passed no data. */
  readonly guest: GuestPebs | null;
}

/**
 * The second half: completes the list and returns `gp`, the counters whose guest PEBS may run in the guest.
 * Pure but for the list it fills.
 */
export type SwitchFunction = (list: SwitchList, input: SwitchInput) => CounterSet;
