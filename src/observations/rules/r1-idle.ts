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

class Reads {
  /** Bits that all reads since the first had. */
  common: U64 = ZERO;
  firstValue: U64 = ZERO;
  firstLine = 0;
  first: Snapshot | null = null;
  firstAt: string | null = null;
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
    const common = and(reads.common, value);
    if (reads.first === null || isZero(common) || snapshot.boot !== reads.first.boot) {
      reads.first = isZero(value) ? null : snapshot;
      reads.common = value;
      reads.firstValue = value;
      reads.firstLine = record.line;
      reads.firstAt = timeOf(record, snapshot);
      return null;
    }
    reads.common = common;
    const seconds = secondsApart(reads.firstAt, timeOf(record, snapshot));
    if (seconds === null || seconds < TWO_TICKS_SECONDS) return null;
    return {
      rule: 'R1',
      cpu,
      bits: common,
      fixedBits: ZERO,
      lines: [reads.first.line, reads.firstLine, snapshot.line, record.line].filter(
        (line) => line > 0,
      ),
      text: `CPU ${cpu}: ${NAME} was ${shortHex(reads.firstValue)}, and more than two ticks later ${shortHex(value)}, while no PEBS event was open.`,
    };
  }

  rebooted(): void {
    this.reads.each((reads) => {
      reads.first = null;
    });
  }

  /** Somebody wrote the register. */
  written(cpu: number): void {
    const reads = this.reads.get(cpu);
    if (reads !== undefined) reads.first = null;
  }
}
