/**
 * R2: in one dump of perf_event_print_debug() (SysRq-p) IA32_PEBS_ENABLE has bits of counters on which perf has no active event.
 * Bits 32 and up are fixed counters only since perfmon 5: before, and where the version is not known, they prove nothing.
 */
import { FIXED_COUNTERS_SINCE, shortHex } from '../bits.js';
import type { ObservedRecord, Value } from '../record.js';
import { and, andNot, isZero, ZERO } from '../value.js';
import { NAME, PEBS_ENABLE, type StuckBits } from './finding.js';
import { PerCpu } from './per-cpu.js';

const GENERAL_PURPOSE: Value = { high: 0, low: 0xff };
const ALL_COUNTERS: Value = { high: 0xffff, low: 0xff };

/** Registers that a dump prints before IA32_PEBS_ENABLE. */
const BEFORE = new Set([0x38d, 0x38e, 0x38f, 0x390]);

class Dump {
  line = 0;
  value: Value = ZERO;
  /** The dump had bits that only the PMU's version can tell. */
  unsureLine = 0;
  /** A dump without the register: its line. */
  withoutLine = 0;
}

/** `stuck`, or why not. */
export type DumpResult = StuckBits | null;

export class R2Dump {
  private readonly dumps = new PerCpu(() => new Dump());

  reading(cpu: number, record: ObservedRecord): void {
    if (record.msr === PEBS_ENABLE) {
      const dump = this.dumps.of(cpu);
      dump.line = record.known === null ? record.line : 0;
      dump.value = record.value!;
    } else if (BEFORE.has(record.msr!)) {
      this.forget(cpu);
    }
  }

  activeMask(cpu: number, record: ObservedRecord, pmuVersion: number | null): DumpResult {
    const dump = this.dumps.of(cpu);
    if (record.value === null) return null;
    if (dump.line === 0) {
      dump.withoutLine ||= record.line;
      return null;
    }
    const { line, value } = dump;
    dump.line = 0;
    const excess = and(andNot(value, record.value), ALL_COUNTERS);
    const fixed = pmuVersion !== null && pmuVersion >= FIXED_COUNTERS_SINCE;
    const bits = fixed ? excess : and(excess, GENERAL_PURPOSE);
    if (pmuVersion === null && excess.high !== 0) dump.unsureLine ||= line;
    if (isZero(bits)) return null;
    return {
      rule: 'R2',
      cpu,
      bits,
      lines: [line, record.line],
      text: `CPU ${cpu}: in one dump ${NAME} is ${shortHex(value)} and perf's active_mask ${shortHex(record.value)}: perf has no event on the counters that the register still enables.`,
    };
  }

  /** Line of a reading whose bits 32 and up only the PMU's version can tell; 0: none. */
  unsure(cpu: number): number {
    return this.dumps.get(cpu)?.unsureLine ?? 0;
  }

  /** Line of a dump that does not print the register; 0: none. */
  without(cpu: number): number {
    return this.dumps.get(cpu)?.withoutLine ?? 0;
  }

  /** The next active_mask does not belong to the register read before. */
  forget(cpu: number): void {
    const dump = this.dumps.get(cpu);
    if (dump !== undefined) dump.line = 0;
  }
}
