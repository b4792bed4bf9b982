/** Places in a run at which a recording may begin, as paths to them. */
import { initialState, type Path, successorsOf } from '../../explorer/path.js';
import { GUEST } from '../../pmu/machine/micro-step.js';
import { IDLE, type MachineState } from '../../pmu/machine/state.js';
import { OFF } from '../../pmu/perf/perf-event.js';
import { kindOf, targetOf } from '../steps/index.js';
import { ADVANCE } from '../steps/operation.js';
import { RUN } from '../steps/vcpus.js';
import type { ObservedMachine } from './observed-machine.js';

/** All events are closed, one after the other. Empty where none is open, or none may be closed. */
export function allClosed(model: ObservedMachine): Path {
  return pathBy(model, isClose, () => false);
}

/** Events that are off are closed. */
export function othersClosed(model: ObservedMachine): Path {
  return pathBy(
    model,
    (label, { events }) => isClose(label) && events[targetOf(label)]!.status === OFF,
    () => false,
  );
}

function isClose(label: number): boolean {
  return kindOf(label).actor === 'event_del';
}

/** A vCPU is in its guest. */
export function inGuest(model: ObservedMachine): Path {
  return pathBy(
    model,
    (label) => kindOf(label) === RUN,
    ({ cpus: [cpu] }) => cpu?.pc === GUEST,
  );
}

/** Takes the first step of a kind whenever the CPU is idle, and lets what it begins go on, until there is none or it is there. */
function pathBy(
  model: ObservedMachine,
  begins: (label: number, state: MachineState) => boolean,
  isThere: (state: MachineState) => boolean,
): Path {
  const path: number[] = [];
  for (let words = initialState(model); path.length < STEPS_MAX; ) {
    const { state } = model.unpacked(words);
    if (isThere(state)) return path;
    const isIdle = state.cpus[0]?.operation === IDLE;
    const step = successorsOf(model, words).find(({ label }) =>
      isIdle ? begins(label, state) : kindOf(label) === ADVANCE,
    );
    if (step === undefined) return path;
    path.push(step.label);
    words = words.slice();
    model.take(words, 0, step.label, words);
  }
  return path;
}

/** More than closing all events of a world takes. */
const STEPS_MAX = 1000;
