/**
 * R1: the machine says that no PEBS event is open, and two reads at least two ticks apart are both nonzero with a common bit.
 * Two ticks, since the next tick unthrottles an event and repairs the register.
 */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { shortHex } from '../bits.js';
import type { ObservedRecord } from '../record.js';
import { and, isZero, ZERO } from '../value.js';
import { NAME, type StuckBits } from './finding.js';
import { PerCpu } from './per-cpu.js';
import { type Snapshot, secondsApart, timeOf } from './snapshot.js';

/** Two ticks at 100 Hz, the slowest that kernels are built with. */
export const TWO_TICKS_SECONDS = 0.02;

interface Read {
  readonly value: U64;
  readonly line: number;
  readonly at: string | null;
  readonly snapshot: Snapshot;
}

class Reads {
  /** Bits that all reads since the first had. */
  common: U64 = ZERO;
  first: Read | null = null;
  last: Read | null = null;
}

export class R1Idle {
  private readonly reads = new PerCpu(() => new Reads());

  /** A reading of IA32_PEBS_ENABLE in a snapshot. */
  reading(cpu: number, record: ObservedRecord, snapshot: Snapshot | null): StuckBits | null {
    const reads = this.reads.of(cpu);
    if (snapshot?.pebsEvents !== 0) {
      reads.first = null;
      return null;
    }
    const value = record.value!;
    const now: Read = { value, line: record.line, at: timeOf(record, snapshot), snapshot };
    if (reads.first?.snapshot.boot !== snapshot.boot) reads.last = null;
    else if (isZero(and(reads.common, value))) {
      // Those bits are gone, but others may have been there at the last read already.
      reads.first = reads.last;
      reads.common = reads.last?.value ?? ZERO;
    }
    const { first, last } = reads;
    const common = and(reads.common, value);
    reads.last = now;
    if (first === null || last === null || isZero(common)) {
      reads.first = isZero(value) ? null : now;
      reads.common = value;
      return null;
    }
    reads.common = common;
    const seconds = secondsApart(first.at, now.at);
    if (seconds === null || seconds < TWO_TICKS_SECONDS) return null;
    return {
      rule: 'R1',
      cpu,
      bits: common,
      fixedBits: ZERO,
      lines: [first.snapshot.line, first.line, snapshot.line, record.line].filter(
        (line) => line > 0,
      ),
      text: `CPU ${cpu}: ${NAME} was ${shortHex(first.value)}, and more than two ticks later ${shortHex(value)}, while no PEBS event was open.`,
    };
  }

  forgetAll(): void {
    this.reads.each((reads) => {
      reads.first = null;
    });
  }

  /** Somebody wrote the register, or may have. */
  forget(cpu: number): void {
    const reads = this.reads.get(cpu);
    if (reads !== undefined) reads.first = null;
  }
}
