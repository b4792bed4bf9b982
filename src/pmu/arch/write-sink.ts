/**
 * Where every MSR write of the engine goes: counted by MSR and by mechanism, and listed if asked for.
 *
 * One class with one shape, so that the call on the hot path stays monomorphic.
 */
import { MSR_CODES, VIA_CODES } from './msr.js';

/** One MSR write as a trace keeps it. Values of counter-set MSRs are folded sets, of IA32_DS_AREA identities. */
export interface MsrWrite {
  readonly msr: number;
  readonly via: number;
  readonly value: number;
  /** The row of the semantics sheet that wrote, where one step has several: `n1`, `n5`, `n9`, `start`. */
  readonly row: string;
}

export class WriteSink {
  /** Writes counted at `msr * VIA_CODES + via`. */
  readonly counts = new Float64Array(MSR_CODES * VIA_CODES);
  /** The writes since the list was last taken, or null while nobody traces. */
  listed: MsrWrite[] | null = null;
  /** NMIs handled, and events that a handler throttled. */
  nmis = 0;
  throttles = 0;
  /** PMIs that KVM injected into guests. */
  guestPmis = 0;

  write(msr: number, via: number, value: number, row: string): void {
    const at = msr * VIA_CODES + via;
    this.counts[at] = this.counts[at]! + 1;
    if (this.listed !== null) {
      this.listed.push({ msr, via, value, row });
    }
  }

  /** Returns the listed writes and starts a new list. */
  take(): MsrWrite[] {
    const taken = this.listed ?? [];
    if (this.listed !== null) {
      this.listed = [];
    }
    return taken;
  }

  /** How many writes went by one mechanism, to any MSR. */
  total(via: number): number {
    let writes = 0;
    for (let msr = 0; msr < MSR_CODES; msr += 1) {
      writes += this.count(msr, via);
    }
    return writes;
  }

  /** How often an MSR was written by one mechanism. */
  count(msr: number, via: number): number {
    return this.counts[msr * VIA_CODES + via]!;
  }
}
