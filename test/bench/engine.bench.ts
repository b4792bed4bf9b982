/**
 * (a) Round trips per second of the engine in process, as a live host makes them: step by step, every write counted,
 * every invariant evaluated, nothing traced. Beside it the same round trip as a straight-line C program (round-trip.c),
 * compiled by gcc -O2 where a compiler is at hand, with and without the invariants. Both must write the same registers
 * as often and with the same values. Rounds alternate and the median ratio counts; absolute rates mean little.
 *
 *   ROUNDS (default 9), TRIPS (default 400000 of the engine a round; ten times as many of the C)
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { AddressBook } from '../../src/pmu/arch/address-book.js';
import { findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { readMsr } from '../../src/pmu/arch/hardware.js';
import { msrName, SWITCHED_MSRS, VIA_CODES, VIA_NAMES } from '../../src/pmu/arch/msr.js';
import { COST_SCENARIOS } from '../../src/pmu/cost-cases/cost-scenarios.js';
import { machineIn } from '../../src/pmu/cost-cases/write-costs.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import { EXIT_EXTERNAL_INTERRUPT } from '../../src/pmu/machine/state.js';
import { Run } from '../../src/pmu/stepping/run.js';
import { formatMsrValue } from '../../src/service/wire.js';
import { median } from './median.js';

const rounds = Number(process.env.ROUNDS ?? 9);
const trips = Number(process.env.TRIPS ?? 400_000);

/** What a program says it did: `seconds`, counts and registers by name. */
type Account = ReadonlyMap<string, string>;

/** Emerald Rapids on upstream-base with host PEBS and adaptive records. */
function setUp(): Run {
  const model = findCpuModel('emerald-rapids');
  const kernel = findKernel('upstream-base');
  const scenario = COST_SCENARIOS.find(({ id }) => id === 'Bc');
  if (model === undefined || kernel === undefined || scenario === undefined) {
    throw new Error('the catalogue lacks what this bench is about');
  }
  return machineIn(scenario, model, kernel);
}

const prepared = setUp();

/** A run of `count` round trips on the prepared machine. */
function runEngine(count: number): Account {
  const run = new Run(prepared.world, prepared.state);
  const started = performance.now();
  for (let made = 0; made < count; made += 1) run.roundTrip(0, EXIT_EXTERNAL_INTERRUPT);
  const seconds = (performance.now() - started) / 1000;
  return account(run, seconds);
}

function account(run: Run, seconds: number): Account {
  const { tally, state } = run;
  const lines = new Map([
    ['seconds', String(seconds)],
    ['round_trips', String(tally.roundTrips)],
    ['micro_steps', String(tally.microSteps)],
    ['violations', String(tally.violations.reduce((sum, count) => sum + count, 0))],
  ]);
  const addresses = new AddressBook();
  for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
    const value = readMsr(state.cpus[0]!.hardware, msr);
    lines.set(msrName(msr), formatMsrValue(msr, value, addresses));
    for (let via = 0; via < VIA_CODES; via += 1) {
      const count = tally.sink.count(msr, via);
      if (count > 0) lines.set(`${msrName(msr)}:${VIA_NAMES[via]}`, String(count));
    }
  }
  return lines;
}

function build(directory: string, name: string, ...flags: string[]): string | null {
  const program = join(directory, name);
  const source = resolve('test/bench/round-trip.c');
  try {
    execFileSync('gcc', ['-O2', ...flags, '-o', program, source], { stdio: 'ignore' });
    return program;
  } catch {
    return null;
  }
}

function runC(program: string, count: number): Account {
  const text = execFileSync(program, [String(count)], { encoding: 'utf8' });
  const lines = text.trim().split('\n');
  return new Map(lines.map((line) => line.split(' ') as [string, string]));
}

/** Everything but the time must be the same. */
function mustAgree(ours: Account, theirs: Account): void {
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    if (name !== 'seconds' && ours.get(name) !== theirs.get(name)) {
      throw new Error(`${name}: the engine has ${ours.get(name)}, the C ${theirs.get(name)}`);
    }
  }
}

function nanoseconds(one: Account): number {
  return (Number(one.get('seconds')) / Number(one.get('round_trips'))) * 1e9;
}

const directory = mkdtempSync(join(tmpdir(), 'pebslab-bench-'));
try {
  const plain = build(directory, 'plain');
  const checking = build(directory, 'checking', '-DINVARIANTS');
  runEngine(50_000);
  for (const program of [plain, checking]) {
    if (program !== null) mustAgree(runEngine(1000), runC(program, 1000));
  }
  const times: Record<'engine' | 'plain' | 'checking', number[]> = {
    engine: [],
    plain: [],
    checking: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    times.engine.push(nanoseconds(runEngine(trips)));
    if (plain !== null) times.plain.push(nanoseconds(runC(plain, 10 * trips)));
    if (checking !== null) times.checking.push(nanoseconds(runC(checking, 10 * trips)));
  }
  const say = (name: string, value: number, unit: string, digits = 0): void =>
    console.log(`${name} ${value.toFixed(digits)} ${unit}`);
  say('engine_round_trips', 1e9 / median(times.engine), 'per_second');
  say('engine_round_trip', median(times.engine), 'ns');
  if (plain === null || checking === null) {
    console.log('c_round_trip - no_compiler');
  } else {
    const ratio = (other: number[]): number =>
      median(times.engine.map((time, at) => other[at]! / time));
    say('c_round_trip', median(times.plain), 'ns', 1);
    say('c_round_trip_with_invariants', median(times.checking), 'ns', 1);
    say('engine_to_c', ratio(times.plain), 'ratio', 3);
    say('engine_to_c_with_invariants', ratio(times.checking), 'ratio_aim_0.2', 3);
  }
} finally {
  rmSync(directory, { recursive: true });
}
