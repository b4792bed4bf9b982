/**
 * The machine as a model for the explorer: states are packed machines with what each actor has spent, steps are those of
 * `steps/`, properties are invariants and coverage goals.
 */
import type { Model, Property, Successors } from '../explorer/model.js';
import { WriteSink } from '../pmu/arch/write-sink.js';
import { INVARIANTS, stepsEvaluated, violatedAt } from '../pmu/invariants/index.js';
import { Layout, type LayoutOptions } from '../pmu/machine/layout.js';
import { STEP_NAMES } from '../pmu/machine/micro-step.js';
import { MachineState } from '../pmu/machine/state.js';
import { PEBS_UPDATE_DS_SW } from '../pmu/perf/data-cfg.js';
import { COVERAGE_GOALS } from './coverage-goals.js';
import { type ExploredWorld, exploredWorld } from './explored-world.js';
import { placeOf } from './place.js';
import { cpuOf, kindOf } from './steps/index.js';
import { ADVANCE } from './steps/operation.js';
import { Steps } from './steps/steps.js';
import { actionOf, actorNumber, executedStep } from './steps/told.js';
import { SymmetryReducer, symmetryOf } from './symmetry.js';
import { ACTOR_KINDS } from './vocabulary.js';
import type { WorldSpec } from './world-spec.js';

/** What a worker needs to make the model of its own. */
export interface MachineModelArgs {
  readonly model: WorldSpec;
  /** Ids of invariants and goals. */
  readonly properties: readonly string[];
}

/** No state has more: each CPU has its events' and vCPUs' steps and a few NMIs. */
const SUCCESSORS_MAX = 96;
/** With all that an NMI can find of six counters. */
const WITH_OVERFLOWS_MAX = 1024;

/** How a worker thread makes its own. */
export function createModel(args: unknown): MachineModel {
  const { model, properties } = args as MachineModelArgs;
  return new MachineModel(exploredWorld(model), properties);
}

export class MachineModel implements Model {
  readonly words: number;
  readonly successorsMax: number;
  readonly properties: readonly Property[];
  readonly steps: Steps;
  readonly layout: Layout;
  readonly base: MachineState;
  protected readonly next: MachineState;
  protected readonly spent = new Int32Array(ACTOR_KINDS.length);
  protected readonly nextSpent = new Int32Array(ACTOR_KINDS.length);
  readonly labels: Int32Array;
  protected readonly sink = new WriteSink();
  /** By property: the invariant's bit, or 0 for a goal. */
  private readonly invariantBits: Int32Array;
  /** What interchangeable parts `canonical` folds, in words; none where it would change nothing. */
  readonly folding: string[];
  private readonly reducer: SymmetryReducer;
  private readonly candidate: Int32Array;
  /** By micro-step: 1 where a property may be found. */
  private readonly looksAt: Uint8Array;
  private readonly goals: readonly ((typeof COVERAGE_GOALS)[number] | undefined)[];

  /** `moreSuccessors` than the world's steps have. */
  constructor(
    readonly explored: ExploredWorld,
    properties: readonly string[],
    moreSuccessors = 0,
  ) {
    const { world, initial } = explored;
    const findsOverflows = explored.spec.nmi_overflows === 'on_arrival';
    const stepsMax = findsOverflows ? WITH_OVERFLOWS_MAX : SUCCESSORS_MAX;
    this.successorsMax = stepsMax + moreSuccessors;
    this.labels = new Int32Array(stepsMax);
    this.steps = new Steps(explored);
    this.layout = new Layout(world, initial, layoutOptions(explored));
    this.words = this.layout.words;
    const symmetry = symmetryOf(explored);
    this.folding = symmetry.described;
    this.reducer = new SymmetryReducer(symmetry, initial, world.eventConfigs);
    this.candidate = new Int32Array(this.words);
    this.base = new MachineState(initial);
    this.next = new MachineState(initial);
    this.goals = properties.map((id) => COVERAGE_GOALS.find((goal) => goal.id === id));
    this.properties = properties.map((id, at) => ({
      id,
      kind: this.goals[at] === undefined ? 'always' : 'sometimes',
    }));
    this.invariantBits = Int32Array.from(properties, (id) => {
      const at = INVARIANTS.findIndex((invariant) => invariant.id === id);
      return at < 0 ? 0 : 1 << at;
    });
    const invariants = this.invariantBits.reduce((mask, bit) => mask | bit, 0);
    this.looksAt = stepsEvaluated(world, initial, invariants);
    if (this.goals.some((goal) => goal !== undefined)) {
      this.looksAt.fill(1);
    }
  }

  initial(out: Int32Array): void {
    this.layout.pack(this.explored.initial, new Int32Array(ACTOR_KINDS.length), out, 0);
  }

  expand(states: Int32Array, at: number, out: Successors): void {
    const { base, next, spent, nextSpent, labels, words } = this;
    this.layout.unpack(states, at, base, spent);
    const found = this.steps.find(base, spent, labels);
    let { count } = out;
    for (let nth = 0; nth < found; nth += 1) {
      const last = nth === found - 1;
      // The last successor may use up the state it comes from.
      const state = last ? base : next;
      const used = last ? spent : nextSpent;
      if (!last) {
        next.copyFrom(base);
        nextSpent.set(spent);
      }
      this.steps.take(state, used, labels[nth]!, this.sink);
      this.layout.pack(state, used, out.words, count * words);
      out.labels[count] = labels[nth]!;
      count += 1;
    }
    out.count = count;
  }

  check(states: Int32Array, at: number): number {
    const { base, spent, invariantBits, goals } = this;
    if (!this.mayFind(states, at)) {
      return 0;
    }
    this.layout.unpack(states, at, base, spent);
    let violated = 0;
    for (let cpu = 0; cpu < base.cpus.length; cpu += 1) {
      violated |= violatedAt(this.explored.world, base, base.cpus[cpu]!);
    }
    let found = 0;
    for (let property = 0; property < invariantBits.length; property += 1) {
      const goal = goals[property];
      const hit =
        goal === undefined
          ? (violated & invariantBits[property]!) !== 0
          : goal.seen(this.explored.world, base);
      if (hit) {
        found |= 1 << property;
      }
    }
    return found;
  }

  /** Whether any CPU is where a property is looked at; most micro-steps are not, and unpacking costs more than this. */
  private mayFind(states: Int32Array, at: number): boolean {
    for (let cpu = 0; cpu < this.base.cpus.length; cpu += 1) {
      if (this.looksAt[this.layout.pcOf(states, at, cpu)] === 1) {
        return true;
      }
    }
    return false;
  }

  canonical(states: Int32Array, at: number): void {
    const { base, spent, candidate, words } = this;
    this.layout.unpack(states, at, base, spent);
    let first = this.reducer.sortsEvents;
    this.reducer.candidates(base, (state) => {
      this.layout.pack(state, spent, candidate, 0);
      if (first || isLess(candidate, states, at, words)) {
        states.set(candidate, at);
        first = false;
      }
    });
  }

  /** Where a CPU is: see place.ts. */
  placeOf(states: Int32Array, at: number, cpu: number): number {
    this.layout.unpack(states, at, this.base, this.spent);
    return placeOf(this.base.cpus[cpu]!);
  }

  /** A packed state as a machine of its own, and what each actor has spent. */
  unpacked(words: Int32Array): { state: MachineState; spent: Int32Array } {
    const state = new MachineState(this.explored.initial);
    const spent = new Int32Array(ACTOR_KINDS.length);
    this.layout.unpack(words, 0, state, spent);
    return { state, spent };
  }

  actorOf(label: number): number {
    return actorNumber(label);
  }

  /** A micro-step by its name, with what it begins; anything else in words. */
  nameOf(states: Int32Array, at: number, label: number): string {
    const { base, explored } = this;
    this.layout.unpack(states, at, base, this.spent);
    const step = executedStep(explored, base, label);
    const action = actionOf(explored, base, label);
    const name = step === undefined ? action : STEP_NAMES[step]!;
    const begun = step === undefined || kindOf(label) === ADVANCE ? '' : ` (${action})`;
    return `${base.cpus.length > 1 ? `cpu${cpuOf(label)} ` : ''}${name}${begun}`;
  }

  describe(states: Int32Array, at: number, label?: number): string {
    this.layout.unpack(states, at, this.base, this.spent);
    const where = this.base.cpus.map((cpu) => STEP_NAMES[cpu.pc]).join(', ');
    return label === undefined ? `at ${where}` : `step ${label}`;
  }
}

function isLess(a: Int32Array, b: Int32Array, at: number, words: number): boolean {
  for (let word = 0; word < words; word += 1) {
    if (a[word] !== b[at + word]) {
      return a[word]! < b[at + word]!;
    }
  }
  return false;
}

function layoutOptions(explored: ExploredWorld): LayoutOptions {
  const { initial, counters, guestCounters, budgets, strays, detaches } = explored;
  // KVM's events ask for configuration 2 at most; perf only ever ORs wishes together.
  const dataCfg = initial.cpus.reduce(
    (all, { cpuc }) => all | cpuc.pebsDataCfg | cpuc.activePebsDataCfg,
    initial.events.reduce((all, event) => all | event.dataCfg, 2),
  );
  const softwareBit = explored.world.perfOptions.removalNarrowsDataCfg ? PEBS_UPDATE_DS_SW : 0;
  const ofGuests = initial.vcpus.reduce((all, vcpu) => all | vcpu.pebsDataCfg, 0);
  const addresses = initial.vcpus.map((vcpu) => vcpu.dsArea);
  return {
    counters,
    guestCounters,
    addressMax: Math.max(initial.cpus.length, ...addresses),
    dataCfgMax: dataCfg | softwareBit | ofGuests,
    overflows: budgets.nmi_throttle !== 0,
    ticks: budgets.tick !== 0,
    reorders: budgets.event_add !== 0 || detaches || budgets.guest_wrmsr !== 0,
    closes: budgets.event_del !== 0,
    detaches,
    strays,
    extraWidths: spentWidths(explored),
  };
}

/** Bits that hold what an actor with a limit has spent; actors without one are not counted. */
function spentWidths({ budgets }: ExploredWorld): number[] {
  return ACTOR_KINDS.map((kind) => (budgets[kind] > 0 ? 32 - Math.clz32(budgets[kind]) : 0));
}
