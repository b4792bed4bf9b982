/** What the host's users do to their perf events. */
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import * as actions from '../../pmu/machine/actions.js';
import { D1 } from '../../pmu/machine/micro-step.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import { AT_REST, allows } from './guards.js';
import { act, begin } from './machine-actions.js';
import { eventName } from './names.js';
import type { ScriptStep, StepKind } from './step-kind.js';

function enable(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
): void {
  begin(explored, state, sink, actions.START_ENABLE, cpu, target);
}

const ENABLE: StepKind = {
  actor: 'event_enable',
  about: 'host_event',
  when: AT_REST,
  guards: [allows(actions.START_ENABLE)],
  effect: enable,
  words: (explored, _state, _cpu, target) => `enable ${eventName(explored, target)}`,
  by: 'perf',
  executes: () => D1,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'enable_event', event: eventName(explored, target) }, D1),
};

function disable(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
): void {
  begin(explored, state, sink, actions.START_DISABLE, cpu, target);
}

const DISABLE: StepKind = {
  actor: 'event_disable',
  about: 'host_event',
  when: AT_REST,
  guards: [allows(actions.START_DISABLE)],
  effect: disable,
  words: (explored, _state, _cpu, target) => `disable ${eventName(explored, target)}`,
  by: 'perf',
  executes: () => D1,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'disable_event', event: eventName(explored, target) }, D1),
};

function close(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
): void {
  begin(explored, state, sink, actions.START_CLOSE, cpu, target);
}

const CLOSE: StepKind = {
  actor: 'event_del',
  about: 'host_event',
  when: AT_REST,
  guards: [allows(actions.START_CLOSE)],
  effect: close,
  words: (explored, _state, _cpu, target) => `close ${eventName(explored, target)}`,
  by: 'perf',
  executes: () => D1,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'close_event', event: eventName(explored, target) }, D1),
};

/** Opens the event as it was opened before, and enables it. */
function add(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
): void {
  const { preciseIp, dataCfg } = state.events[target]!;
  act(explored, state, sink, actions.OPEN, cpu, target, preciseIp, dataCfg);
  begin(explored, state, sink, actions.START_ENABLE, cpu, target);
}

const ADD: StepKind = {
  actor: 'event_add',
  about: 'host_event',
  when: AT_REST,
  guards: [allows(actions.OPEN)],
  effect: add,
  words: (explored, _state, _cpu, target) => `open and enable ${eventName(explored, target)}`,
  by: 'perf',
  executes: () => D1,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, openedAgain(explored, target), D1),
};

/** The `open_event` that made the event, once more. */
function openedAgain({ spec, host }: ExploredWorld, at: number): ScriptStep {
  const name = host.eventNames[at];
  const events = spec.events ?? [];
  const opened = events.find((event, nth) => (event.name ?? `e${nth}`) === name);
  return { action: 'open_event', name, ...opened, disabled: false };
}

export const EVENT_STEPS: readonly StepKind[] = [ENABLE, DISABLE, CLOSE, ADD];
