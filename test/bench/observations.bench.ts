/**
 * How fast a trace is read, beside `LC_ALL=C grep -c write_msr` on the same file, in turns and in one thread. The aim is a fifth
 * of grep's speed with bounded memory, both for the reader alone and for all that the thread of an upload does with the text.
 * Read the ratios: absolute rates mean little on a shared machine.
 *
 *   MEGABYTES (default 200): size of the file, which is made in a temporary folder; ROUNDS (default 5): the best of so many
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { StringDecoder } from 'node:string_decoder';
import { Lines, Piece } from '../../src/observations/lines.js';
import { makeFtraceReader } from '../../src/observations/readers/ftrace.js';
import { PieceReading } from '../../src/service/observations/piece-reading.js';

const megabytes = Number(process.env.MEGABYTES ?? 200);
const rounds = Number(process.env.ROUNDS ?? 5);
const PIECE = 65_536;
const BATCH = 2 ** 20;

function say(name: string, value: number, unit: string, digits = 0): void {
  console.log(`${name} ${value.toFixed(digits)} ${unit}`);
}

/** Round trips of eight vCPUs, whose NMIs write and whose values differ. */
function writeTrace(path: string): void {
  const file = openSync(path, 'w');
  let [micros, bytes] = [0, 0];
  while (bytes < megabytes * 1e6) {
    const lines: string[] = [];
    for (let trip = 0; trip < 1000; trip += 1) lines.push(...roundTrip(trip, () => ++micros));
    bytes += writeSync(file, `${lines.join('\n')}\n`);
  }
  closeSync(file);
}

function roundTrip(trip: number, clock: () => number): string[] {
  const cpu = trip % 8;
  const line = (flags: string, event: string) => {
    const micros = clock();
    const seconds = String(900 + Math.floor(micros / 1e6)).padStart(5);
    const time = `${seconds}.${String(micros % 1e6).padStart(6, '0')}`;
    return `       CPU ${cpu}/KVM-${4200 + cpu}    [00${cpu}] ${flags} ${time}: ${event}`;
  };
  const rip = `0xffffffff81${(trip * 7919).toString(16).padStart(6, '0')}`;
  return [
    line('d..1.', `kvm_entry: vcpu ${cpu}, rip ${rip}`),
    line('d..1.', 'write_msr: 38f, value 0'),
    line('d..1.', 'write_msr: 3f1, value 0'),
    line('d.Z1.', `write_msr: 3f1, value ${(trip % 256).toString(16)}`),
    line('d.Z1.', `write_msr: c1, value ${(0xffff_0000_0000 + trip * 104_729).toString(16)}`),
    line('d..1.', 'write_msr: 38f, value 1000f000000ff'),
    line(
      'd..1.',
      `kvm_exit: vcpu ${cpu} reason EXTERNAL_INTERRUPT rip ${rip} info1 0x0000000000000000 info2 0x0000000000000000 intr_info 0x800000ec error_code 0x00000000`,
    ),
  ];
}

interface Counts {
  records: number;
  writes: number;
  rejected: number;
}

/** With the bytes beside the text, or without, as a text whose every line is unusual would be read. */
function readTrace(path: string, withBytes: boolean): Counts {
  const counts = { records: 0, writes: 0, rejected: 0 };
  const reader = makeFtraceReader({
    record: ({ kind }) => {
      counts.records += 1;
      if (kind === 'write') counts.writes += 1;
    },
    reject: () => {
      counts.rejected += 1;
    },
    fact: () => {},
    refuse: () => {},
  });
  const lines = new Lines({
    line: (text, number) => reader.line(text, number),
    common: (piece, start, number) => reader.common?.(piece, start, number) ?? -1,
    tooLong: () => {},
  });
  const decoder = new StringDecoder('utf8');
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(PIECE);
  for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer)) {
    const bytes = size === PIECE ? buffer : buffer.subarray(0, size);
    lines.write(
      withBytes ? new Piece(bytes, () => bytes.toString('latin1')) : decoder.write(bytes),
    );
  }
  closeSync(file);
  reader.end();
  return counts;
}

/** As the thread of an upload does that stores nothing. */
async function judgeTrace(path: string): Promise<number> {
  const reading = new PieceReading({ format: 'auto', facts: {}, keeps: false });
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(BATCH);
  for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer)) {
    await reading.read(buffer.subarray(0, size));
  }
  closeSync(file);
  return (await reading.end()).answer.records;
}

async function millisOfReading(path: string, records: number): Promise<number> {
  const start = performance.now();
  if ((await judgeTrace(path)) !== records) throw new Error('the trace was misread');
  return performance.now() - start;
}

function millisOf<T>(work: () => T): readonly [number, T] {
  const start = performance.now();
  const result = work();
  return [performance.now() - start, result];
}

function grep(path: string): number {
  const env = { ...process.env, LC_ALL: 'C' };
  return Number(execFileSync('grep', ['-c', 'write_msr', path], { env, encoding: 'utf8' }));
}

const folder = mkdtempSync(join(tmpdir(), 'observations-bench-'));
try {
  const path = join(folder, 'trace.txt');
  writeTrace(path);
  const size = statSync(path).size / 1e6;
  console.log(`load ${loadavg()[0]?.toFixed(2)}, best of ${rounds}, ${size.toFixed(0)} MB`);
  const expected = grep(path);
  const before = process.memoryUsage.rss();
  let [grepBest, readBest, highest] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, before];
  let judgeBest = Number.POSITIVE_INFINITY;
  let lines = 0;
  for (let round = 0; round < rounds; round += 1) {
    const [grepMillis] = millisOf(() => grep(path));
    const [readMillis, counts] = millisOf(() => readTrace(path, true));
    if (counts.writes !== expected || counts.rejected > 0) throw new Error('the trace was misread');
    lines = counts.records;
    grepBest = Math.min(grepBest, grepMillis);
    readBest = Math.min(readBest, readMillis);
    judgeBest = Math.min(judgeBest, await millisOfReading(path, lines));
    highest = Math.max(highest, process.memoryUsage.rss());
  }
  const [carefulMillis] = millisOf(() => readTrace(path, false));
  say('grep', (size * 1000) / grepBest, 'MB_per_second');
  say('reader', (size * 1000) / readBest, 'MB_per_second');
  say('reader_lines', (lines * 1000) / readBest, 'lines_per_second');
  say('reader_to_grep', grepBest / readBest, 'ratio_aim_0.2', 2);
  say('judged', (size * 1000) / judgeBest, 'MB_per_second');
  say('judged_to_grep', grepBest / judgeBest, 'ratio_aim_0.2', 2);
  say('careful_reader', (size * 1000) / carefulMillis, 'MB_per_second');
  say('reader_memory', (highest - before) / 2 ** 20, 'MiB_more_aim_200');
} finally {
  rmSync(folder, { recursive: true });
}
