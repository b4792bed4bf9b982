/** The formats of texts that can be sent, and which of them a text is in. */
import { bpftrace, looksLikeBpftrace } from './readers/bpftrace.js';
import { consoleText, looksLikeConsole } from './readers/console.js';
import { cpuinfo, looksLikeCpuinfo } from './readers/cpuinfo.js';
import { looksLikeFtrace, makeFtraceReader } from './readers/ftrace.js';
import { kut, looksLikeKut } from './readers/kut.js';
import { lkvs, looksLikeLkvs } from './readers/lkvs.js';
import { looksLikePerfDump } from './readers/perf-dump.js';
import { looksLikePerfJson, perfJson } from './readers/perf-json.js';
import { makePerfScriptReader } from './readers/perf-script.js';
import { looksLikePerfScript } from './readers/perf-script-sample.js';
import { looksLikePerfTrace, makePerfTraceReader } from './readers/perf-trace.js';
import { looksLikeRdmsr, rdmsr } from './readers/rdmsr.js';
import { ktap, looksLikeTap } from './readers/tap.js';
import { looksLikeTurbostat, turbostat } from './readers/turbostat.js';
import type { MakeReader } from './record.js';
import type { TextFormat } from './vocabulary.js';

export interface Format {
  readonly name: TextFormat;
  readonly description: string;
  readonly makeReader: MakeReader;
  /** Whether a line is one that only this format has. */
  looksLike(line: string): boolean;
}

/**
 * In the order in which they are recognised: a format whose lines are like no other's before one that holds others (a console
 * holds readings and results), and that before its parts.
 */
export const FORMATS: readonly Format[] = [
  {
    name: 'perf-json',
    description: 'perf data convert --to-json: facts of the machine, no values of MSRs',
    makeReader: perfJson,
    looksLike: looksLikePerfJson,
  },
  {
    name: 'perf-dump',
    description: 'perf script -D, perf report -D: throttling, loss, precise samples',
    makeReader: makePerfScriptReader,
    looksLike: looksLikePerfDump,
  },
  {
    name: 'perf-script',
    description: 'perf script, with or without call chains, and perf-prof',
    makeReader: makePerfScriptReader,
    looksLike: looksLikePerfScript,
  },
  {
    name: 'perf-trace',
    description: 'perf trace -e msr:*, which names MSRs and no CPU',
    makeReader: makePerfTraceReader,
    looksLike: looksLikePerfTrace,
  },
  {
    name: 'ftrace',
    description: 'trace and trace_pipe of ftrace, trace-cmd report',
    makeReader: makeFtraceReader,
    looksLike: looksLikeFtrace,
  },
  {
    name: 'bpftrace',
    description: 'bpftrace printing "nsecs cpu msr value" of MSR writes, as text or with -f json',
    makeReader: bpftrace,
    looksLike: looksLikeBpftrace,
  },
  {
    name: 'turbostat',
    description: 'turbostat with an added MSR: --add msr0x3f1,u64,raw,PEBS_EN',
    makeReader: turbostat,
    looksLike: looksLikeTurbostat,
  },
  {
    name: 'console',
    description:
      'what a console shows: dmesg, serial log, journal, LAVA log, syzkaller console; with SysRq-p dumps, readings and test results',
    makeReader: consoleText,
    looksLike: looksLikeConsole,
  },
  {
    name: 'ktap',
    description: 'KTAP or TAP, nested as KUnit and kselftest do',
    makeReader: ktap,
    looksLike: looksLikeTap,
  },
  {
    name: 'kut',
    description: 'kvm-unit-tests',
    makeReader: kut,
    looksLike: looksLikeKut,
  },
  {
    name: 'lkvs',
    description: 'lkvs result table',
    makeReader: lkvs,
    looksLike: looksLikeLkvs,
  },
  {
    name: 'rdmsr',
    description: '"cpu=N 3f1=<hex>" lines, and what rdmsr and loops around it print',
    makeReader: rdmsr,
    looksLike: looksLikeRdmsr,
  },
  {
    name: 'cpuinfo',
    description: '/proc/cpuinfo, uname -a, cpuid -r: facts of the machine',
    makeReader: cpuinfo,
    looksLike: looksLikeCpuinfo,
  },
];

/** The format of a text that begins with these lines; null where none fits. */
export const recognise = (firstLines: readonly string[]): Format | null =>
  FORMATS.find((format) => firstLines.some((line) => format.looksLike(line))) ?? null;

/** What a binary file is, by its first bytes, and the command that makes text of it; null where it is none that is known. */
export function binaryFormat(
  head: Uint8Array,
): { readonly name: string; readonly command: string } | null {
  const starts = (magic: string): boolean =>
    head.length >= magic.length &&
    [...magic].every((letter, i) => head[i] === letter.charCodeAt(0));
  if (starts('\x17\x08\x44tracing'))
    return { name: 'trace.dat', command: 'trace-cmd report -l trace.dat' };
  if (starts('PERFILE2')) {
    return {
      name: 'perf.data',
      command: 'perf script -i perf.data -F comm,pid,cpu,time,event,trace,ip,sym',
    };
  }
  return null;
}
