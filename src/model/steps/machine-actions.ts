/** The machine's own actions as steps use them: asked for and carried out without allocating anything. */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import * as actions from '../../pmu/machine/actions.js';
import { IDLE, type LogicalCpu, type MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import type { Effect } from './step-kind.js';

const action: actions.Action = { kind: 0, cpu: 0, target: 0, value: 0, throttle: 0 };

function aim(
  kind: number,
  cpu: LogicalCpu,
  target: number,
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
  explored: ExploredWorld,
  state: MachineState,
  kind: number,
  cpu: LogicalCpu,
  target: number,
  throttle: CounterSet = 0,
  value = 0,
): string | null {
  return actions.refusal(explored.world, state, aim(kind, cpu, target, value, throttle));
}

export function act(
  explored: ExploredWorld,
  state: MachineState,
  sink: WriteSink,
  kind: number,
  cpu: LogicalCpu,
  target: number,
  value = 0,
  throttle: CounterSet = 0,
): void {
  actions.perform(explored.world, state, aim(kind, cpu, target, value, throttle), sink);
}

/** The effect of a step that is one of the machine's own actions about its target. */
export function acts(kind: number): Effect {
  return (explored, state, cpu, target, sink) => act(explored, state, sink, kind, cpu, target);
}

/** The effect of a step that begins an operation. */
export function begins(kind: number): Effect {
  return (explored, state, cpu, target, sink) => begin(explored, state, sink, kind, cpu, target);
}

/** Begins an operation, which makes its first micro-step unless it was over at once. */
export function begin(
  explored: ExploredWorld,
  state: MachineState,
  sink: WriteSink,
  kind: number,
  cpu: LogicalCpu,
  target: number,
): void {
  act(explored, state, sink, kind, cpu, target);
  goOn(explored, state, sink, cpu);
}

/** The next micro-step of the operation under way, where there is one. */
export function goOn(
  explored: ExploredWorld,
  state: MachineState,
  sink: WriteSink,
  cpu: LogicalCpu,
): void {
  if (cpu.operation !== IDLE) {
    act(explored, state, sink, actions.ADVANCE, cpu, 0);
  }
}
