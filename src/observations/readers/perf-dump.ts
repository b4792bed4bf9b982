/** Records of perf.data as `perf script -D` and `perf report -D` dump them: throttling, loss, precise samples. */
import { ObservedRecord } from '../record.js';
import { looksLikeStats } from './perf-loss.js';

/**
 * `3 1370355646288 0x9288 [0x40]: PERF_RECORD_THROTTLE`: CPU and time are there if the samples have them, and one number alone
 * is the time, which perf records unless told not to.
 */
const DUMPED =
  /^\s*(?:(?:(\d{1,20}) )?(\d{1,20}) )?0x[0-9a-f]{1,16}(?:@\S{1,256})? \[(?:0x)?[0-9a-f]{1,8}\]: PERF_RECORD_([A-Z0-9_]+)\b(.*)$/;
/** What perf says of each record before its bytes: `0x4ac0@perf.data [0x28]: event: 9`. */
const RAW = /^\s*0x[0-9a-f]{1,16}(?:@\S+)? \[0x[0-9a-f]{1,8}\]: event: \d+\s*$/;

export const looksLikePerfDump = (line: string): boolean =>
  DUMPED.test(line) || RAW.test(line) || looksLikeStats(line);

/** What perf does not know is -1, printed as if it had no sign; of a CPU 4294967295. */
const NO_TIME = '18446744073709551615';

export interface Dumped {
  readonly name: string;
  readonly rest: string;
  readonly cpu: number | null;
  readonly at: string | null;
}

export function dumpedOf(text: string): Dumped | null {
  const [, cpu, at, name, rest] = DUMPED.exec(text) ?? [];
  if (name === undefined || rest === undefined) return null;
  return {
    name,
    rest,
    cpu: cpu === undefined || cpu.length > 5 ? null : Number(cpu),
    at: at === undefined || at === NO_TIME ? null : at,
  };
}

/** The record, `null` for one that we do not read, or a reason why it cannot be read. */
export function recordOfDump(line: number, dumped: Dumped): ObservedRecord | null | string {
  const record = readDump(line, dumped);
  if (record instanceof ObservedRecord) {
    record.cpu = dumped.cpu;
    record.at = dumped.at;
  }
  return record;
}

function readDump(line: number, { name, rest }: Dumped): ObservedRecord | null | string {
  switch (name) {
    case 'THROTTLE':
      return new ObservedRecord(line, 'throttle');
    case 'UNTHROTTLE':
      return new ObservedRecord(line, 'unthrottle');
    case 'LOST':
    case 'LOST_SAMPLES': {
      const record = new ObservedRecord(line, 'loss');
      const count = /\blost(?: samples)?\s*:?\s*(\d{1,15})\b/.exec(rest)?.[1];
      record.count = count === undefined ? null : Number(count);
      return record;
    }
    case 'SAMPLE':
      return sample(line, rest);
    default:
      return null;
  }
}

const SAMPLE =
  /^\(IP, ((?:0x)?[0-9a-f]{1,8})\): (-?\d{1,10})\/(-?\d{1,10}): (?:0x)?[0-9a-f]{1,16} period: \d{1,20} addr: (?:0x)?[0-9a-f]{1,16}\s*$/;
/** The address is that of the instruction which overflowed the counter. */
const EXACT_IP = 0x4000;
const MODE_BITS = 7;
const MODES = ['unknown', 'kernel', 'user', 'hypervisor', 'guest_kernel', 'guest_user'];

/** `text` is where the CPU was. */
function sample(line: number, rest: string): ObservedRecord | null | string {
  const [, flags, pid, tid] = SAMPLE.exec(rest) ?? [];
  if (flags === undefined) return 'The sample is not as perf prints it: the line may be cut.';
  if ((Number(flags) & EXACT_IP) === 0) return null;
  const record = new ObservedRecord(line, 'precise_sample');
  record.tgid = Number(pid);
  record.pid = Number(tid);
  record.text = MODES[Number(flags) & MODE_BITS] ?? 'unknown';
  return record;
}
