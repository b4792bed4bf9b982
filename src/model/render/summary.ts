/**
 * What a path comes to: the paragraph that opens its story, which says what is wrong and how it came to be, and the fields
 * that are wrong beside what they should be.
 */
import type { Fault } from '../../pmu/invariants/fault.js';
import { FAULTS } from '../../pmu/invariants/faults.js';
import { INVARIANTS, violatedAt } from '../../pmu/invariants/index.js';
import { runningVcpu } from '../../pmu/invariants/invariant.js';
import type { MachineState } from '../../pmu/machine/state.js';
import { COVERAGE_GOALS } from '../coverage-goals.js';
import type { MachineModel } from '../machine-model.js';
import { FieldWords } from './field-words.js';
import { History } from './history.js';
import type { PathStep } from './path-steps.js';
import { type EndValue, Provenance } from './provenance.js';

export interface Summary {
  readonly paragraph: string;
  readonly end: readonly EndValue[];
}

/** What a path to a violation of an invariant, or to a coverage goal, comes to. */
export function summarise(
  model: MachineModel,
  property: string,
  steps: readonly PathStep[],
): Summary {
  const { initial } = model.explored;
  const state = steps.at(-1)?.after ?? initial;
  const wrong = byPlace(faultsAt(model, property, state));
  if (wrong.length === 0) {
    const { statement } = [...INVARIANTS, ...COVERAGE_GOALS].find(({ id }) => id === property)!;
    return { paragraph: statement, end: [] };
  }
  const words = new FieldWords(model.explored);
  const provenance = new Provenance(model, words, new History(words, steps), state);
  return {
    paragraph: wrong.map((faults) => provenance.sentence(faults)).join(' '),
    end: wrong.map((faults) => provenance.endValue(faults)),
  };
}

/** What is wrong in a state in which the invariant is violated. */
export function faultsAt(model: MachineModel, property: string, state: MachineState): Fault[] {
  const { world } = model.explored;
  const bit = 1 << INVARIANTS.findIndex(({ id }) => id === property);
  return state.cpus.flatMap((cpu) => {
    const isViolated = (violatedAt(world, state, cpu) & bit) !== 0;
    return isViolated ? FAULTS[property]!(world, state, cpu, runningVcpu(state, cpu)) : [];
  });
}

/** The faults of each place together: they have one story. */
function byPlace(faults: readonly Fault[]): Fault[][] {
  const groups = new Map<string, Fault[]>();
  for (const fault of faults) {
    const { kind, index, path, nth } = fault.place;
    const key = [kind, index, path, nth].join();
    groups.set(key, [...(groups.get(key) ?? []), fault]);
  }
  return [...groups.values()];
}
