/**
 * A vCPU's VM-entry and VM-exit MSR-load areas: `vmx->msr_autoload`.
 *
 * Models: `add_atomic_switch_msr` and `clear_atomic_switch_msr` (Linux arch/x86/kvm/vmx/vmx.c), SDM vol. 3
 * "Loading MSRs"; semantics.md §4. Both areas always hold the same MSRs in the same order, so one order is kept.
 * An entry that perf no longer returns stays with its old values: the areas belong to the vCPU and nobody else clears them.
 * Leaves out: EFER, the count and address fields of the VMCS.
 */
import { SWITCHED_MSRS } from '../arch/msr.js';

/** Slots in each area (`MAX_NR_LOADSTORE_MSRS`). */
export const AUTOLOAD_CAPACITY = 8;
export const NOT_LISTED = -1;

export class MsrAutoload {
  /** How many entries each area has. */
  count = 0;
  /** Bit m is set when MSR code m is listed. */
  present = 0;
  /** MSR codes in array order, the first `count` valid. */
  readonly order = new Int32Array(SWITCHED_MSRS);
  /** Values by MSR code; 0 where the MSR is not listed. */
  readonly guest = new Int32Array(SWITCHED_MSRS);
  readonly host = new Int32Array(SWITCHED_MSRS);

  /** The MSR codes listed, in array order. */
  listed(): number[] {
    return [...this.order.subarray(0, this.count)];
  }

  /** The slot of an MSR, or NOT_LISTED. */
  slotOf(msr: number): number {
    if ((this.present & (1 << msr)) === 0) {
      return NOT_LISTED;
    }
    for (let slot = 0; slot < this.count; slot += 1) {
      if (this.order[slot] === msr) {
        return slot;
      }
    }
    return NOT_LISTED;
  }

  /** Updates an MSR's values in place or appends it. False, and nothing changed, when the area is full. */
  add(msr: number, host: number, guest: number, capacity: number): boolean {
    if (this.slotOf(msr) === NOT_LISTED) {
      if (this.count >= capacity) {
        return false;
      }
      this.order[this.count] = msr;
      this.count += 1;
      this.present |= 1 << msr;
    }
    this.host[msr] = host;
    this.guest[msr] = guest;
    return true;
  }

  /** Removes an MSR by overwriting its slot with the last one, so the order changes. Nothing happens if it is absent. */
  clear(msr: number): void {
    const slot = this.slotOf(msr);
    if (slot === NOT_LISTED) {
      return;
    }
    this.count -= 1;
    this.present &= ~(1 << msr);
    this.order[slot] = this.order[this.count]!;
    this.order[this.count] = 0;
    this.host[msr] = 0;
    this.guest[msr] = 0;
  }

  /** Lists exactly the MSRs of a mask, in ascending order; their values stay. */
  list(present: number): void {
    this.present = present;
    this.count = 0;
    if (present === 0) {
      return;
    }
    for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
      if (present & (1 << msr)) {
        this.order[this.count] = msr;
        this.count += 1;
      }
    }
  }

  copyFrom(from: MsrAutoload): void {
    this.count = from.count;
    this.present = from.present;
    for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
      this.order[msr] = from.order[msr]!;
      this.guest[msr] = from.guest[msr]!;
      this.host[msr] = from.host[msr]!;
    }
  }
}
