/** R6: what was sent does not suffice to judge a CPU, and why. Counts what there is of each CPU. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import type { ObservedRecord } from '../record.js';
import { isZero, or, ZERO } from '../value.js';
import { NAME } from './finding.js';
import { MAX_CPUS, PerCpu } from './per-cpu.js';
import { TWO_TICKS_SECONDS } from './r1-idle.js';
import { type Snapshot, secondsApart, timeOf } from './snapshot.js';

/** Why a CPU cannot be judged, and the lines that show it. */
export interface Doubt {
  readonly why: string;
  readonly lines: readonly number[];
  /** What to send instead: a key of next.ts. */
  readonly need: Need;
}

export type Need =
  | 'no_loss'
  | 'two_reads'
  | 'readable'
  | 'reboot'
  | 'read_after_window'
  | 'idle'
  | 'pmu_version'
  | 'context';

/** Lines of evidence that are kept where there may be any number. */
export const MAX_LINES = 16;

class Seen {
  readings = 0;
  nonzero = 0;
  /** All bits that were read. */
  bits: U64 = ZERO;
  lastLine = 0;
  /** Line of a reading of some bits only. */
  partialLine = 0;
  /** Line of a reading that is not zero while PEBS events are open. */
  inUseLine = 0;
  /** Line of a reading that is not zero while nobody says whether PEBS events are open. */
  useUnknownLine = 0;
  writeLine = 0;
  /** Line of a write in a window that the tool prints without its context. */
  contextLine = 0;
  unreadableLine = 0;
  taintedLine = 0;
  clearedLine = 0;
  lossLine = 0;
  /** null: nobody knows how many. */
  lost: number | null = 0;
  firstAt: string | null = null;
  boot: string | null = null;
  /** Two reads were surely two ticks apart. */
  apart = false;
}

export class R6Data {
  /** CPUs that any record names. */
  private readonly named = new Uint8Array(MAX_CPUS);
  private readonly seen = new PerCpu(() => new Seen());
  /** Losses of a CPU that the tool does not name. */
  private readonly nowhere = new Seen();
  private deviceWriteLine = 0;
  /** The first register that could not be read; 0: none. */
  unreadableLine = 0;

  /** The CPU appears in the text. */
  see(cpu: number): void {
    this.named[cpu] = 1;
  }

  /** A reading of IA32_PEBS_ENABLE. */
  reading(cpu: number, record: ObservedRecord, snapshot: Snapshot | null): void {
    const seen = this.seen.of(cpu);
    seen.readings += 1;
    seen.lastLine = record.line;
    if (record.known !== null) seen.partialLine ||= record.line;
    if (this.deviceWriteLine > 0) seen.taintedLine ||= this.deviceWriteLine;
    if (!isZero(record.value!)) {
      seen.nonzero += 1;
      seen.bits = or(seen.bits, record.value!);
      if (snapshot?.pebsEvents == null) seen.useUnknownLine ||= record.line;
      else if (snapshot.pebsEvents > 0) seen.inUseLine ||= record.line;
    }
    const boot = snapshot?.boot ?? null;
    if (seen.readings === 1 || seen.boot !== boot) {
      seen.boot = boot;
      seen.firstAt = timeOf(record, snapshot);
      seen.apart = false;
    }
    const seconds = secondsApart(seen.firstAt, timeOf(record, snapshot));
    seen.apart ||= seconds !== null && seconds >= TWO_TICKS_SECONDS;
  }

  write(cpu: number, record: ObservedRecord, inWindow: boolean): void {
    const seen = this.seen.of(cpu);
    seen.writeLine ||= record.line;
    if (inWindow && record.context === 'unknown') seen.contextLine ||= record.line;
  }

  unreadable(cpu: number | null, line: number): void {
    this.unreadableLine ||= line;
    if (cpu !== null) this.seen.of(cpu).unreadableLine ||= line;
  }

  /** A line of the CPU's that should have given its register was damaged, or said why it does not. */
  isUnreadable(cpu: number): boolean {
    return (this.seen.get(cpu)?.unreadableLine ?? 0) > 0;
  }

  cleared(cpu: number, line: number): void {
    this.seen.of(cpu).clearedLine ||= line;
  }

  isCleared(cpu: number): boolean {
    return (this.seen.get(cpu)?.clearedLine ?? 0) > 0;
  }

  deviceWrite(line: number): void {
    this.deviceWriteLine ||= line;
  }

  /** A user wrote the register: no later reading proves anything. */
  get tainted(): boolean {
    return this.deviceWriteLine > 0;
  }

  /** Something could be said of the CPU: it read, wrote or switched the register. */
  concern(cpu: number): void {
    this.seen.of(cpu);
  }

  loss(cpu: number | null, record: ObservedRecord): void {
    const seen = cpu === null ? this.nowhere : this.seen.of(cpu);
    seen.lossLine ||= record.line;
    seen.lost = seen.lost === null || record.count === null ? null : seen.lost + record.count;
  }

  get lostAnywhere(): boolean {
    return this.nowhere.lossLine > 0;
  }

  isLossy(cpu: number): boolean {
    return this.lostAnywhere || (this.seen.get(cpu)?.lossLine ?? 0) > 0;
  }

  losses(): { cpu: number | null; count: number | null; line: number }[] {
    const losses: { cpu: number | null; count: number | null; line: number }[] = [];
    if (this.lostAnywhere) {
      losses.push({ cpu: null, count: this.nowhere.lost, line: this.nowhere.lossLine });
    }
    this.seen.each(({ lossLine, lost }, cpu) => {
      if (lossLine > 0) losses.push({ cpu, count: lost, line: lossLine });
    });
    return losses;
  }

  /** CPUs of which there is something to say: where records were lost anywhere, all. */
  concerned(): number[] {
    if (!this.lostAnywhere) return this.seen.cpus();
    return [...this.named.keys()].filter((cpu) => this.named[cpu] === 1);
  }

  wasRead(cpu: number): boolean {
    return (this.seen.get(cpu)?.readings ?? 0) > 0;
  }

  bits(cpu: number): U64 {
    return this.seen.get(cpu)?.bits ?? ZERO;
  }

  /** The CPU showed a bit of the register. */
  sawBits(cpu: number): boolean {
    return (this.seen.get(cpu)?.nonzero ?? 0) > 0;
  }

  /** Why the CPU cannot be called clean; null: it can. */
  doubt(cpu: number, unsureDumpLine: number): Doubt | null {
    const seen = this.seen.of(cpu);
    const lossLine = seen.lossLine || this.nowhere.lossLine;
    if (lossLine > 0) return doubt('records were lost', [lossLine], 'no_loss');
    if (seen.clearedLine > 0) {
      return doubt('the kernel has reset the PMU of this CPU', [seen.clearedLine], 'two_reads');
    }
    if (seen.unreadableLine > 0) {
      return doubt('the register could not be read', [seen.unreadableLine], 'readable');
    }
    if (seen.taintedLine > 0) {
      return doubt(`a user wrote ${NAME} before it was read`, [seen.taintedLine], 'reboot');
    }
    if (seen.inUseLine > 0) {
      return doubt('PEBS is in use, so the register need not be zero', [seen.inUseLine], 'idle');
    }
    if (unsureDumpLine > 0) {
      const why = 'bits 32 and up are fixed counters only since PMU version 5, and it is not known';
      return doubt(why, [unsureDumpLine], 'pmu_version');
    }
    if (seen.contextLine > 0) {
      const why = "the tool does not show whether it was perf's NMI handler that wrote";
      return doubt(why, [seen.contextLine, ...lineOf(seen.lastLine)], 'context');
    }
    if (seen.readings === 0) {
      return doubt(`${NAME} was not read`, lineOf(seen.writeLine), 'read_after_window');
    }
    if (seen.partialLine > 0) {
      return doubt('only some bits of the register are known', [seen.partialLine], 'two_reads');
    }
    if (seen.readings === 1) {
      return doubt(`a single read of ${NAME}`, [seen.lastLine], 'two_reads');
    }
    if (seen.useUnknownLine > 0) {
      const why = 'the register is not zero, and it is not known whether PEBS is in use';
      return doubt(why, [seen.useUnknownLine], 'idle');
    }
    if (!seen.apart) {
      const why = 'the reads are not known to be two ticks apart';
      return doubt(why, [seen.lastLine], 'two_reads');
    }
    if (seen.nonzero > 0) {
      return doubt('the register was not zero in some of the reads', [seen.lastLine], 'two_reads');
    }
    return null;
  }
}

const doubt = (why: string, lines: readonly number[], need: Need): Doubt => ({ why, lines, need });

const lineOf = (line: number): number[] => (line > 0 ? [line] : []);
