/** Where a machine can be between operations, after any of them, if no NMI lands in the middle of one. */
import { MISSING } from '../../explorer/observation.js';
import { initialState, successorsOf } from '../../explorer/path.js';
import { REST } from '../../pmu/machine/micro-step.js';
import { IDLE } from '../../pmu/machine/state.js';
import { kindOf, labelOf, STEP_KINDS } from '../steps/index.js';
import { ADVANCE } from '../steps/operation.js';
import type { ObservedMachine } from './observed-machine.js';

const GO_ON = labelOf(STEP_KINDS.indexOf(ADVANCE), 0, 0);
/** More than any operation has. */
const MICRO_STEPS_MAX = 500;

/** All of them; null where there are more than `max`, or where time is over. */
export function quietStates(
  machine: ObservedMachine,
  max: number,
  isOver: () => boolean,
): Int32Array[] | null {
  machine.expects(Int32Array.of(MISSING), 0);
  const start = initialState(machine);
  const known = new Map([[keyOf(machine, start), start]]);
  for (const state of known.values()) {
    if (known.size > max || isOver()) return null;
    for (const { label, state: next } of successorsOf(machine, state)) {
      if (kindOf(label) === ADVANCE) continue;
      const quiet = untilQuiet(machine, next);
      const key = quiet === null ? null : keyOf(machine, quiet);
      if (quiet !== null && key !== null && !known.has(key)) known.set(key, quiet);
    }
  }
  return [...known.values()];
}

/** The operation under way goes on to its end; null where it does not come to one. */
function untilQuiet(machine: ObservedMachine, from: Int32Array): Int32Array | null {
  const words = from.slice();
  for (let steps = 0; steps < MICRO_STEPS_MAX; steps += 1) {
    const mayBe = machine.layout.pcOf(words, 0, 0) === REST;
    if (mayBe && machine.unpacked(words).state.cpus[0]?.operation === IDLE) return words;
    machine.take(words, 0, GO_ON, words);
  }
  return null;
}

function keyOf(machine: ObservedMachine, words: Int32Array): string {
  const { state, spent } = machine.unpacked(words);
  machine.forgetting.forget(state);
  const key = new Int32Array(machine.words);
  machine.layout.pack(state, spent, key, 0);
  return String(key);
}
