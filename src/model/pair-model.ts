/**
 * Two kernels side by side: both machines take the same schedule, and the explorer looks for the shortest one on which an
 * invariant fails on one and on the other does not.
 *
 * Kernels make different numbers of micro-steps (their lists differ), so an operation advances on both where both would
 * make the same micro-step, and otherwise on the slower of the two. Everything else happens on both at once.
 */
import type { Model, Property, Successors } from '../explorer/model.js';
import { INVARIANTS, violatedAt } from '../pmu/invariants/index.js';
import { nextStep } from '../pmu/machine/advance.js';
import { K11_RESTORE_PMU, V6_EXIT_LOAD } from '../pmu/machine/micro-step.js';
import { IDLE, type LogicalCpu } from '../pmu/machine/state.js';
import { exploredWorld } from './explored-world.js';
import { MachineModel } from './machine-model.js';
import { codeOf, labelOf, STEP_KINDS } from './steps/index.js';
import { ADVANCE, OPERATION_STEPS } from './steps/operation.js';
import { actorNumber } from './steps/told.js';
import type { WorldSpec } from './world-spec.js';

export interface ProductModelArgs {
  readonly model: WorldSpec;
  readonly other: string;
  readonly properties: readonly string[];
}

/** The one property: no schedule tells the kernels apart. Bit 0 says the first fails, bit 1 the other. */
const PROPERTIES: readonly Property[] = [
  { id: 'only_first_fails', kind: 'always' },
  { id: 'only_other_fails', kind: 'always' },
];

/** The kinds of steps by which an operation under way goes on; the first has each machine make its own next micro-step. */
const WAYS_ON = OPERATION_STEPS.map((kind) => STEP_KINDS.indexOf(kind));
const GO_ON = STEP_KINDS.indexOf(ADVANCE);

export function createModel(args: unknown): ProductModel {
  return new ProductModel(args as ProductModelArgs);
}

/** One of the two machines, with the state it is in and what it may do there. */
class Side extends MachineModel {
  count = 0;

  constructor(spec: WorldSpec) {
    super(exploredWorld(spec), []);
  }

  unpack(words: Int32Array, at: number): void {
    this.layout.unpack(words, at, this.base, this.spent);
  }

  load(words: Int32Array, at: number): void {
    this.unpack(words, at);
    this.count = this.steps.find(this.base, this.spent, this.labels);
  }

  allows(label: number): boolean {
    for (let at = 0; at < this.count; at += 1) {
      if (this.labels[at] === label) {
        return true;
      }
    }
    return false;
  }

  /**
   * How far a CPU's next micro-step is on its run. The repair after VM-exit may come before k10, so it counts as right after
   * V6; what has nothing under way waits for the other.
   */
  order(cpu: LogicalCpu): number {
    if (cpu.operation === IDLE) return Number.POSITIVE_INFINITY;
    const step = nextStep(this.explored.world, this.base, cpu);
    return step === K11_RESTORE_PMU ? V6_EXIT_LOAD : step;
  }

  /** The invariants that fail in the state. */
  get violated(): number {
    const { base, explored } = this;
    return base.cpus.reduce((all, cpu) => all | violatedAt(explored.world, base, cpu), 0);
  }

  /** Writes the state after a step, or the state itself where the machine stands still. */
  write(label: number, goes: boolean, out: Int32Array, at: number): void {
    this.next.copyFrom(this.base);
    this.nextSpent.set(this.spent);
    if (goes) {
      this.steps.take(this.next, this.nextSpent, label, this.sink);
    }
    this.layout.pack(this.next, this.nextSpent, out, at);
  }
}

export class ProductModel implements Model {
  readonly words: number;
  readonly successorsMax = 96;
  readonly properties = PROPERTIES;
  readonly first: Side;
  readonly other: Side;
  private readonly invariants: number;

  constructor({ model, other, properties }: ProductModelArgs) {
    this.first = new Side(model);
    this.other = new Side({ ...model, kernel: other });
    this.words = this.first.words + this.other.words;
    this.invariants = INVARIANTS.reduce(
      (mask, { id }, at) => (properties.includes(id) ? mask | (1 << at) : mask),
      0,
    );
  }

  initial(out: Int32Array): void {
    this.first.initial(out);
    this.other.initial(out.subarray(this.first.words));
  }

  expand(states: Int32Array, at: number, out: Successors): void {
    const { first, other } = this;
    this.load(states, at);
    for (let nth = 0; nth < first.count; nth += 1) {
      const label = first.labels[nth]!;
      if (!WAYS_ON.includes(codeOf(label)) && other.allows(label)) {
        this.append(label, true, true, out);
      }
    }
    for (let cpu = 0; cpu < first.base.cpus.length; cpu += 1) {
      this.advance(cpu, out);
    }
  }

  check(states: Int32Array, at: number): number {
    this.first.unpack(states, at);
    this.other.unpack(states, at + this.first.words);
    if (!this.isAligned()) {
      return 0;
    }
    const firstFails = (this.first.violated & this.invariants) !== 0;
    const otherFails = (this.other.violated & this.invariants) !== 0;
    return (firstFails && !otherFails ? 1 : 0) | (otherFails && !firstFails ? 2 : 0);
  }

  actorOf(label: number): number {
    return actorNumber(label);
  }

  describe(): string {
    return 'a pair of machines';
  }

  /** Loads both machines and what each may do. */
  load(states: Int32Array, at: number): void {
    this.first.load(states, at);
    this.other.load(states, at + this.first.words);
  }

  /** Verdicts are compared where both machines are at the same micro-step. */
  private isAligned(): boolean {
    return this.first.base.cpus.every((cpu, at) => cpu.pc === this.other.base.cpus[at]!.pc);
  }

  private advance(cpu: number, out: Successors): void {
    const label = labelOf(GO_ON, cpu, 0);
    const a = this.first.base.cpus[cpu]!;
    const b = this.other.base.cpus[cpu]!;
    if (a.operation === IDLE && b.operation === IDLE) {
      return;
    }
    const nextA = this.first.order(a);
    const nextB = this.other.order(b);
    const firstGoes = nextA <= nextB && this.first.allows(label);
    const otherGoes = nextB <= nextA && this.other.allows(label);
    if (firstGoes || otherGoes) {
      this.append(label, firstGoes, otherGoes, out);
    }
    for (const code of WAYS_ON) {
      const both = labelOf(code, cpu, 0);
      if (code !== GO_ON && this.first.allows(both) && this.other.allows(both)) {
        this.append(both, true, true, out);
      }
    }
  }

  private append(label: number, firstGoes: boolean, otherGoes: boolean, out: Successors): void {
    const at = out.count * this.words;
    this.first.write(label, firstGoes, out.words, at);
    this.other.write(label, otherGoes, out.words, at + this.first.words);
    out.labels[out.count] = label;
    out.count += 1;
  }
}
