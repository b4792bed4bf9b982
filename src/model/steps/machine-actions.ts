/** The machine's own actions as steps use them: asked for and carried out without allocating anything. */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import * as actions from '../../pmu/machine/actions.js';
import { IDLE } from '../../pmu/machine/state.js';
import type { Candidate, Effect } from './step-kind.js';

const action: actions.Action = { kind: 0, cpu: 0, target: 0, value: 0, throttle: 0 };

function aim(
  { cpu, target }: Candidate,
  kind: number,
  value: number,
  throttle: CounterSet,
): actions.Action {
  action.kind = kind;
  action.cpu = cpu.index;
  action.target = target;
  action.value = value;
  action.throttle = throttle;
  return action;
}

/** The machine's own guard: why an action is impossible now, or null. */
export function refusal(
  candidate: Candidate,
  kind: number,
  throttle: CounterSet = 0,
  overflow: CounterSet = 0,
): string | null {
  const { world, state } = candidate;
  return actions.refusal(world, state, aim(candidate, kind, overflow, throttle));
}

export function act(
  candidate: Candidate,
  sink: WriteSink,
  kind: number,
  value = 0,
  throttle: CounterSet = 0,
): void {
  const { world, state } = candidate;
  actions.perform(world, state, aim(candidate, kind, value, throttle), sink);
}

/** The effect of a step that is one of the machine's own actions about its target. */
export function acts(kind: number): Effect {
  return (candidate, sink) => act(candidate, sink, kind);
}

/** The effect of a step that begins an operation, which makes its first micro-step unless it was over at once. */
export function begins(kind: number): Effect {
  return (candidate, sink) => {
    act(candidate, sink, kind);
    goOn(candidate, sink);
  };
}

/** The next micro-step of the operation under way, where there is one. */
export function goOn(candidate: Candidate, sink: WriteSink): void {
  if (candidate.cpu.operation !== IDLE) {
    act(candidate, sink, actions.ADVANCE);
  }
}
