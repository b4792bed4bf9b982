/**
 * The list that perf hands KVM: which MSRs change between host and guest, and to what.
 *
 * Models: `struct perf_guest_switch_msr` and the array that `perf_guest_get_msrs()` returns.
 */
import { SWITCHED_MSRS } from '../arch/msr.js';
import { recordOf } from '../fields/record.js';

/** From the first read of perf's masks until KVM has switched the last entry. */
const LIST_USED = ['k4_', 'k5_'];

/** `cpuc->guest_switch_msrs`: at most one entry for each switched MSR, in ascending order of MSR code. */
export class SwitchList extends recordOf({
  /** Bit m is set when MSR code m is in the list. */
  present: { kind: 'msrs', name: 'MSRs of the list', during: LIST_USED, bookkeeping: true },
  /** The first read of `pebs_enabled & pebs_capable`. */
  pebsMask: { kind: 'counters', name: 'pebs_mask', during: LIST_USED },
  host: { kind: 'msr_values', name: 'list (host)', length: SWITCHED_MSRS, during: LIST_USED },
  guest: { kind: 'msr_values', name: 'list (guest)', length: SWITCHED_MSRS, during: LIST_USED },
}) {
  add(msr: number, host: number, guest: number): void {
    this.present |= 1 << msr;
    this.host[msr] = host;
    this.guest[msr] = guest;
  }

  clear(): void {
    const { words } = this;
    for (let at = 0; at < words.length; at += 1) {
      words[at] = 0;
    }
  }
}
