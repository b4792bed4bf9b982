/** The columns before the event in a line of a trace: task, CPU, flags, time. */
import type { Context } from '../record.js';
import { contextOfFlags } from './contexts.js';
import { isRead } from './tracepoints.js';

export interface Head {
  readonly comm: string | null;
  readonly pid: number | null;
  readonly tgid: number | null;
  readonly cpu: number | null;
  readonly at: string | null;
  readonly context: Context;
  /** What follows the head: an event and its body, a function, `<stack trace>`. */
  readonly rest: string;
}

/**
 * `-4242    [003] d..1.   900.100002: …`, with `(   4200)` and flags or without; or `-4242      3d..1.  100001us+: …`. trace-cmd has no blank
 * before the time with --raw-ts, and what went by since the last event behind it with --ts-diff.
 */
const FROM_PID =
  /-(\d{1,10})\s{1,16}(?:(?:\(\s{0,8}([\d-]{1,10})\)\s{1,8})?\[(\d{3,5})\](?:\s{1,8}([a-zA-Z.#][\w.#]{3,7}))?|(\d{1,5})([a-zA-Z.#][\w.#]{3,7}))(?:\s{1,24}|(?<=\]))(\d{1,20}(?:\.\d{1,9})?)(?:us)?[ !+#*@$]?:\s+(?:\(\+\d{1,20}\)\s+)?(.*)$/sy;

/** The kernel pads names to so many columns; a name has 15 characters at most. */
const COMM_COLUMNS = 16;
/** Of a name before a CPU that flags are glued to. */
const SHORT_COMM_COLUMNS = 8;
const HYPHEN = 0x2d;

/** Names may have blanks, hyphens and digits in them, so the hyphen before the pid is first looked for where the kernel puts it. */
export function headOf(text: string): Head | null {
  const usual = fromHyphen(text, COMM_COLUMNS);
  if (usual !== null) return usual;
  const start = text.search(/\S/);
  for (
    let at = text.indexOf('-', start);
    at >= 0 && at <= start + 2 * COMM_COLUMNS;
    at = text.indexOf('-', at + 1)
  ) {
    const head = fromHyphen(text, at);
    if (head !== null) return head;
  }
  return null;
}

function fromHyphen(text: string, at: number): Head | null {
  if (text.charCodeAt(at) !== HYPHEN) return null;
  FROM_PID.lastIndex = at;
  const match = FROM_PID.exec(text);
  if (match === null) return null;
  const [, pid, tgid, cpu, flags, glued, gluedFlags] = match;
  const comm = text.slice(0, at).trim();
  // trace-cmd names the file before it where it reports several, e.g. a guest's, whose CPUs are not the machine's.
  if (comm.length > (glued === undefined ? COMM_COLUMNS : SHORT_COMM_COLUMNS)) return null;
  const letters = flags ?? gluedFlags;
  return {
    comm,
    pid: Number(pid),
    tgid: tgid === undefined || !/^\d+$/.test(tgid) ? null : Number(tgid),
    cpu: Number(cpu ?? glued),
    at: match[7] ?? null,
    context: letters === undefined ? 'unknown' : contextOfFlags(letters),
    rest: match[8] ?? '',
  };
}

const NOTHING = {
  comm: null,
  pid: null,
  tgid: null,
  cpu: null,
  at: null,
  context: 'unknown',
} as const;

/** `CPU 0: kvm_perf_msr: …`, or an event alone as people quote them: only of events that we read. */
export function bareHeadOf(text: string): Head | null {
  const [, cpu, rest, name] = /^\s*(?:CPU (\d{1,5}): )?((\w+):.*)$/.exec(text) ?? [];
  if (name === undefined || rest === undefined || !isRead(name)) return null;
  return { ...NOTHING, cpu: cpu === undefined ? null : Number(cpu), rest };
}
