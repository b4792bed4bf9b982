/** A line of a log, and what loggers put before its text. */
import { ObservedRecord, type RecordKind } from '../record.js';
import { type LavaResult, lavaLine } from './lava-log.js';

export interface LogLine {
  readonly number: number;
  /** Without the prefixes; indentation is kept, since KTAP nests by it. */
  readonly text: string;
  /** The time nearest to the text: the kernel's own where it is there. */
  readonly at: string | null;
  /** CPU of the printk caller, where it was not a task (`[    C3]`). Of this line only. */
  readonly cpu: number | null;
  /** Thread of the printk caller (`[ T1201]`). */
  readonly pid: number | null;
  /** It has a prefix of the kernel's log. */
  readonly ofKernel: boolean;
  /** A message of the kernel's cuts in where the text ends; the rest comes in a line of its own. */
  readonly cut: boolean;
  /** It comes from LAVA's log, and is no line of the text itself. */
  readonly fromLava: boolean;
  /** Where LAVA's dispatcher reports a result instead. */
  readonly result: LavaResult | null;
}

const DAY = '[A-Z][a-z]{2}';
const CLOCK = String.raw`\d\d:\d\d:\d\d(?:[.,]\d+)?`;
const ISO = String.raw`\d{4}[-/]\d\d[-/]\d\d[T ]${CLOCK}(?:Z|[+-]\d\d:?\d\d)?`;

/** One prefix each, tried again until none fits; `at` is its time. Each takes one blank behind it and no more. */
const PREFIXES: readonly RegExp[] = [
  // Quoted mail.
  /^(?:> ?)+(?=[<[\d])/,
  // Priority.
  /^<\d{1,3}>/,
  // printk's time, and that of dmesg -d.
  /^\[ *(?<at>\+?\d+\.\d{6})\] ?/,
  // printk's caller.
  /^\[ *(?:T(?<pid>\d+)|C(?<cpu>\d+))\] ?/,
  // dmesg -T, and -H.
  new RegExp(String.raw`^\[(?<at>${DAY} ${DAY} [ \d]\d ${CLOCK} \d{4})\] ?`),
  new RegExp(String.raw`^\[(?<at>${DAY}\d\d \d\d:\d\d)\] ?`),
  // syslog and journald; dmesg --time-format iso; syzkaller; a pool's clock.
  new RegExp(String.raw`^(?<at>${DAY} [ \d]\d ${CLOCK}) `),
  new RegExp(String.raw`^\[?(?<at>${ISO})\]? `),
  new RegExp(`^(?<at>${CLOCK}) +`),
  // The host and the program, behind a time.
  /^(?:[\w.-]+ )?kernel: ?/,
  /^[\w.-]+ [\w.@/-]+\[\d+\]: ?/,
];

const OF_KERNEL = /^(?:<\d|\[|(?:[\w.-]+ )?kernel:)/;
/** Behind the beginning of a line: a message that cut into it. */
const CUT_IN = /(?:<\d{1,3}>)?\[ *\d+\.\d{6}\](?: |\[)/;

/** The lines of a log that one line of the text holds: two where a message of the kernel's cut into another. */
export function logLines(raw: string, number: number): LogLine[] {
  const lava = lavaLine(raw);
  if (lava?.message === null && lava.result === null) return [];
  const lines: LogLine[] = [];
  let rest: string | null = lava === null ? raw : (lava.message ?? '');
  while (rest !== null) {
    const { text, ...prefix }: Stripped = stripped(rest, lava?.at ?? null);
    const cut = CUT_IN.exec(text)?.index;
    lines.push({
      ...prefix,
      number,
      text: text.slice(0, cut),
      cut: cut !== undefined,
      fromLava: lava !== null,
      result: lava?.result ?? null,
    });
    rest = cut === undefined ? null : text.slice(cut);
  }
  return lines;
}

type Stripped = Pick<LogLine, 'text' | 'at' | 'cpu' | 'pid' | 'ofKernel'>;

function stripped(line: string, received: string | null): Stripped {
  let text = line;
  let at = received;
  let cpu: number | null = null;
  let pid: number | null = null;
  let ofKernel = false;
  for (let prefix = prefixOf(text); prefix !== null; prefix = prefixOf(text)) {
    text = text.slice(prefix[0].length);
    at = prefix.groups?.at ?? at;
    ofKernel ||= OF_KERNEL.test(prefix[0]);
    if (prefix.groups?.cpu !== undefined) cpu = Number(prefix.groups.cpu);
    if (prefix.groups?.pid !== undefined) pid = Number(prefix.groups.pid);
  }
  return { text, at, cpu, pid, ofKernel };
}

function prefixOf(text: string): RegExpExecArray | null {
  for (const pattern of PREFIXES) {
    const match = pattern.exec(text);
    if (match !== null) return match;
  }
  return null;
}

/** Whether a line begins as the kernel's log does. */
export const hasKernelPrefix = (line: string): boolean =>
  /^(?:<\d{1,3}>)?\[ *\d+\.\d{6}\](?: |\[)/.test(line) ||
  /^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ kernel: /.test(line) ||
  new RegExp(String.raw`^\[${DAY} ${DAY} [ \d]\d ${CLOCK} \d{4}\] `).test(line);

/** A record of this line, with its time. */
export function recordOf(line: LogLine, kind: RecordKind): ObservedRecord {
  const record = new ObservedRecord(line.number, kind);
  record.at = line.at;
  return record;
}
