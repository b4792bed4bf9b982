/**
 * The steps of a world: which are possible in a state, why the others are not, and what they do. All of it is read off the
 * kinds of steps (index.ts).
 */
import type { MachineState } from '../../pmu/machine/state.js';
import { type ExploredWorld, mayAct } from '../explored-world.js';
import type { ActorKind } from '../vocabulary.js';
import {
  compileFinder,
  compileTaker,
  type Finder,
  type Row,
  rowsOf,
  type Taker,
} from './finder.js';
import { POWERED } from './guards.js';
import { candidateOf, kindOf } from './index.js';
import type { Guard } from './step-kind.js';

export interface RefusedStep {
  readonly label: number;
  /** Why, at least one reason and each once. */
  readonly reasons: string[];
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
      const candidate = candidateOf(this.explored, state, label, spent);
      const reasons = conditionsOf(label)
        .filter(({ holds }) => !holds(candidate))
        .map(({ words }) => (typeof words === 'string' ? words : words(candidate)));
      return reasons.length === 0 ? [] : [{ label, reasons: [...new Set(reasons)] }];
    });
  }
}

/** All that must hold for a step: its guards, its budget, and that the moment is right. */
function conditionsOf(label: number): readonly Guard[] {
  const { actor, isFree, about, when, guards } = kindOf(label);
  return [
    ...(actor === undefined || isFree ? [] : [withinBudget(actor)]),
    ...(about === 'machine' ? [] : [POWERED]),
    when,
    ...guards,
  ];
}

function withinBudget(actor: ActorKind): Guard {
  return {
    holds: ({ explored, spent }) => mayAct(explored, spent, actor),
    words: `the budget of ${actor} is spent`,
  };
}
