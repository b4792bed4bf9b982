/**
 * Where every MSR write of the engine goes: counted by cause, MSR and mechanism, and listed if asked for.
 *
 * One class with one shape, so that the call on the hot path stays monomorphic.
 */
import { MSR_CODES, VIA_CODES, VIA_NAMES, type ViaName } from './msr.js';

/** One MSR write as a trace keeps it. Values of counter-set MSRs are folded sets, of IA32_DS_AREA identities. */
export interface MsrWrite {
  readonly msr: number;
  readonly via: number;
  readonly value: number;
  /** The row of semantics.md that wrote, where one step has several: `n1`, `n5`, `n9`, `start`. */
  readonly row: string;
}

/** Why an MSR is written: for a VM-entry or VM-exit, by an NMI handler, by perf at other times, or for a guest's WRMSR. */
export const CAUSE_NAMES = ['round_trip', 'nmi', 'setup', 'guest'] as const;
export const ROUND_TRIP = 0;
export const NMI = 1;
export const SETUP = 2;
export const GUEST = 3;
export const CAUSE_CODES = 4;

/** Counts of one cause. */
const CAUSE_STRIDE = MSR_CODES * VIA_CODES;

export class WriteSink {
  /** Writes counted at `cause * CAUSE_STRIDE + msr * VIA_CODES + via`. */
  readonly counts = new Float64Array(CAUSE_CODES * CAUSE_STRIDE);
  /** Of the writes to come. */
  cause = SETUP;
  /** The writes since the list was last taken, or null while nobody traces. */
  listed: MsrWrite[] | null = null;
  /** NMIs handled, and events that a handler throttled. */
  nmis = 0;
  throttles = 0;
  /** PMIs that KVM injected into guests. */
  guestPmis = 0;

  write(msr: number, via: number, value: number, row: string): void {
    const at = this.cause * CAUSE_STRIDE + msr * VIA_CODES + via;
    this.counts[at] = this.counts[at]! + 1;
    if (this.listed !== null) {
      this.listed.push({ msr, via, value, row });
    }
  }

  /** Counts an NMI, whose handler writes until the cause is set back to what is returned. */
  beginNmi(): number {
    const { cause } = this;
    this.nmis += 1;
    this.cause = NMI;
    return cause;
  }

  /** Returns the listed writes and starts a new list. */
  take(): MsrWrite[] {
    const taken = this.listed ?? [];
    if (this.listed !== null) {
      this.listed = [];
    }
    return taken;
  }

  /** How many writes went by one mechanism, to any MSR and for whatever cause. */
  total(via: number): number {
    let writes = 0;
    for (let cause = 0; cause < CAUSE_CODES; cause += 1) {
      writes += this.totalOf(cause, via);
    }
    return writes;
  }

  /** How many of one cause went by one mechanism. */
  totalOf(cause: number, via: number): number {
    let writes = 0;
    for (let msr = 0; msr < MSR_CODES; msr += 1) {
      writes += this.countOf(cause, msr, via);
    }
    return writes;
  }

  /** The counts that are not 0, by MSR and mechanism, of one cause or of all. */
  counted(cause?: number): { msr: number; via: number; count: number }[] {
    const found = [];
    for (let msr = 0; msr < MSR_CODES; msr += 1) {
      for (let via = 0; via < VIA_CODES; via += 1) {
        const count = cause === undefined ? this.count(msr, via) : this.countOf(cause, msr, via);
        if (count > 0) found.push({ msr, via, count });
      }
    }
    return found;
  }

  /** How many went by each mechanism, of one cause or of all. */
  byVia(cause?: number): Record<ViaName, number> {
    const counts = VIA_NAMES.map((name, via) => [
      name,
      cause === undefined ? this.total(via) : this.totalOf(cause, via),
    ]);
    return Object.fromEntries(counts);
  }

  /** How often an MSR was written by one mechanism, for whatever cause. */
  count(msr: number, via: number): number {
    let writes = 0;
    for (let cause = 0; cause < CAUSE_CODES; cause += 1) {
      writes += this.countOf(cause, msr, via);
    }
    return writes;
  }

  /** How often for one cause. */
  countOf(cause: number, msr: number, via: number): number {
    return this.counts[cause * CAUSE_STRIDE + msr * VIA_CODES + via]!;
  }
}
