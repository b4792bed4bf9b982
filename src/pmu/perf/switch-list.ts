/**
 * The list that perf hands KVM: which MSRs change between host and guest, and to what.
 *
 * Models: `struct perf_guest_switch_msr` and the array that `perf_guest_get_msrs()` returns.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { SWITCHED_MSRS } from '../arch/msr.js';

/** `cpuc->guest_switch_msrs`: at most one entry for each switched MSR, in ascending order of MSR code. */
export class SwitchList {
  /** Bit m is set when MSR code m is in the list. */
  present = 0;
  readonly host = new Int32Array(SWITCHED_MSRS);
  readonly guest = new Int32Array(SWITCHED_MSRS);
  /** `pebs_mask`: the first read of `pebs_enabled & pebs_capable`. */
  pebsMask: CounterSet = 0;

  add(msr: number, host: number, guest: number): void {
    this.present |= 1 << msr;
    this.host[msr] = host;
    this.guest[msr] = guest;
  }

  clear(): void {
    this.present = 0;
    this.pebsMask = 0;
    this.host.fill(0);
    this.guest.fill(0);
  }

  copyFrom(from: SwitchList): void {
    this.present = from.present;
    this.pebsMask = from.pebsMask;
    for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
      this.host[msr] = from.host[msr]!;
      this.guest[msr] = from.guest[msr]!;
    }
  }
}
