/** The records of one CPU as a recording that a model can be compared with. */
import { isOfState, MISSING } from '../../explorer/observation.js';
import { exitFacets, IN_NMI, NOT_IN_NMI, type Symbols } from '../../model/recordings/symbols.js';
import type { U64 } from '../../pmu/arch/counter-set.js';
import type { Context, KeptRecord } from '../record.js';

export interface RecordedRun {
  readonly symbols: Int32Array;
  /** By symbol, the line that it stands on. */
  readonly lines: Int32Array;
  /** How many vCPUs run; symbols number them in the order in which they come. */
  readonly vcpus: number;
  /** What was left out, and how often. */
  readonly skipped: ReadonlyMap<string, number>;
}

const CONTEXTS: Readonly<Record<Context, number>> = {
  nmi: IN_NMI,
  irq: NOT_IN_NMI,
  task: NOT_IN_NMI,
  unknown: IN_NMI | NOT_IN_NMI,
};

/** The handler of perf: the tracepoint names each handler of an NMI. */
const PERF_HANDLER = 'perf_event_nmi_handler';

export class RunRecorder {
  private readonly symbols: Symbols;
  private readonly shown: number[] = [];
  private readonly lines: number[] = [];
  /** By thread and number: a number may be that of vCPUs of several guests. */
  private readonly vcpus = new Map<string, number>();
  private running: number | undefined;
  private isInNmi = false;
  /** What was throttled in the NMI under way, with the line. */
  private throttles: [symbol: number, line: number][] = [];
  private readonly skipped = new Map<string, number>();
  /** The MSRs that guests have written since records were lost, by thread. */
  private readonly written = new Map<number | null, Set<number>>();

  constructor(symbols: Symbols) {
    this.symbols = symbols;
  }

  /** Takes the next record of the CPU. */
  take(record: KeptRecord, line = record.line): void {
    const symbol = this.symbolOf(record);
    if (typeof symbol === 'number') {
      if (record.kind === 'throttle' && this.isInNmi) {
        this.throttles.push([symbol, line]);
        return;
      }
      if (!isOfState(symbol)) this.beginOrEndNmi(symbol);
      this.push(symbol, line);
    } else {
      this.skipped.set(symbol, (this.skipped.get(symbol) ?? 0) + 1);
    }
  }

  /** A handler throttles in its middle, and what it leaves is seen at its end. */
  private beginOrEndNmi(symbol: number): void {
    const isInNmi = symbol !== MISSING && this.symbols.isInNmi(symbol);
    if (!isInNmi || this.symbols.beginsNmi(symbol)) this.endNmi();
    this.isInNmi = isInNmi;
  }

  private endNmi(): void {
    for (const [symbol, line] of this.throttles) this.push(symbol, line);
    this.throttles = [];
  }

  private push(symbol: number, line: number): void {
    this.shown.push(symbol);
    this.lines.push(line);
  }

  get run(): RecordedRun {
    this.endNmi();
    const { shown, lines, vcpus, skipped } = this;
    // What was lost at the end leaves nothing open.
    const end = shown.findLastIndex((symbol) => symbol !== MISSING) + 1;
    return {
      symbols: Int32Array.from(shown.slice(0, end)),
      lines: Int32Array.from(lines.slice(0, end)),
      vcpus: vcpus.size,
      skipped,
    };
  }

  /** A guest's thread has been on another CPU, where it may have written anything. */
  comes(pid: number | null): void {
    this.written.delete(pid);
  }

  /** Its symbol, or as what it is left out. */
  private symbolOf(record: KeptRecord): number | string {
    switch (record.kind) {
      case 'write':
        return this.writeOf(record);
      case 'vm_entry':
        this.symbols.showsRuns = true;
        this.running = this.vcpuOf(record);
        return this.symbols.entry(this.running);
      case 'vm_exit': {
        this.symbols.showsRuns = true;
        const vcpu = this.running ?? this.vcpuOf(record);
        this.running = undefined;
        return this.symbols.exit(vcpu, exitFacets(record.name));
      }
      case 'nmi':
        if (record.name !== null && !record.name.includes(PERF_HANDLER)) {
          return 'nmi of another handler';
        }
        this.symbols.showsNmis = true;
        return this.symbols.nmi();
      case 'reading':
        return this.readingOf(record);
      case 'throttle':
      case 'unthrottle':
        return record.at === null ? record.kind : this.symbols.throttle(record.kind);
      case 'guest_access':
        return this.guestAccessOf(record);
      case 'loss':
        this.written.clear();
        return MISSING;
      default:
        return record.kind;
    }
  }

  private writeOf({ msr, value, refused, context }: KeptRecord): number | string {
    if (msr === null || value === null) return 'write without a value';
    // The register stays as it is; the model has no such write either.
    if (refused) return 'refused write';
    const symbol = this.symbols.recorded(msr, value, CONTEXTS[context]);
    return symbol === 0 ? `write of 0x${msr.toString(16)}` : symbol;
  }

  /** What a guest writes is followed where the model takes it; a write that faults changes nothing. */
  private guestAccessOf(record: KeptRecord): number | string {
    const { msr, value, writes, refused, pid } = record;
    if (refused || msr === null || value === null) return 'guest_access';
    if (!writes) return this.guestReadOf(msr, value, pid);
    const symbol = this.symbols.guestWrite(msr, value);
    if (symbol === 0) return `guest_access of 0x${msr.toString(16)}`;
    this.symbols.showsGuestWrites = true;
    const written = this.written.get(pid) ?? new Set();
    this.written.set(pid, written.add(msr));
    return symbol;
  }

  /** A guest finds what it wrote. What its registers held before, or after records were lost, nobody knows. */
  private guestReadOf(msr: number, value: U64, pid: number | null): number | string {
    const isKnown = pid !== null && this.written.get(pid)?.has(msr);
    return (isKnown && this.symbols.guestRead(msr, value)) || 'guest_access';
  }

  /** What was read while the trace was made: of other readings nobody knows what happened in between. */
  private readingOf({ msr, value, known, refused, at }: KeptRecord): number | string {
    if (msr === null || value === null || refused || known !== null || at === null)
      return 'reading';
    const symbol = this.symbols.reading(msr, value);
    return symbol === 0 ? `reading of 0x${msr.toString(16)}` : symbol;
  }

  private vcpuOf({ vcpu, pid }: KeptRecord): number {
    const key = `${pid} ${vcpu}`;
    const known = this.vcpus.get(key) ?? this.vcpus.size;
    this.vcpus.set(key, known);
    return known;
  }
}
