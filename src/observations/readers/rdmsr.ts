/**
 * What rdmsr, dd and loops around them print. A value alone has no CPU: line N of `rdmsr -a` is not CPU N where CPUs are offline.
 * Which MSR it is of, a command, a title or the line itself says; otherwise it is IA32_PEBS_ENABLE, for which collectors ask.
 */
import type { RecordSink } from '../record.js';
import { valueOfHex } from '../value.js';
import { type LogLine, recordOf } from './log-line.js';
import { logReader, type Recogniser } from './log-reader.js';
import { PrintedNumbers } from './printed-numbers.js';
import { ddMsr, isOtherCommand, rdmsrCommand } from './rdmsr-command.js';
import { type Table, tableHeader, tableRow } from './rdmsr-table.js';
import { complaint, keyedReading, reading, snapshot } from './reading-lines.js';
import { isPmuMsr, msrOf, PEBS_ENABLE } from './registers.js';

export const looksLikeRdmsr = (line: string): boolean =>
  TITLE.test(line) ||
  tableHeader(line, PEBS_ENABLE) !== null ||
  /^(?:0x)?[0-9a-f]{1,16}$|^(?:cpu|core)[ #=_]?\d+ *(?:[:=,]|->)? |^0x[0-9a-f]+[ :=]+(?:0x)?[0-9a-f]+\b|^rdmsr: /i.test(
    line,
  ) ||
  rdmsrCommand(line) !== null;

const CPU =
  /^\[?(?:cpu|core|processor|thread)[ #=_:[]{0,2}(\d+)\]?(?:\s*(?:[:=,|]|->)\s*|\s+)(.*)$/i;
const MSR =
  /^(?:msr[\s:=_[(]*)?(0x[0-9a-f]+|[0-9a-f]{1,8}|\w{0,9}pebs_en\w{0,9})[\])]?(?:\s*(?:[:=]|->)\s*|\s+is\s+|\s+)(\S+)$/i;
/** `MSR 0x3f1 on CPU 3 = 0x1`. */
const MSR_OF_CPU =
  /^(?:msr[\s_[(]*)?(0x[0-9a-f]+|\w{0,9}pebs_en\w{0,9})[\])]?\s+(?:on|of|@)\s*(?:cpu|core)[ #]?(\d+)(?:\s*[:=]\s*|\s+is\s+)(\S+)$/i;
const NUMBER = /^(?:0x)?[0-9a-f]+$|^-?\d+$/i;
const BYTES = /^(?:[0-9a-f]{2}\s+){7}[0-9a-f]{2}$/i;
const NO_VALUE = /^\(?(?:unreadable|error|fail(?:ed)?|n\/?a|-+)\)?$/i;
const TITLE = /\bMSR[\s_]*\(?0x([0-9a-f]+)\b/i;

/** `CPU 3, MSR 0x3f1, value: 0x1`. */
const VALUE_WORD = /\bval(?:ue)?\b[ :=]*/i;
/** What a value is called behind it, e.g. `1 (PMC0)`. */
const NOTE = /(?<=[0-9a-f])\s+\((?!unreadable|error|fail|n\/?a)[^()]*\)$/i;
const COMMENT = /(?:^|\s)(?:#|\/\/).*$/;

class RdmsrLines implements Recogniser {
  private readonly numbers = new PrintedNumbers();
  private msr = PEBS_ENABLE;
  private unclear: string | null = null;
  private table: Table | null = null;
  /** Why a value alone in its line is none. */
  private notAlone: string | null = null;

  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    if (complaint(line, this.sink) || snapshot(line, this.sink)) return true;
    // The kernel's own lines name MSRs too, and title nothing.
    if (line.ofKernel) return keyedReading(line, line.text, this.sink, this.numbers);
    if (this.command(line.text)) return true;
    const text = line.text.replace(COMMENT, '').trim().replace(NOTE, '');
    if (keyedReading(line, text, this.sink, this.numbers)) {
      this.keyed();
      return true;
    }
    return (
      text === '' ||
      this.title(text) ||
      this.row(line, text) ||
      this.ofBoth(line, text) ||
      this.ofCpu(line, text) ||
      this.ofMsr(line, text, null) ||
      this.alone(line, text)
    );
  }

  private command(text: string): boolean {
    const dd = ddMsr(text);
    if (dd !== null) this.msr = dd;
    if (isOtherCommand(text)) this.notAlone = 'the output of another command';
    const command = rdmsrCommand(text);
    if (command === null) return dd !== null;
    this.numbers.heed(command.words);
    this.msr = command.msr ?? this.msr;
    this.unclear = command.unclear;
    this.table = null;
    if (command.allCpus) this.notAlone = null;
    return true;
  }

  /** Lines give their CPU: a value alone is then what is left of one of them. */
  private keyed(): void {
    this.notAlone = 'a value without the CPU that other lines give';
  }

  private title(text: string): boolean {
    const header = tableHeader(text, this.msr);
    if (header !== null) {
      this.table = header;
      return true;
    }
    const msr = TITLE.exec(text)?.[1];
    const ofOne = CPU.test(text) || MSR.test(text) || MSR_OF_CPU.test(text);
    if (msr === undefined || ofOne) return false;
    this.msr = Number.parseInt(msr, 16);
    this.unclear = null;
    return true;
  }

  private row(line: LogLine, text: string): boolean {
    const row = this.table && tableRow(this.table, text);
    if (!row) return false;
    if (row.cells.length === 0) {
      this.sink.reject(line.number, 'the row does not have the columns of the header', row.cpu);
    }
    for (const cell of row.cells) this.cell(line, { cpu: row.cpu, ...cell });
    return true;
  }

  private ofBoth(line: LogLine, text: string): boolean {
    const [, key = '', cpu, value = ''] = MSR_OF_CPU.exec(text) ?? [];
    const msr = msrOf(key);
    if (cpu === undefined || msr === null) return false;
    this.keyed();
    this.cell(line, { cpu: Number(cpu), msr, text: value });
    return true;
  }

  private ofCpu(line: LogLine, text: string): boolean {
    const [, digits, said] = CPU.exec(text) ?? [];
    if (digits === undefined || said === undefined) return false;
    const rest = said.replace(',', ' ').replace(VALUE_WORD, '').trim();
    const cpu = Number(digits);
    this.keyed();
    if (NUMBER.test(rest) || NO_VALUE.test(rest) || BYTES.test(rest)) {
      this.ofKnownMsr(line, cpu, rest);
    } else if (!this.ofMsr(line, rest, cpu) && /^(?:0x)?[0-9a-f]*\d/i.test(rest)) {
      this.sink.reject(line.number, 'no value that rdmsr prints', cpu);
    }
    return true;
  }

  /** `0x38D bbb`: the key is an MSR, never a CPU. */
  private ofMsr(line: LogLine, text: string, cpu: number | null): boolean {
    const [, key = '', value = ''] = MSR.exec(text) ?? [];
    const msr = msrOf(key);
    if (msr === null || !(NUMBER.test(value) || NO_VALUE.test(value))) return false;
    if (/^0x|pebs/i.test(key) || /^msr/i.test(text) || isPmuMsr(msr)) {
      this.cell(line, { cpu, msr, text: value });
    } else {
      const reason = `nothing says whether ${key} is a CPU or an MSR`;
      this.sink.reject(line.number, reason, cpu ?? undefined);
    }
    return true;
  }

  private alone(line: LogLine, text: string): boolean {
    if (!NUMBER.test(text)) return false;
    if (this.notAlone === null) this.ofKnownMsr(line, null, text);
    else this.sink.reject(line.number, this.notAlone);
    return true;
  }

  /** A value of the MSR that the command or the title names. */
  private ofKnownMsr(line: LogLine, cpu: number | null, text: string): void {
    if (this.unclear !== null) this.sink.reject(line.number, this.unclear, cpu ?? undefined);
    else if (BYTES.test(text)) this.bytes(line, cpu, text);
    else this.cell(line, { cpu, msr: this.msr, text });
  }

  private cell(line: LogLine, cell: { cpu: number | null; msr: number; text: string }): void {
    if (!NO_VALUE.test(cell.text)) {
      reading(line, this.sink, this.numbers, cell);
      return;
    }
    const record = recordOf(line, 'unreadable');
    record.cpu = cell.cpu;
    record.msr = cell.msr;
    record.text = cell.text;
    this.sink.record(record);
    this.sink.reject(line.number, 'unreadable', cell.cpu ?? undefined);
  }

  /** `od -t x1` prints the lowest byte first. */
  private bytes(line: LogLine, cpu: number | null, text: string): void {
    const record = recordOf(line, 'reading');
    record.cpu = cpu;
    record.msr = this.msr;
    record.value = valueOfHex(text.split(/\s+/).reverse().join(''));
    this.sink.record(record);
  }
}

export const rdmsr = logReader((sink) => [new RdmsrLines(sink)]);
