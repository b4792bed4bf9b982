/**
 * What rdmsr, dd and loops around them print. A value alone has no CPU: line N of `rdmsr -a` is not CPU N where CPUs are offline.
 * Which MSR it is of, a command, a title or the line itself says; otherwise it is IA32_PEBS_ENABLE, for which collectors ask.
 */
import type { RecordSink } from '../record.js';
import { valueOfHex } from '../value.js';
import { type LogLine, recordOf } from './log-line.js';
import { logReader, type Recogniser } from './log-reader.js';
import { PrintedNumbers } from './printed-numbers.js';
import { ddMsr, rdmsrCommand } from './rdmsr-command.js';
import { type Table, tableHeader, tableRow } from './rdmsr-table.js';
import { complaint, keyedReading, reading, snapshot } from './reading-lines.js';
import { isPmuMsr, msrOf, PEBS_ENABLE } from './registers.js';

export const looksLikeRdmsr = (line: string): boolean =>
  /^(?:0x)?[0-9a-f]{1,16}$|^(?:cpu|core)[ #=_]?\d+ *[:=]? |^0x[0-9a-f]+[ :=]+(?:0x)?[0-9a-f]+\b|^rdmsr: /i.test(
    line,
  ) || rdmsrCommand(line) !== null;

const CPU = /^(?:cpu|core|processor)[ #=_]?(\d+)(?:\s*[:=,|]\s*|\s+)(.*)$/i;
const MSR =
  /^(?:msr[\s_[(]*)?(0x[0-9a-f]+|[0-9a-f]{2,8}|\w*pebs_en\w*)[\])]?(?:\s*[:=]\s*|\s+)(\S+)$/i;
const NUMBER = /^(?:0x)?[0-9a-f]+$|^-?\d+$/i;
const BYTES = /^(?:[0-9a-f]{2}\s+){7}[0-9a-f]{2}$/i;
const NO_VALUE = /^\(?(?:unreadable|error|fail(?:ed)?|n\/?a|-+)\)?$/i;
const TITLE = /\bMSR[\s_]*\(?0x([0-9a-f]+)\b/i;

class RdmsrLines implements Recogniser {
  private readonly numbers = new PrintedNumbers();
  private msr = PEBS_ENABLE;
  private byName = false;
  private table: Table | null = null;
  /** Lines give their CPU: a value alone is then what is left of one of them. */
  private keyed = false;

  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    if (complaint(line, this.sink) || snapshot(line, this.sink)) return true;
    if (this.command(line.text)) return true;
    const text = line.text.replace(/(?:^|\s+)(?:#|\/\/).*$/, '').trim();
    if (text === '') return true;
    if (keyedReading({ ...line, text }, this.sink, this.numbers)) {
      this.keyed = true;
      return true;
    }
    return (
      this.title(text) ||
      this.row(line, text) ||
      this.ofCpu(line, text) ||
      this.ofMsr(line, text, null) ||
      this.alone(line, text)
    );
  }

  private command(text: string): boolean {
    const dd = ddMsr(text);
    if (dd !== null) this.msr = dd;
    const command = rdmsrCommand(text);
    if (command === null) return dd !== null;
    this.numbers.heed(command.words);
    this.msr = command.msr ?? this.msr;
    this.byName = command.byName;
    if (command.allCpus) this.keyed = false;
    return true;
  }

  private title(text: string): boolean {
    const header = tableHeader(text, this.msr);
    if (header !== null) {
      this.table = header;
      return true;
    }
    const msr = TITLE.exec(text)?.[1];
    if (msr === undefined || CPU.test(text) || MSR.test(text)) return false;
    this.msr = Number.parseInt(msr, 16);
    return true;
  }

  private row(line: LogLine, text: string): boolean {
    const row = this.table && tableRow(this.table, text);
    if (!row) return false;
    if (row.cells.length === 0) {
      this.sink.reject(line.number, 'the row has not the columns of the header');
    }
    for (const cell of row.cells) this.cell(line, row.cpu, cell.msr, cell.text);
    return true;
  }

  private ofCpu(line: LogLine, text: string): boolean {
    const [, digits, rest] = CPU.exec(text) ?? [];
    if (digits === undefined || rest === undefined) return false;
    const cpu = Number(digits);
    this.keyed = true;
    if (BYTES.test(rest)) this.bytes(line, cpu, rest);
    else if (NUMBER.test(rest) || NO_VALUE.test(rest)) this.cell(line, cpu, this.msr, rest);
    else if (!this.ofMsr(line, rest, cpu) && /^(?:0x)?[0-9a-f]*\d/i.test(rest)) {
      this.sink.reject(line.number, 'no value that rdmsr prints');
    }
    return true;
  }

  /** `0x38D bbb`: the key is an MSR, never a CPU. */
  private ofMsr(line: LogLine, text: string, cpu: number | null): boolean {
    const [, key, value] = MSR.exec(text) ?? [];
    const msr = key === undefined ? null : msrOf(key);
    if (key === undefined || value === undefined || msr === null) return false;
    const named = /^0x|pebs/i.test(key) || /^msr/i.test(text) || isPmuMsr(msr);
    if (named && (NUMBER.test(value) || NO_VALUE.test(value))) this.cell(line, cpu, msr, value);
    else if (NUMBER.test(value) && /^\d+$/.test(key)) {
      this.sink.reject(line.number, `nothing says whether ${key} is a CPU or an MSR`);
    } else return false;
    return true;
  }

  private alone(line: LogLine, text: string): boolean {
    if (!NUMBER.test(text)) return false;
    if (this.keyed) {
      this.sink.reject(line.number, 'a value without the CPU that other lines give');
    } else this.cell(line, null, this.msr, text);
    return true;
  }

  private cell(line: LogLine, cpu: number | null, msr: number, text: string): void {
    if (NO_VALUE.test(text)) {
      const record = recordOf(line, 'unreadable');
      record.cpu = cpu;
      record.msr = msr;
      record.text = text;
      this.sink.record(record);
      this.sink.reject(line.number, 'unreadable');
    } else if (this.byName) {
      this.sink.reject(line.number, 'rdmsr reads MSR 0 when it is given a name');
    } else reading(line, this.sink, this.numbers, { cpu, msr, text });
  }

  /** `od -t x1` prints the lowest byte first. */
  private bytes(line: LogLine, cpu: number, text: string): void {
    const record = recordOf(line, 'reading');
    record.cpu = cpu;
    record.msr = this.msr;
    record.value = valueOfHex(text.split(/\s+/).reverse().join(''));
    this.sink.record(record);
  }
}

export const rdmsr = logReader((sink) => [new RdmsrLines(sink)]);
