/**
 * A vCPU's VM-entry and VM-exit MSR-load areas: `vmx->msr_autoload`.
 *
 * Models: `add_atomic_switch_msr` and `clear_atomic_switch_msr` (Linux arch/x86/kvm/vmx/vmx.c), SDM vol. 3
 * "Loading MSRs"; semantics.md §4. Both areas always hold the same MSRs in the same order, so one order is kept.
 * An entry that perf no longer returns stays with its old values: the areas belong to the vCPU and nobody else clears them.
 * Leaves out: EFER, the count and address fields of the VMCS.
 */
import { SWITCHED_MSRS } from '../arch/msr.js';
import { recordOf } from '../fields/record.js';

/** Slots in each area (`MAX_NR_LOADSTORE_MSRS`). */
export const AUTOLOAD_CAPACITY = 8;

export class MsrAutoload extends recordOf({
  /** Bit m is set when MSR code m is listed. */
  present: { kind: 'msrs', name: 'MSRs in the load areas', bookkeeping: true },
  /** How many entries each area has. */
  count: { kind: 'number', name: 'count', kept: 'follows', bookkeeping: true },
  /** MSR codes in array order, the first `count` valid. */
  order: {
    kind: 'msr_order',
    name: 'order',
    length: SWITCHED_MSRS,
    kept: 'follows',
    bookkeeping: true,
  },
  /** Values by MSR code; 0 where the MSR is not listed. */
  host: { kind: 'area_values', name: 'VM-exit MSR-load area', length: SWITCHED_MSRS },
  guest: { kind: 'area_values', name: 'VM-entry MSR-load area', length: SWITCHED_MSRS },
}) {
  /** The MSR codes listed, in array order. */
  listed(): number[] {
    return [...this.order.subarray(0, this.count)];
  }

  has(msr: number): boolean {
    return (this.present & (1 << msr)) !== 0;
  }

  /** Updates an MSR's values in place or appends it. False, and nothing changed, when the area is full. */
  add(msr: number, host: number, guest: number, capacity: number): boolean {
    if (!this.has(msr)) {
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
    if (!this.has(msr)) {
      return;
    }
    const slot = this.order.indexOf(msr);
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
}
