/**
 * What rdmsr, dd and loops around them print. A value alone has no CPU: line N of `rdmsr -a` is not CPU N where CPUs are offline.
 * Which MSR it is of, a command, a title or the line itself says; otherwise it is IA32_PEBS_ENABLE, for which collectors ask.
 */
import type { RecordSink } from '../record.js';
import { isPmuMsr, msrOf, PEBS_ENABLE } from '../registers.js';
import { valueOfHex } from '../value.js';
import { type LogLine, logLines, recordOf } from './log-line.js';
import { logReader, type Recogniser } from './log-reader.js';
import { PrintedNumbers } from './printed-numbers.js';
import { ddMsr, isOtherCommand, joinsBytes, rdmsrCommand } from './rdmsr-command.js';
import { type Table, tableHeader, tableRow } from './rdmsr-table.js';
import { complaint, keyedReading, reading, snapshot } from './reading-lines.js';

/** Loggers may put times and names in front. */
export const looksLikeRdmsr = (line: string): boolean =>
  logLines(line, 0).some(({ text }) => looksLikeOutput(text));

const looksLikeOutput = (line: string): boolean =>
  TITLE.test(line) ||
  ddMsr(line) !== null ||
  tableHeader(line, PEBS_ENABLE) !== null ||
  /^(?:0x)?[0-9a-f]{1,16}$|^ [0-9a-f]{16}$|^(?:cpu|core)[ #=_]?\d+ *(?:[:=,]|->)? |^0x[0-9a-f]+[ :=]+(?:0x)?[0-9a-f]+\b|^rdmsr: /i.test(
    line,
  ) ||
  rdmsrCommand(line) !== null;

const CPU =
  /^\[?(?:cpu|core|processor|thread)[ #=_:[]{0,2}(\d+)\]?(?:\s*(?:[:=,|]|->)\s*|\s+-\s+|\s+)(.*)$/i;
const MSR =
  /^(?:msr[\s:=_[(]*)?(0x[0-9a-f]+|[0-9a-f]{1,8}|\w{0,9}pebs_en\w{0,9})[\])]?(?:\s*(?:[:=]|->)\s*|\s+is\s+|\s+)(\S+)$/i;
/** `MSR 0x3f1 on CPU 3 = 0x1`. */
const MSR_OF_CPU =
  /^(?:msr[\s_[(]*)?(0x[0-9a-f]+|\w{0,9}pebs_en\w{0,9})[\])]?\s+(?:on|of|@)\s*(?:cpu|core)[ #]?(\d+)(?:\s*[:=]\s*|\s+is\s+)(\S+)$/i;
const NUMBER = /^(?:0x)?[0-9a-f]+$|^-?\d+$|^\d+U$/i;
/** Of od, and of rdmsr -r -c: the lowest first. */
const BYTES = /^(?:(?:[0-9a-f]{2}\s+){7}[0-9a-f]{2}|\{(?:0x[0-9a-f]{2},){7}0x[0-9a-f]{2}\})$/i;
/** What xxd and hexdump print: an offset, and bytes in the order of memory. */
const DUMP = /^[0-9a-f]{6,8}:?\s+(?:[0-9a-f]{2}){1,2}\s/i;
const NO_VALUE = /^\(?(?:unreadable|error|fail(?:ed)?|n\/?a|-+)\)?$/i;
const TITLE = /\bMSR[\s_]*\(?0x([0-9a-f]+)\b/i;

/** `CPU 3, MSR 0x3f1, value: 0x1`. */
const VALUE_WORD = /\bval(?:ue)?\b[ :=]*/i;
/** What a value is called behind it, e.g. `1 (PMC0)`. */
const NOTE = /(?<=[0-9a-f])\s+\((?!unreadable|error|fail|n\/?a)[^()]*\)$/i;
/** A register, and a number that a line ends with. */
const NAME = /\b(?:0x)?3f1\b|pebs_en/i;
const ENDS_WITH_NUMBER = /[\s=:"'](?:0x)?[0-9a-f]{1,20}["'})\]]*$/i;
/** `MSR 0x3f1 CPU3 1` is no title. */
const CPU_IN_IT = /\bcpu[ #]?\d+\b/i;
const NUMBER_BEHIND = /[\s=:](?:0x)?[0-9a-f]{1,20}$/i;
const SEVERAL_NUMBERS = /^(?:(?:0x)?[0-9a-f]{1,16}\s+)+(?:0x)?[0-9a-f]{1,16}$/i;
const COMMENT = /(?:^|\s)(?:#|\/\/).*$/;

class RdmsrLines implements Recogniser {
  private readonly numbers = new PrintedNumbers();
  private msr = PEBS_ENABLE;
  private unclear: string | null = null;
  private table: Table | null = null;
  /** Why a value alone in its line is none. */
  private notAlone: string | null = null;
  /** The command prints the bytes of a value in the order of memory. */
  private joined = false;

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
      this.alone(line, text) ||
      this.unread(line, text)
    );
  }

  private command(text: string): boolean {
    const dd = ddMsr(text);
    if (dd !== null) {
      this.msr = dd;
      this.joined = joinsBytes(text);
    }
    if (isOtherCommand(text)) this.notAlone = 'the output of another command';
    const command = rdmsrCommand(text);
    if (command === null) return dd !== null;
    this.numbers.useOptions(command.words);
    this.joined = joinsBytes(text);
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
    if (msr === undefined || ofOne || hasCpuAndNumber(text)) return false;
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
    const rest = BYTES.test(said) ? said : said.replace(',', ' ').replace(VALUE_WORD, '').trim();
    const cpu = Number(digits);
    this.keyed();
    if (NUMBER.test(rest) || NO_VALUE.test(rest) || BYTES.test(rest)) {
      this.ofKnownMsr(line, cpu, rest);
    } else if (!this.ofMsr(line, rest, cpu) && seemsValue(rest)) {
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
    if (!NUMBER.test(text) && !BYTES.test(text)) return false;
    if (this.notAlone === null) this.ofKnownMsr(line, null, text);
    else this.sink.reject(line.number, this.notAlone);
    return true;
  }

  /** What names the register and is none of these forms must not be lost unseen. */
  private unread(line: LogLine, text: string): boolean {
    const isDump = DUMP.test(text);
    const behind = text.slice(NAME.exec(text)?.index ?? text.length).replace(NAME, '');
    if (!isDump && !ENDS_WITH_NUMBER.test(behind) && !SEVERAL_NUMBERS.test(text)) return false;
    const reason = isDump
      ? 'bytes in the order of memory: print them with "od -A n -t x1"'
      : 'no value that rdmsr prints';
    const cpu = /\bcpu[ =#]?(\d+)\b(?!\/)/i.exec(text)?.[1];
    this.sink.reject(line.number, reason, cpu === undefined ? undefined : Number(cpu));
    return true;
  }

  /** A value of the MSR that the command or the title names. */
  private ofKnownMsr(line: LogLine, cpu: number | null, text: string): void {
    if (this.unclear !== null) this.sink.reject(line.number, this.unclear, cpu ?? undefined);
    else if (BYTES.test(text)) this.bytes(line, cpu, text.replace(/0x|[{},\s]/gi, ''));
    else if (this.joined && /^[0-9a-f]{16}$/i.test(text)) this.bytes(line, cpu, text);
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

  private bytes(line: LogLine, cpu: number | null, digits: string): void {
    const record = recordOf(line, 'reading');
    record.cpu = cpu;
    record.msr = this.msr;
    record.value = valueOfHex((digits.match(/../g) ?? []).reverse().join(''));
    this.sink.record(record);
  }
}

/** Looked for one after the other: one pattern for both would take long in a long line that names many CPUs. */
function hasCpuAndNumber(text: string): boolean {
  const cpu = CPU_IN_IT.exec(text);
  return cpu !== null && NUMBER_BEHIND.test(text.slice(cpu.index + cpu[0].length));
}

/** A number, or the register's name and a number. */
const seemsValue = (text: string): boolean =>
  /^(?:0x)?[0-9a-f]*\d/i.test(text) || (NAME.test(text) && ENDS_WITH_NUMBER.test(text));

export const rdmsr = logReader((sink) => [new RdmsrLines(sink)]);
