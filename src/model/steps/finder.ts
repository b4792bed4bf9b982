/**
 * The walk through all candidates of a state, compiled for a world: straight-line code that calls the guards of the kinds
 * of steps that the world has. Compiled, since asking is a good part of a search: a walk that reads the list of kinds as
 * it goes takes twice as long.
 */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import { IDLE, type MachineState } from '../../pmu/machine/state.js';
import { HOST_OWNED, NO_COUNTER } from '../../pmu/perf/perf-event.js';
import { type ExploredWorld, UNLIMITED } from '../explored-world.js';
import { ACTOR_KINDS } from '../vocabulary.js';
import { POWERED } from './guards.js';
import { candidateOf, labelOf, STEP_KINDS } from './index.js';
import { targetOfOverflows, throttleable } from './nmis.js';
import type { About, Candidate, StepKind } from './step-kind.js';

/** A kind of step that a world has. */
export interface Row {
  readonly code: number;
  readonly kind: StepKind;
  /** How often it may be taken: UNLIMITED, or so often by the actor with this place in `ACTOR_KINDS`. */
  readonly limit: number;
  readonly actor: number;
}

/** Writes labels of steps and returns how many. */
export type Finder = (state: MachineState, spent: Int32Array, labels: Int32Array) => number;

export function rowsOf(explored: ExploredWorld): Row[] {
  return STEP_KINDS.flatMap((kind, code) => {
    const { actor, isFree, isIn } = kind;
    const budget = actor === undefined ? UNLIMITED : explored.budgets[actor];
    if (budget === 0 || isIn?.(explored) === false) {
      return [];
    }
    const limit = isFree ? UNLIMITED : budget;
    return [{ code, kind, limit, actor: actor === undefined ? -1 : ACTOR_KINDS.indexOf(actor) }];
  });
}

/** Finds the possible steps, or, where nobody is to ask the guards, all candidates. */
export function compileFinder(
  explored: ExploredWorld,
  rows: readonly Row[],
  asks: boolean,
): Finder {
  const emitter = new Emitter(explored, asks);
  return emitter.compile(emitter.finder(rows));
}

/** Takes a step that is possible; `spent` counts what each actor has done. */
export type Taker = (
  state: MachineState,
  spent: Int32Array,
  label: number,
  sink: WriteSink,
) => void;

export function compileTaker(explored: ExploredWorld, rows: readonly Row[]): Taker {
  const emitter = new Emitter(explored, false);
  return emitter.compile(emitter.taker(rows));
}

/** What the targets are among, and which of that they are; rows that stand together take turns in the loop that they share. */
const TARGETS: Readonly<Record<About, { readonly among?: string; readonly which?: string }>> = {
  cpu: {},
  machine: {},
  operation: { which: `cpu.operation !== ${IDLE}` },
  vcpu: { among: 'state.vcpus', which: 'state.vcpus[at].cpu === cpu.index' },
  vcpu_elsewhere: { among: 'state.vcpus', which: 'state.vcpus[at].cpu !== cpu.index' },
  host_event: {
    among: 'configs',
    which: `configs[at].owner === ${HOST_OWNED} && configs[at].cpu === cpu.index`,
  },
  guest_event: {
    among: 'configs',
    which: `configs[at].owner !== ${HOST_OWNED} && state.vcpus[configs[at].owner].cpu === cpu.index`,
  },
  guest_write: { among: 'writes', which: 'state.vcpus[writes[at].vcpu].cpu === cpu.index' },
  // These have loops of their own.
  counter: { among: 'counters' },
  overflows: { among: 'sets of counters' },
};

class Emitter {
  /** What the code calls, as f0, f1, … */
  private readonly functions: unknown[] = [];

  constructor(
    private readonly explored: ExploredWorld,
    private readonly asks: boolean,
  ) {}

  compile<Compiled>(code: string): Compiled {
    const { explored, functions } = this;
    const names = functions.map((_, at) => `f${at}`);
    const body = `const configs = explored.world.eventConfigs;
const writes = explored.guestWrites;
return ${code};`;
    const candidate = candidateOf(explored, explored.initial, 0);
    return new Function('explored', 'candidate', ...names, body)(
      explored,
      candidate,
      ...functions,
    ) as Compiled;
  }

  /** A branch for each kind of step, so that its effect is called from a place of its own and can be inlined there. */
  taker(rows: readonly Row[]): string {
    const branches = rows.map(({ code, kind, limit, actor }) => {
      const counts = limit > 0 ? `spent[${actor}] += 1; ` : '';
      return `case ${code}: ${counts}${this.call(kind.effect, ', sink')}; return;`;
    });
    return `(state, spent, label, sink) => {
candidate.state = state;
candidate.cpu = state.cpus[(label >> 5) & 7];
candidate.target = label >> 8;
switch (label & 31) {
${branches.join('\n')}
}
}`;
  }

  finder(rows: readonly Row[]): string {
    const ofMachine = rows.filter(({ kind }) => kind.about === 'machine');
    const ofCpus = rows.filter(({ kind }) => kind.about !== 'machine');
    const phases = together(ofCpus, ({ kind }) => kind.when);
    return `(state, spent, labels) => {
candidate.state = state;
candidate.spent = spent;
let count = 0;
for (let index = 0; index < state.cpus.length; index += 1) {
const cpu = state.cpus[index];
candidate.cpu = cpu;
${this.asks ? `if (!${this.call(POWERED.holds)}) continue;` : ''}
${phases.map((phase) => this.phase(phase)).join('\n')}
}
const cpu = state.cpus[0];
candidate.cpu = cpu;
${this.group(ofMachine)}
return count;
}`;
  }

  /** Rows that are possible at the same time, if at all. */
  private phase(rows: readonly Row[]): string {
    const groups = together(rows, ({ kind }) => TARGETS[kind.about].among);
    const code = groups.map((group) => this.group(group)).join('\n');
    const { holds, alwaysHolds } = rows[0]!.kind.when;
    const isAsked = this.asks && !alwaysHolds?.(this.explored);
    return isAsked ? `if (${this.call(holds)}) {\n${code}\n}` : code;
  }

  /** Rows that share their loop. */
  private group(rows: readonly Row[]): string {
    const about = rows[0]?.kind.about;
    if (about === undefined) return '';
    if (about === 'counter') return rows.map((row) => this.counters(row)).join('\n');
    if (about === 'overflows') return rows.map((row) => this.overflows(row)).join('\n');
    const code = together(rows, ({ kind }) => kind.about).map((alike) => this.alike(alike));
    const { among } = TARGETS[about];
    const head =
      among === undefined
        ? '{\nconst at = 0;'
        : `for (let at = 0; at < ${among}.length; at += 1) {`;
    return `${head}\ncandidate.target = at;\n${code.join('\n')}\n}`;
  }

  /** Rows about the same. */
  private alike(rows: readonly Row[]): string {
    const { which } = TARGETS[rows[0]!.kind.about];
    const code = rows.map((row) => this.consider(row)).join('\n');
    return which === undefined ? code : `if (${which}) {\n${code}\n}`;
  }

  private counters(row: Row): string {
    return `{
let left = ${this.isSpent(row)} ? 0 : ${this.among(row)};
if (left !== 0) left &= ${this.call(countersOn)};
while (left !== 0) {
const at = 31 - Math.clz32(left & -left);
left &= left - 1;
candidate.target = at;
${this.consider(row)}
}
}`;
  }

  /** Of what may overflow every set, and every set of it that may be throttled. */
  private overflows(row: Row): string {
    const may = this.asks ? this.call(throttleable) : '~0';
    return `{
const active = ${this.isSpent(row)} ? 0 : ${this.name(fewest)}(cpu.cpuc.activeMask & ${this.among(row)});
const may = active === 0 ? 0 : ${may};
for (let set = active; set !== 0; set = (set - 1) & active) {
for (let throttled = set & may; ; throttled = (throttled - 1) & set & may) {
const at = ${this.name(targetOfOverflows)}(set, throttled);
candidate.target = at;
${this.consider(row)}
if (throttled === 0) break;
}
}
}`;
  }

  /** Guards that speak of counters as sets are asked once for all counters. */
  private among({ kind }: Row): string {
    const sets = kind.guards.flatMap(({ among }) => (this.asks ? (among ?? []) : []));
    return sets.map((among) => this.call(among)).join(' & ') || '~0';
  }

  private consider(row: Row): string {
    const guards = row.kind.guards.filter((guard) => guard.among === undefined && this.asks);
    const asked = [`!(${this.isSpent(row)})`, ...guards.map(({ holds }) => this.call(holds))];
    return `if (${asked.join(' && ')}) {
labels[count] = ${labelOf(row.code, 0, 0)} | (cpu.index << 5) | (at << 8);
count += 1;
}`;
  }

  private isSpent({ limit, actor }: Row): string {
    return this.asks && limit !== UNLIMITED ? `spent[${actor}] >= ${limit}` : 'false';
  }

  private call(asked: unknown, more = ''): string {
    return `${this.name(asked)}(candidate${more})`;
  }

  private name(called: unknown): string {
    const known = this.functions.indexOf(called);
    return `f${known < 0 ? this.functions.push(called) - 1 : known}`;
  }
}

/** Neighbours with the same key, together. */
function together(rows: readonly Row[], key: (row: Row) => unknown): Row[][] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last !== undefined && key(last[0]!) === key(row)) {
      last.push(row);
    } else {
      groups.push([row]);
    }
  }
  return groups;
}

/** Counters that an event holds on a CPU, or held there last. */
function countersOn({ state: { events }, cpu }: Candidate): CounterSet {
  let counters: CounterSet = cpu.cpuc.activeMask;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (event.counter !== NO_COUNTER && event.cpu === cpu.index) {
      counters |= 1 << event.counter;
    }
  }
  return counters;
}

/** Of many counters the lowest few: there are 3 to the power of n ways in which n can overflow and be throttled. */
function fewest(counters: CounterSet): CounterSet {
  let left = counters;
  for (let count = 0; count < OVERFLOWS_MAX; count += 1) {
    left &= left - 1;
  }
  return counters & ~left;
}

const OVERFLOWS_MAX = 6;
