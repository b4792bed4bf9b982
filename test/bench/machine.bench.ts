/**
 * The explorer on the engine's own machine: the main race scaled past five million states, beside SPIN's breadth-first
 * search of the reference model where SPIN and gcc are at hand; the same world folded; and how long a service that is
 * warm takes from the request for the shortest counterexample of the main race to the answer. Read the ratios: absolute
 * rates mean little on a shared machine.
 *
 *   REFERENCE_DIR (default ../shared/reference) holds pebs_flat.pml and model.h
 *   ROUNDS (default 2): the best of so many; STATES (default 6000000): where the large search is cut
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import type { ExplorationModel } from '../../schemas/exploration-model.js';
import { buildApp } from '../../src/app.js';
import { type ExploreOptions, explore } from '../../src/explorer/explore.js';
import type { ExploreResult } from '../../src/explorer/result.js';
import { openDatabase } from '../../src/store/database.js';
import { createDatabase, dropDatabase } from '../postgres.js';
import { median } from './median.js';

const referenceDir = resolve(process.env.REFERENCE_DIR ?? '../shared/reference');
const rounds = Number(process.env.ROUNDS ?? 2);
const statesMax = Number(process.env.STATES ?? 6_000_000);
/** SPIN's states a second on these two cores when nothing else ran, by its own measurement in the issue. */
const SPIN_RECORDED = 1.06e6;
/** L3 of the reference: what SPIN searches here. */
const SPIN_WORLD = ['-DN=4', '-DV=2', '-DG=1', '-DVARIANT=0', '-DSKID=0'];
const SPIN_STATES = 7_366_108;

const event = (counter: string) => ({ counter, precise_ip: 2, exclude_guest: true });
const RACE: ExplorationModel = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: [event('PMC0')],
  vcpus: [{}],
  actors: [{ kind: 'nmi_throttle', budget: 1 }],
};
const SCALED: ExplorationModel = {
  ...RACE,
  events: ['PMC0', 'PMC1', 'PMC2', 'PMC3'].map(event),
  vcpus: [{}, {}],
  actors: [{ kind: 'nmi_throttle' }, { kind: 'event_enable' }, { kind: 'event_disable' }],
  nmi_timing: 'late',
};
/** Small enough to be searched to its end both ways. */
const FOLDABLE: ExplorationModel = {
  ...SCALED,
  events: SCALED.events?.slice(0, 2) ?? [],
};

function say(name: string, value: number, unit: string, digits = 0): void {
  console.log(`${name} ${value.toFixed(digits)} ${unit}`);
}

const module = new URL('../../src/model/machine-model.js', import.meta.url).href;

function searched(model: ExplorationModel, options: ExploreOptions): Promise<ExploreResult> {
  return explore({ module, args: { model, properties: ['I1'] } }, options);
}

function statesPerSecond({ distinctStates, millis }: ExploreResult): number {
  return ((distinctStates ?? 0) * 1000) / millis;
}

function faster(a: ExploreResult | undefined, b: ExploreResult): ExploreResult {
  return a === undefined || b.millis < a.millis ? b : a;
}

interface Spin {
  readonly rate: number;
  readonly bytes: number;
}

/** Builds SPIN's breadth-first search of the reference model, as the reference says; null where it cannot be. */
function buildSpin(): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'machine-bench-'));
  try {
    for (const file of ['model.h', 'pebs_flat.pml']) {
      copyFileSync(join(referenceDir, file), join(dir, file));
    }
    execFileSync('spin', ['-a', ...SPIN_WORLD, 'pebs_flat.pml'], { cwd: dir, stdio: 'ignore' });
    const flags = ['-O2', '-w', '-DSAFETY', '-DMEMLIM=20000', '-DNOREDUCE', '-DBFS'];
    execFileSync('gcc', [...flags, '-o', 'pan', 'pan.c'], { cwd: dir, stdio: 'ignore' });
    return dir;
  } catch {
    rmSync(dir, { recursive: true });
    return null;
  }
}

function runSpin(dir: string): Spin {
  const start = performance.now();
  const text = execFileSync(join(dir, 'pan'), ['-A', '-w24'], {
    cwd: dir,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const elapsed = /elapsed time ([0-9.]+) seconds/.exec(text)?.[1];
  const seconds = Number(elapsed ?? (performance.now() - start) / 1000);
  const megabytes = Number(/([0-9.]+)\s+total actual memory usage/.exec(text)?.[1]);
  return { rate: SPIN_STATES / seconds, bytes: (megabytes * 2 ** 20) / SPIN_STATES };
}

/** Large searches and SPIN in turns, so that other load on the machine hits all of them alike. */
const WAYS: Readonly<Record<string, ExploreOptions>> = {
  grows: {},
  sized: { statesExpected: statesMax },
  two_workers: { workers: 2 },
};

async function scaled(): Promise<void> {
  const spin = buildSpin();
  const best: Record<string, ExploreResult> = {};
  const spins: Spin[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (spin !== null) spins.push(runSpin(spin));
    for (const [way, options] of Object.entries(WAYS)) {
      best[way] = faster(best[way], await searched(SCALED, { limits: { statesMax }, ...options }));
    }
  }
  if (spin !== null) rmSync(spin, { recursive: true });
  const { grows, sized, two_workers: two } = best;
  if (grows === undefined || sized === undefined || two === undefined) return;
  say('machine_states', grows.distinctStates ?? 0, `states_depth_${grows.depth}`);
  say('machine_transitions', grows.totalStates, 'transitions');
  for (const [way, one] of Object.entries(best)) {
    say(`machine_${way}`, statesPerSecond(one), 'states_per_second');
    say(
      `machine_${way}_memory`,
      one.bytes / (one.distinctStates ?? 1),
      'bytes_per_state_aim_40',
      1,
    );
  }
  say('machine_transition_rate', (grows.totalStates * 1000) / grows.millis, 'per_second');
  say('two_workers_to_one', statesPerSecond(two) / statesPerSecond(grows), 'ratio', 2);
  const fastest = spins.sort((a, b) => b.rate - a.rate)[0];
  if (fastest === undefined) {
    console.log('spin_bfs - not_at_hand');
  } else {
    say('spin_bfs', fastest.rate, 'states_per_second');
    say('spin_bfs_memory', fastest.bytes, 'bytes_per_state', 1);
    say('machine_to_spin', statesPerSecond(grows) / fastest.rate, 'ratio_aim_2', 2);
    say('machine_sized_to_spin', statesPerSecond(sized) / fastest.rate, 'ratio_aim_2', 2);
    say('machine_two_workers_to_spin', statesPerSecond(two) / fastest.rate, 'ratio', 2);
  }
  say('machine_to_spin_as_recorded', statesPerSecond(grows) / SPIN_RECORDED, 'ratio_aim_2', 2);
}

async function folded(): Promise<void> {
  let whole = await searched(FOLDABLE, {});
  let fold = await searched(FOLDABLE, { fold: true });
  for (let round = 1; round < rounds; round += 1) {
    whole = faster(whole, await searched(FOLDABLE, {}));
    fold = faster(fold, await searched(FOLDABLE, { fold: true }));
  }
  if (whole.verdict !== fold.verdict) throw new Error('folding changed the verdict');
  say('unfolded_states', whole.distinctStates ?? 0, 'states');
  say('unfolded_time', whole.millis, 'ms');
  say('folded_states', fold.distinctStates ?? 0, 'states');
  say('folded_time', fold.millis, 'ms');
  say(
    'unfolded_to_folded_states',
    (whole.distinctStates ?? 0) / (fold.distinctStates ?? 1),
    'ratio',
    2,
  );
  say('unfolded_to_folded_time', whole.millis / fold.millis, 'ratio', 2);
}

/** From the request to the shortest counterexample in hand, both requests of it, on a service that is warm. */
async function answered(): Promise<void> {
  const url = await createDatabase();
  const database = await openDatabase(url);
  const app = await buildApp({ storage: { database, isPrivate: true } });
  await app.ready();
  const post = {
    method: 'POST' as const,
    url: '/v1/explorations',
    headers: { prefer: 'wait=30' },
    payload: { model: RACE, properties: ['I1'] },
  };
  const [searches, stories]: [number[], number[]] = [[], []];
  let cold = Number.NaN;
  try {
    for (let round = 0; round < 40; round += 1) {
      const start = performance.now();
      const { id, verdict } = (await app.inject(post)).json();
      const found = performance.now() - start;
      const url = `/v1/explorations/${id}/counterexamples/I1-0`;
      const { statusCode } = await app.inject(url);
      if (verdict !== 'violated' || statusCode !== 200) throw new Error('no counterexample');
      if (round === 0) cold = found;
      if (round < 10) continue;
      searches.push(found);
      stories.push(performance.now() - start);
    }
  } finally {
    await app.close();
    await database.close();
    await dropDatabase(url);
  }
  const worst = [...searches].sort((a, b) => b - a);
  say('first_counterexample', cold, 'ms_cold', 1);
  say('shortest_counterexample', median(searches), 'ms_aim_50', 1);
  say('shortest_counterexample_slowest', worst[0] ?? Number.NaN, 'ms_of_30', 1);
  say('shortest_counterexample_told', median(stories), 'ms', 1);
}

console.log(`load ${loadavg()[0]?.toFixed(2)}, best of ${rounds}`);
await scaled();
await folded();
await answered();
