/**
 * R2: in one dump of perf_event_print_debug() (SysRq-p) IA32_PEBS_ENABLE has bits of counters on which perf has no active event.
 * Bits 32 and up are fixed counters only since perfmon 5: before, and where the version is not known, they prove nothing.
 */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { shortHex } from '../bits.js';
import type { ObservedRecord } from '../record.js';
import { PEBS_ENABLE } from '../registers.js';
import { and, andNot, isZero, ZERO } from '../value.js';
import { NAME, type StuckBits } from './finding.js';
import { PerCpu } from './per-cpu.js';

const GENERAL_PURPOSE: U64 = { hi: 0, lo: 0xff };
const FIXED: U64 = { hi: 0xffff, lo: 0 };

/** What a dump prints before IA32_PEBS_ENABLE. */
const BEFORE = new Set(['ctrl', 'status', 'overflow', 'fixed']);

class Dump {
  line = 0;
  value: U64 = ZERO;
  /** A dump without the register: its line. */
  withoutLine = 0;
}

export class R2Dump {
  private readonly dumps = new PerCpu(() => new Dump());

  /** A reading that a dump printed: `name` is what it calls the register. */
  reading(cpu: number, record: ObservedRecord): void {
    if (record.name === null) return;
    const dump = this.dumps.of(cpu);
    if (record.msr === PEBS_ENABLE) {
      dump.line = record.line;
      dump.value = record.value!;
    } else if (BEFORE.has(record.name)) {
      dump.line = 0;
    }
  }

  activeMask(cpu: number, record: ObservedRecord): StuckBits | null {
    const dump = this.dumps.of(cpu);
    if (record.value === null) return null;
    if (dump.line === 0) {
      dump.withoutLine ||= record.line;
      return null;
    }
    const { line, value } = dump;
    dump.line = 0;
    const excess = andNot(value, record.value);
    const bits = and(excess, GENERAL_PURPOSE);
    const fixedBits = and(excess, FIXED);
    if (isZero(bits) && isZero(fixedBits)) return null;
    return {
      rule: 'R2',
      cpu,
      bits,
      fixedBits,
      lines: [line, record.line],
      text: `CPU ${cpu}: in one dump ${NAME} is ${shortHex(value)} and perf's active_mask ${shortHex(record.value)}: perf has no event on the counters that the register still enables.`,
    };
  }

  /** Line of a dump that does not print the register; 0: none. */
  without(cpu: number): number {
    return this.dumps.get(cpu)?.withoutLine ?? 0;
  }

  forgetAll(): void {
    this.dumps.each((dump) => {
      dump.line = 0;
    });
  }

  /** The next active_mask does not belong to the register read before. */
  forget(cpu: number): void {
    const dump = this.dumps.get(cpu);
    if (dump !== undefined) dump.line = 0;
  }
}
