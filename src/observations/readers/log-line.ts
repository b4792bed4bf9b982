/** A line of a log, and what loggers put before its text. */
import { ObservedRecord, type RecordKind } from '../record.js';
import { type LavaResult, lavaLine } from './lava-log.js';

export class LogLine {
  /** The time nearest to the text: the kernel's own where it is there. */
  at: string | null = null;
  /** CPU of the printk caller, where it was not a task (`[    C3]`). Of this line only. */
  cpu: number | null = null;
  /** Thread of the printk caller (`[ T1201]`). */
  pid: number | null = null;
  /** The machine, where the log names it. */
  host: string | null = null;
  /** It has a prefix of the kernel's log. */
  ofKernel = false;
  /** A message of the kernel's cuts in where the text ends; the rest comes in a line of its own. */
  cut = false;
  /** It comes from LAVA's log, and is no line of the text itself. */
  fromLava = false;
  /** Where LAVA's dispatcher reports a result instead. */
  result: LavaResult | null = null;

  constructor(
    readonly number: number,
    /** Without the prefixes; indentation is kept, since KTAP nests by it. */
    public text: string,
  ) {}

  /** The same line with another text. */
  with(text: string): LogLine {
    return Object.assign(new LogLine(this.number, text), { ...this, text });
  }
}

const DAY = '[A-Z][a-z]{2}';
/** A day or a month in the language of the machine. */
const NAME = String.raw`[^\s\d[\]]{1,8}`;
const MONTH = String.raw`(?:\d{1,2})?${NAME}`;
const CLOCK = String.raw`\d\d:\d\d:\d\d(?:[.,]\d+)?`;
const ISO = String.raw`\d{4}[-/]\d\d[-/]\d\d[T ]${CLOCK}(?:Z|[+-]\d\d:?\d\d)?`;

const HUMAN = String.raw`${NAME} ${MONTH} [ \d]\d ${CLOCK} \d{4}`;
/** What journald prints before host and program. */
const JOURNAL = String.raw`${MONTH} [ \d]\d ${CLOCK}|${NAME} ${ISO} (?:[A-Z]{2,5}|[+-]\d{2,4})|\d{9,11}\.\d{6}`;

interface Prefix {
  readonly pattern: RegExp;
  /** What its group is. */
  readonly gives?: 'at' | 'host' | 'cpu' | 'pid';
  readonly ofKernel?: boolean;
}

/** In brackets, one prefix each. Like all of them, each takes one blank behind it and no more. */
const BRACKETS: readonly Prefix[] = [
  // printk's time, and what dmesg -d and -H make of it.
  { pattern: /^\[ *(\+?\d+\.\d{6})(?: < *\d+\.\d{6}>)?\] ?/, gives: 'at', ofKernel: true },
  // printk's caller.
  { pattern: /^\[ *T(\d+)\] ?/, gives: 'pid', ofKernel: true },
  { pattern: /^\[ *C(\d+)\] ?/, gives: 'cpu', ofKernel: true },
  // dmesg -T, and -H.
  {
    pattern: new RegExp(String.raw`^\[(${HUMAN})(?: < *\d+\.\d{6}>)?\] ?`),
    gives: 'at',
    ofKernel: true,
  },
  {
    pattern: new RegExp(String.raw`^\[(${DAY}\d\d \d\d:\d\d)\] ?`),
    gives: 'at',
    ofKernel: true,
  },
  { pattern: new RegExp(String.raw`^\[(${ISO})\] `), gives: 'at' },
];
const ANGLES: readonly Prefix[] = [
  // Priority.
  { pattern: /^<\d{1,3}>/, ofKernel: true },
  // Quoted mail.
  { pattern: /^(?:> ?)+(?=[<[\d]|cpu)/i },
];
/** syslog and journald, in any language. */
const OF_JOURNAL: Prefix = {
  pattern: new RegExp(String.raw`^(${JOURNAL}) (?=\S+ kernel: )`),
  gives: 'at',
};
const DIGITS: readonly Prefix[] = [
  OF_JOURNAL,
  // dmesg --time-format iso; syzkaller; a pool's clock.
  { pattern: new RegExp(`^(${ISO}) `), gives: 'at' },
  { pattern: new RegExp(`^(${CLOCK}) +`), gives: 'at' },
  // /dev/kmsg.
  { pattern: /^\d{1,3},\d+,(\d+),[-c+](?:,[^;]*)?;/, gives: 'at', ofKernel: true },
];
const LEVEL = '(?:emerg|alert|crit|err|warn|notice|info|debug)';
const LETTERS: readonly Prefix[] = [
  // syslog and journald.
  { pattern: new RegExp(String.raw`^(${DAY} [ \d]\d ${CLOCK}) `), gives: 'at' },
  OF_JOURNAL,
  // dmesg -x.
  { pattern: new RegExp(`^kern *:${LEVEL} *: `), ofKernel: true },
  { pattern: new RegExp(`^[a-z]+[0-7]? *:${LEVEL} *: `) },
  // The host and the program, behind a time.
  { pattern: /^kernel: ?/, ofKernel: true },
  { pattern: /^([\w.-]+) kernel: ?/, gives: 'host', ofKernel: true },
  { pattern: /^[\w.-]+ [\w.@/-]+\[\d+\]: ?/ },
];

const OTHERS: readonly Prefix[] = [OF_JOURNAL];

/** Those that can begin with a character. */
function prefixesOf(first: string): readonly Prefix[] {
  if (first === '[') return BRACKETS;
  if (first === '<' || first === '>') return ANGLES;
  if (first >= '0' && first <= '9') return DIGITS;
  return /\w/.test(first) ? LETTERS : OTHERS;
}

/** Behind the beginning of a line: a message that cut into it. */
const CUT_IN = /(?:<\d{1,3}>)?\[ *\d+\.\d{6}\](?: |\[)/;

/** The lines of a log that one line of the text holds: two where a message of the kernel's cut into another. */
export function logLines(raw: string, number: number): LogLine[] {
  const lava = lavaLine(raw);
  if (lava?.message === null && lava.result === null) return [];
  const lines: LogLine[] = [];
  let rest: string | null = lava === null ? raw : (lava.message ?? '');
  while (rest !== null) {
    const line: LogLine = new LogLine(number, rest);
    if (lava !== null) {
      line.fromLava = true;
      line.at = lava.at;
      line.result = lava.result;
    }
    while (strip(line)) {}
    const cut: number = line.text.includes('[') ? line.text.search(CUT_IN) : -1;
    rest = cut < 0 ? null : line.text.slice(cut);
    if (cut >= 0) {
      line.cut = true;
      line.text = line.text.slice(0, cut);
    }
    lines.push(line);
  }
  return lines;
}

/** Takes one prefix off the text; whether there was one. */
function strip(line: LogLine): boolean {
  for (const { pattern, gives, ofKernel } of prefixesOf(line.text.charAt(0))) {
    const match = pattern.exec(line.text);
    if (match === null) continue;
    line.text = line.text.slice(match[0].length);
    line.ofKernel ||= ofKernel === true;
    const said = match[1] ?? '';
    if (gives === 'at') line.at = said;
    // The text may begin so too.
    else if (gives === 'host') line.host ??= line.at === null ? null : said;
    else if (gives !== undefined) line[gives] = Number(said);
    return true;
  }
  return false;
}

const HUMAN_TIME = new RegExp(String.raw`^\[${HUMAN}\] `);
const JOURNAL_LINE = new RegExp(String.raw`^(?:${JOURNAL}|\d{4}-\d\d-\d\dT\S+) \S+ kernel: `);

/** Whether a line begins as the kernel's log does. */
export const hasKernelPrefix = (line: string): boolean =>
  /^(?:<\d{1,3}>)?\[ *\d+\.\d{6}\](?: |\[)/.test(line) ||
  /^\d{1,3},\d+,\d+,[-c+](?:,[^;]*)?;/.test(line) ||
  JOURNAL_LINE.test(line) ||
  HUMAN_TIME.test(line);

/** A record of this line, with its time. */
export function recordOf(line: LogLine, kind: RecordKind): ObservedRecord {
  const record = new ObservedRecord(line.number, kind);
  record.at = line.at;
  return record;
}
