/**
 * `unchecked MSR access error: WRMSR to 0x3f1 (tried to write 0x…) at rIP: 0x… (add_atomic_switch_msr+0x5f/0x500)`: the kernel
 * says so once per boot, the register keeps its value, and no CPU is named. Where the symbol is only the accessor, the call
 * trace below names the writer; until it does, nothing is recorded.
 */
import type { ObservedRecord, RecordSink } from '../record.js';
import { valueOfHex } from '../value.js';
import { type LogLine, recordOf } from './log-line.js';
import type { Recogniser } from './log-reader.js';

const BEGUN = /unchecked MSR access error/;
const WRITE =
  /unchecked MSR access error: WRMSR to 0x(?<msr>[0-9a-f]{1,8}) \(tried to write 0x(?<value>[0-9a-f]{16})\)(?<at> at rIP: 0x[0-9a-f]+ \((?<symbol>[^)\s]+)(?: \[[^\]]+\])?\))?\s*$/;
const READ =
  /unchecked MSR access error: RDMSR from 0x(?<msr>[0-9a-f]{1,8})(?<at> at rIP: 0x[0-9a-f]+ \((?<symbol>[^)\s]+)(?: \[[^\]]+\])?\))?\s*$/;

/** Frames that the unwinder is not sure of (`?`) are left out. */
const FRAME =
  /^\s*(?:\[<[0-9a-f]+>\] )?(?<name>[\w.]+)\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[[^\]]+\])?\s*$/;
const ACCESSORS =
  /^(?:(?:native_|__|do_trace_|paravirt_|pv_)*(?:read|write|rd|wr)_?msrl?q?(?:_safe|_amd_safe)?|ex_handler_msr\w*)$/;

/** Without what compilers append, e.g. `.constprop.0`, and the place in the function. */
const functionOf = (symbol: string): string => symbol.replace(/[.+].*$/, '');

/** A call trace with its registers is no longer. */
const TRACE_LINES = 80;

export class UncheckedAccess implements Recogniser {
  /** An access whose writer is not known yet. */
  private waiting: ObservedRecord | null = null;
  private lines = 0;

  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    if (this.waiting !== null) this.trace(this.waiting, line);
    if (!BEGUN.test(line.text)) return false;
    this.giveUp();
    const write = WRITE.exec(line.text);
    const match = write ?? READ.exec(line.text);
    if (match === null) {
      this.sink.reject(line.number, 'not a whole "unchecked MSR access error" line');
      return false;
    }
    const { msr = '', value = '', symbol } = match.groups ?? {};
    const record = recordOf(line, write === null ? 'reading' : 'write');
    record.cpu = line.cpu;
    record.pid = line.pid;
    record.msr = Number.parseInt(msr, 16);
    record.value = valueOfHex(value);
    record.refused = true;
    const writer = symbol === undefined ? null : functionOf(symbol);
    if (writer === null || ACCESSORS.test(writer)) this.wait(record);
    else this.done(record, writer);
    return true;
  }

  end(): void {
    if (this.waiting !== null) {
      this.sink.reject(this.waiting.line, 'the call trace that names the writer is not here');
    }
  }

  private wait(record: ObservedRecord): void {
    this.waiting = record;
    this.lines = 0;
  }

  private trace(record: ObservedRecord, line: LogLine): void {
    this.lines += 1;
    // Another thread's line came between.
    if (line.pid !== record.pid && line.pid !== null && record.pid !== null) return;
    const frame = functionOf(FRAME.exec(line.text)?.groups?.name ?? '');
    if (/^\s*<NMI>/.test(line.text)) record.context = 'nmi';
    if (/^\s*<IRQ>/.test(line.text)) record.context = 'irq';
    if (frame !== '' && !ACCESSORS.test(frame)) this.done(record, frame);
    else if (this.lines >= TRACE_LINES) this.giveUp();
  }

  /** The trace has ended, and the writer stays unknown. */
  private giveUp(): void {
    if (this.waiting !== null) this.done(this.waiting, null);
  }

  private done(record: ObservedRecord, writer: string | null): void {
    record.writer = writer;
    this.waiting = null;
    this.sink.record(record);
  }
}
