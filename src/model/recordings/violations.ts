/** Which invariants fail along a path. */
import { initialState, type Path, stepsAlong } from '../../explorer/path.js';
import { invariantsIn, violatedAt } from '../../pmu/invariants/index.js';
import { MachineState } from '../../pmu/machine/state.js';
import type { MachineModel } from '../machine-model.js';
import { ACTOR_KINDS } from '../vocabulary.js';

/** Their ids. */
export function violationsAlong(model: MachineModel, path: Path): string[] {
  const { world, initial } = model.explored;
  const machine = new MachineState(initial);
  const spent = new Int32Array(ACTOR_KINDS.length);
  let violated = 0;
  const look = (words: Int32Array): void => {
    model.layout.unpack(words, 0, machine, spent);
    for (const cpu of machine.cpus) violated |= violatedAt(world, machine, cpu);
  };
  look(initialState(model));
  for (const { state } of stepsAlong(model, path)) look(state);
  return invariantsIn(violated);
}
