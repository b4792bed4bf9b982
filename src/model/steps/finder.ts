/**
 * The walk through all candidates of a state, compiled for a world: straight-line code that calls the guards of the kinds
 * of steps that the world has. Compiled, since asking is a good part of a search: a walk that reads the list of kinds as
 * it goes takes twice as long.
 */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import { IDLE, type LogicalCpu, type MachineState } from '../../pmu/machine/state.js';
import { HOST_OWNED, NO_COUNTER } from '../../pmu/perf/perf-event.js';
import { type ExploredWorld, UNLIMITED } from '../explored-world.js';
import { ACTOR_KINDS } from '../vocabulary.js';
import { POWERED } from './guards.js';
import { labelOf, STEP_KINDS } from './index.js';
import { targetOfOverflows, throttleable } from './nmis.js';
import type { About, Guard, StepKind } from './step-kind.js';

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
    const hasActor = kind.actor === undefined || explored.budgets[kind.actor] !== 0;
    if (!hasActor || kind.isIn?.(explored) === false) {
      return [];
    }
    const actor = kind.isFree ? undefined : kind.actor;
    return actor === undefined
      ? [{ code, kind, limit: UNLIMITED, actor: 0 }]
      : [{ code, kind, limit: explored.budgets[actor], actor: ACTOR_KINDS.indexOf(actor) }];
  });
}

/** Finds the possible steps, or, where nobody is to ask the guards, all candidates. */
export function compileFinder(
  explored: ExploredWorld,
  rows: readonly Row[],
  asks: boolean,
): Finder {
  const emitter = new Emitter(explored, asks);
  const code = emitter.finder(rows);
  const names = emitter.functions.map((_, at) => `f${at}`);
  const body = `return (state, spent, labels) => {\n${code}\n};`;
  return new Function('explored', 'countersOn', 'fewest', ...names, body)(
    explored,
    countersOn,
    fewest,
    ...emitter.functions,
  ) as Finder;
}

/** Takes a step that is possible; `spent` counts what each actor has done. */
export type Taker = (
  state: MachineState,
  spent: Int32Array,
  label: number,
  sink: WriteSink,
) => void;

/** A branch for each kind of step, so that its effect is called from a place of its own and can be inlined there. */
export function compileTaker(explored: ExploredWorld, rows: readonly Row[]): Taker {
  const branches = rows.map(({ code, limit, actor }, at) => {
    const counts = limit > 0 ? `spent[${actor}] += 1; ` : '';
    return `case ${code}: ${counts}f${at}(explored, state, cpu, label >> 8, sink); return;`;
  });
  const body = `return (state, spent, label, sink) => {
const cpu = state.cpus[(label >> 5) & 7];
switch (label & 31) {
${branches.join('\n')}
}
};`;
  const effects = rows.map(({ kind }) => kind.effect);
  const names = effects.map((_, at) => `f${at}`);
  return new Function('explored', ...names, body)(explored, ...effects) as Taker;
}

/** How rows are looped over; those that stand together and share their loop take turns in it. */
const LOOPS: Readonly<
  Record<About, 'cpu' | 'operation' | 'vcpus' | 'events' | 'writes' | 'counters' | 'overflows'>
> = {
  cpu: 'cpu',
  machine: 'cpu',
  operation: 'operation',
  vcpu: 'vcpus',
  vcpu_elsewhere: 'vcpus',
  host_event: 'events',
  guest_event: 'events',
  guest_write: 'writes',
  counter: 'counters',
  overflows: 'overflows',
};

class Emitter {
  /** What the code calls, as f0, f1, … */
  readonly functions: unknown[] = [];

  constructor(
    private readonly explored: ExploredWorld,
    private readonly asks: boolean,
  ) {}

  finder(rows: readonly Row[]): string {
    const ofMachine = rows.filter(({ kind }) => kind.about === 'machine');
    const ofCpus = rows.filter(({ kind }) => kind.about !== 'machine');
    const phases = together(ofCpus, ({ kind }) => kind.when);
    return `let count = 0;
for (let index = 0; index < state.cpus.length; index += 1) {
const cpu = state.cpus[index];
${this.asks ? `if (!(${this.holds(POWERED, '0')})) continue;` : ''}
${phases.map((phase) => this.phase(phase)).join('\n')}
}
const cpu = state.cpus[0];
${ofMachine.map((row) => this.consider(row, '0')).join('\n')}
return count;`;
  }

  /** Rows that are possible at the same time, if at all. */
  private phase(rows: readonly Row[]): string {
    const groups = together(rows, ({ kind }) => LOOPS[kind.about]);
    const code = groups.map((group) => this.group(group)).join('\n');
    const { when } = rows[0]!.kind;
    return this.isAsked(when) ? `if (${this.holds(when, '0')}) {\n${code}\n}` : code;
  }

  private group(rows: readonly Row[]): string {
    const about = (which: About): string =>
      rows
        .filter(({ kind }) => kind.about === which)
        .map((row) => this.consider(row, 'at'))
        .join('\n');
    switch (LOOPS[rows[0]!.kind.about]) {
      case 'cpu':
        return rows.map((row) => this.consider(row, '0')).join('\n');
      case 'operation':
        return `if (cpu.operation !== ${IDLE}) {
${rows.map((row) => this.consider(row, '0')).join('\n')}
}`;
      case 'vcpus':
        return `for (let at = 0; at < state.vcpus.length; at += 1) {
if (state.vcpus[at].cpu === cpu.index) {
${about('vcpu')}
} else {
${about('vcpu_elsewhere')}
}
}`;
      case 'events':
        return `for (let at = 0; at < state.events.length; at += 1) {
const config = explored.world.eventConfigs[at];
if (config.owner === ${HOST_OWNED}) {
if (config.cpu === cpu.index) {
${about('host_event')}
}
} else if (state.vcpus[config.owner].cpu === cpu.index) {
${about('guest_event')}
}
}`;
      case 'writes':
        return `for (let at = 0; at < explored.guestWrites.length; at += 1) {
if (state.vcpus[explored.guestWrites[at].vcpu].cpu === cpu.index) {
${about('guest_write')}
}
}`;
      case 'counters':
        return rows.map((row) => this.counters(row)).join('\n');
      case 'overflows':
        return rows.map((row) => this.overflows(row)).join('\n');
    }
  }

  /** Guards that speak of counters as sets are asked once for all counters. */
  private counters(row: Row): string {
    const sets = row.kind.guards.flatMap(({ among }) => among ?? []);
    const asked = this.asks ? sets.map((among) => `${this.call(among)}(explored, state, cpu)`) : [];
    return `{
let left = ${this.isSpent(row)} ? 0 : ${asked.join(' & ') || '~0'};
if (left !== 0) left &= countersOn(state, cpu);
while (left !== 0) {
const at = 31 - Math.clz32(left & -left);
left &= left - 1;
${this.consider(row, 'at')}
}
}`;
  }

  /** Of what may overflow every set, and every set of it that may be throttled. */
  private overflows(row: Row): string {
    const sets = row.kind.guards.flatMap(({ among }) => among ?? []);
    const asked = this.asks ? sets.map((among) => `${this.call(among)}(explored, state, cpu)`) : [];
    const may = this.asks ? `${this.call(throttleable)}(explored, state, cpu)` : '~0';
    return `{
const active = ${this.isSpent(row)} ? 0 : fewest(${['cpu.cpuc.activeMask', ...asked].join(' & ')});
const may = active === 0 ? 0 : ${may};
for (let set = active; set !== 0; set = (set - 1) & active) {
for (let throttled = set & may; ; throttled = (throttled - 1) & set & may) {
const at = ${this.call(targetOfOverflows)}(set, throttled);
${this.consider(row, 'at')}
if (throttled === 0) break;
}
}
}`;
  }

  private consider(row: Row, target: string): string {
    const guards = row.kind.guards.filter((guard) => guard.among === undefined && this.asks);
    const asked = [`!(${this.isSpent(row)})`, ...guards.map((guard) => this.holds(guard, target))];
    return `if (${asked.join(' && ')}) {
labels[count] = ${labelOf(row.code, 0, 0)} | (cpu.index << 5) | (${target} << 8);
count += 1;
}`;
  }

  private isSpent({ limit, actor }: Row): string {
    return this.asks && limit !== UNLIMITED ? `spent[${actor}] >= ${limit}` : 'false';
  }

  private isAsked({ alwaysHolds }: Guard): boolean {
    return this.asks && !alwaysHolds?.(this.explored);
  }

  private holds({ holds }: Guard, target: string): string {
    return `${this.call(holds)}(explored, state, cpu, ${target}, spent)`;
  }

  private call(called: unknown): string {
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
function countersOn({ events }: MachineState, cpu: LogicalCpu): CounterSet {
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
