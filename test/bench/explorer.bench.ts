/**
 * Speed and memory of the explorer on the reference model, side by side in one run with the reference's C and with
 * SPIN where they are at hand. Absolute rates mean little on a shared machine: read the ratios.
 *
 *   node dist/test/bench/explorer.bench.js        REFERENCE_DIR (default ../shared/reference) holds cref.c and pebs_flat.pml
 *                                                 ROUNDS (default 3): the best of so many is taken for every tool
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type ExploreOptions, explore } from '../../src/explorer/explore.js';
import { successorsFor } from '../../src/explorer/model.js';
import { VisitedTable } from '../../src/explorer/visited-table.js';
import type { ReferenceArgs } from '../explorer/reference-model.js';
import { grid } from '../explorer/toy-models.js';

const referenceDir = resolve(process.env.REFERENCE_DIR ?? '../shared/reference');
const rounds = Number(process.env.ROUNDS ?? 3);
const l3: ReferenceArgs = {
  counters: 4,
  vcpus: 2,
  guestCounters: 1,
  variant: 'baseline',
  lateNmi: false,
};
const l5: ReferenceArgs = {
  counters: 3,
  vcpus: 4,
  guestCounters: 0,
  variant: 'baseline',
  lateNmi: true,
};
const l3States = 7_366_108;
/** Seconds SPIN took for L5 unfolded in the reference's own measurements, breadth-first and depth-first. */
const spinL5 = { bfs: 221, dfs: 156 };

interface Measurement {
  readonly states: number;
  readonly seconds: number;
  readonly bytes: number | null;
}

async function ours(args: ReferenceArgs, options: ExploreOptions): Promise<Measurement> {
  const module = new URL('../explorer/reference-model.js', import.meta.url).href;
  const result = await explore({ module, args }, options);
  if (!result.complete) throw new Error(`the search was cut: ${result.cut}`);
  return { states: result.distinctStates ?? 0, seconds: result.millis / 1000, bytes: result.bytes };
}

/** Builds a tool in a folder of its own; null when the compiler, SPIN or the reference is missing. */
function build(steps: readonly (readonly string[])[]): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'explorer-bench-'));
  try {
    for (const file of ['cref.c', 'model.h', 'pebs_flat.pml'])
      copyFileSync(join(referenceDir, file), join(dir, file));
    for (const [command = '', ...args] of steps)
      execFileSync(command, args, { cwd: dir, stdio: 'ignore' });
    return dir;
  } catch {
    rmSync(dir, { recursive: true });
    return null;
  }
}

const world = ['-DN=4', '-DV=2', '-DG=1', '-DVARIANT=0', '-DSKID=0'];
const buildC = () =>
  build([
    ['gcc', '-O3', '-march=native', '-std=gnu11', ...world, '-pthread', '-o', 'cref', 'cref.c'],
  ]);
const buildSpin = (...flags: readonly string[]) =>
  build([
    ['spin', '-a', ...world, 'pebs_flat.pml'],
    [
      'gcc',
      '-O2',
      '-w',
      '-DSAFETY',
      '-DMEMLIM=20000',
      '-DNOREDUCE',
      ...flags,
      '-o',
      'pan',
      'pan.c',
    ],
  ]);

function runC(dir: string, threads: number): Measurement {
  const text = execFileSync(join(dir, 'cref'), ['-b', '24', '-t', String(threads)], {
    encoding: 'utf8',
  });
  const figure = (name: string): number =>
    Number(new RegExp(`${name}=([0-9.e+]+)`).exec(text)?.[1]);
  return {
    states: figure('states'),
    seconds: figure('seconds'),
    bytes: figure('bytes_per_state') * figure('states'),
  };
}

function runSpin(dir: string, ...flags: readonly string[]): Measurement {
  const start = performance.now();
  const text = execFileSync(join(dir, 'pan'), ['-A', ...flags], {
    cwd: dir,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const seconds = Number(
    /elapsed time ([0-9.]+) seconds/.exec(text)?.[1] ?? (performance.now() - start) / 1000,
  );
  const megabytes = /([0-9.]+)\s+total actual memory usage/.exec(text)?.[1];
  return {
    states: l3States,
    seconds,
    bytes: megabytes === undefined ? null : Number(megabytes) * 2 ** 20,
  };
}

const best = new Map<string, Measurement>();

function note(name: string, one: Measurement): void {
  const before = best.get(name);
  if (before === undefined || one.seconds < before.seconds) best.set(name, one);
}

function rate(name: string): number {
  const one = best.get(name);
  return one === undefined ? Number.NaN : one.states / one.seconds;
}

function aim(text: string, value: number, met: boolean): void {
  const verdict = Number.isNaN(value) ? 'not measured' : met ? 'met' : 'MISSED';
  console.log(`  ${text.padEnd(62)} ${Number.isNaN(value) ? '-' : value.toFixed(2)}  ${verdict}`);
}

function aimAtRate(ours: string, theirs: string, factor: number, remark = ''): void {
  const ratio = rate(ours) / rate(theirs);
  aim(`${ours} / ${theirs}${remark}, aim >= ${factor}`, ratio, ratio >= factor);
}

/** The table alone, with wider states than the reference has: bytes a state and time of an insert. */
function widths(): void {
  for (const words of [2, 3, 6, 10]) {
    const top = Math.round(2e6 ** (1 / words));
    const model = grid(words, top, -1);
    const table = new VisitedTable(words, 2 ** 32);
    const out = successorsFor(model, 256);
    const start = performance.now();
    table.reserve(1);
    table.insert(new Int32Array(words), 0);
    let transitions = 0;
    for (let head = 0; head < table.count; ) {
      const stop = Math.min(head + 256, table.count);
      out.count = 0;
      for (; head < stop; head++) model.expand(table.states, head * words, out);
      table.reserve(out.count);
      table.insertBatch(out.words, out.count);
      transitions += out.count;
    }
    const nanos = ((performance.now() - start) * 1e6) / transitions;
    console.log(
      `  ${words} words: ${table.count} states, ${(table.bytes / table.count).toFixed(1)} B/state, ${nanos.toFixed(0)} ns a transition`,
    );
  }
}

const c = existsSync(referenceDir) ? buildC() : null;
const spinBfs = existsSync(referenceDir) ? buildSpin('-DBFS') : null;
const spinCores = existsSync(referenceDir) ? buildSpin('-DNCORE=2') : null;
console.log(
  `L3: ${l3States} states; best of ${rounds}; load ${loadavg()[0]?.toFixed(2)}; C ${c === null ? 'not at hand' : 'built'}, SPIN ${spinBfs === null ? 'not at hand' : 'built'}`,
);
for (let round = 0; round < rounds; round++) {
  note('1 thread, table grows', await ours(l3, {}));
  note('1 thread, table sized', await ours(l3, { statesExpected: l3States }));
  if (spinBfs !== null) note('SPIN bfs', runSpin(spinBfs, '-w24'));
  if (c !== null) note('C, 1 thread', runC(c, 1));
  note('2 workers, table grows', await ours(l3, { workers: 2 }));
  note('2 workers, table sized', await ours(l3, { workers: 2, statesExpected: l3States }));
  if (spinCores !== null) note('SPIN NCORE=2', runSpin(spinCores, '-m1000000', '-w24'));
  if (c !== null) note('C, 2 threads', runC(c, 2));
  note('L5 folded, 1 thread', await ours(l5, { fold: true }));
}
for (const [name, one] of best) {
  const bytes = one.bytes === null ? '-' : (one.bytes / one.states).toFixed(1);
  console.log(
    `  ${name.padEnd(24)} ${one.seconds.toFixed(3).padStart(8)} s ${(one.states / one.seconds / 1e6).toFixed(2).padStart(7)} M states/s ${bytes.padStart(6)} B/state`,
  );
}
console.log('ratios');
aimAtRate('1 thread, table grows', 'SPIN bfs', 4);
aimAtRate('1 thread, table sized', 'SPIN bfs', 4, ' (sized too)');
aimAtRate('2 workers, table grows', 'SPIN NCORE=2', 3);
aimAtRate('2 workers, table sized', 'SPIN NCORE=2', 3, ' (sized too)');
const bytes = Math.max(
  ...[...best]
    .filter(([name]) => /^[12] (thread|worker)/.test(name))
    .map(([, one]) => (one.bytes ?? 0) / one.states),
);
aim('bytes a state on L3, aim <= 34', bytes, bytes <= 34);
const folded = best.get('L5 folded, 1 thread')?.seconds ?? Number.NaN;
aim(
  `SPIN's recorded L5 bfs (${spinL5.bfs} s) / L5 folded, aim >= 100`,
  spinL5.bfs / folded,
  spinL5.bfs >= 100 * folded,
);
aim(
  `SPIN's recorded L5 dfs (${spinL5.dfs} s) / L5 folded, aim >= 100`,
  spinL5.dfs / folded,
  spinL5.dfs >= 100 * folded,
);
aim(
  '2 workers / 1 thread, sized',
  rate('2 workers, table sized') / rate('1 thread, table sized'),
  true,
);
aim(
  '2 threads / 1 thread of the C (how much of two cores there is)',
  rate('C, 2 threads') / rate('C, 1 thread'),
  true,
);
aim('1 thread / C 1 thread, sized', rate('1 thread, table sized') / rate('C, 1 thread'), true);
console.log('the table with other widths of state, growing');
widths();
for (const dir of [c, spinBfs, spinCores]) if (dir !== null) rmSync(dir, { recursive: true });
