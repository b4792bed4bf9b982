/**
 * The steps of a world: which are possible in a state, why the others are not, and what they do. All of it is read off the
 * kinds of steps (index.ts).
 */
import type { MachineState } from '../../pmu/machine/state.js';
import { type ExploredWorld, mayAct } from '../explored-world.js';
import { ACTOR_KINDS, type ActorKind } from '../vocabulary.js';
import {
  compileFinder,
  compileTaker,
  type Finder,
  type Row,
  rowsOf,
  type Taker,
} from './finder.js';
import { POWERED } from './guards.js';
import { codeOf, cpuOf, STEP_KINDS, targetOf } from './index.js';
import type { Guard } from './step-kind.js';

export interface RefusedStep {
  readonly label: number;
  /** Those that do not hold, at least one. */
  readonly guards: readonly Guard[];
}

/** More candidates than any state has. */
const CANDIDATES_MAX = 2048;

export class Steps {
  /** Writes the label of every possible step to `labels` and returns how many there are. */
  readonly find: Finder;
  readonly take: Taker;
  private readonly rows: readonly Row[];

  constructor(readonly explored: ExploredWorld) {
    this.rows = rowsOf(explored);
    this.find = compileFinder(explored, this.rows, true);
    this.take = compileTaker(explored, this.rows);
  }

  /** The labels of all steps that are there, possible or not. */
  candidates(state: MachineState, spent: Int32Array): Int32Array {
    const labels = new Int32Array(CANDIDATES_MAX);
    const walk = compileFinder(this.explored, this.rows, false);
    return labels.subarray(0, walk(state, spent, labels));
  }

  /** Those that are not possible. */
  refused(state: MachineState, spent: Int32Array): RefusedStep[] {
    return [...this.candidates(state, spent)].flatMap((label) => {
      const cpu = state.cpus[cpuOf(label)]!;
      const guards = conditionsOf(label).filter(
        ({ holds }) => !holds(this.explored, state, cpu, targetOf(label), spent),
      );
      return guards.length === 0 ? [] : [{ label, guards }];
    });
  }
}

/** All that must hold for a step: its guards, its budget, and that the moment is right. */
function conditionsOf(label: number): readonly Guard[] {
  const { actor, isFree, about, when, guards } = STEP_KINDS[codeOf(label)]!;
  return [
    ...(actor === undefined || isFree ? [] : [BUDGETS[actor]]),
    ...(about === 'machine' ? [] : [POWERED]),
    when,
    ...guards,
  ];
}

const BUDGETS = Object.fromEntries(ACTOR_KINDS.map((kind) => [kind, withinBudget(kind)])) as Record<
  ActorKind,
  Guard
>;

function withinBudget(actor: ActorKind): Guard {
  return {
    holds: (explored, _state, _cpu, _target, spent) => mayAct(explored, spent, actor),
    words: `the budget of ${actor} is spent`,
  };
}
