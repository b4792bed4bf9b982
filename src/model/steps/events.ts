/** What the host's users do to their perf events. */
import * as actions from '../../pmu/machine/actions.js';
import type { ExploredWorld } from '../explored-world.js';
import { allows } from './guards.js';
import { act, begin } from './machine-actions.js';
import { eventName } from './names.js';
import { PMU_DISABLE_FIRST } from './operation.js';
import type { ScriptStep, StepKind } from './step-kind.js';

const ENABLE: StepKind = {
  actor: 'event_enable',
  about: 'host_event',
  ...PMU_DISABLE_FIRST,
  guards: [allows(actions.START_ENABLE)],
  effect: (explored, state, cpu, target, sink) =>
    begin(explored, state, sink, actions.START_ENABLE, cpu, target),
  words: (explored, _state, _cpu, target) => `enable ${eventName(explored, target)}`,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'enable_event', event: eventName(explored, target) }),
};

const DISABLE: StepKind = {
  actor: 'event_disable',
  about: 'host_event',
  ...PMU_DISABLE_FIRST,
  guards: [allows(actions.START_DISABLE)],
  effect: (explored, state, cpu, target, sink) =>
    begin(explored, state, sink, actions.START_DISABLE, cpu, target),
  words: (explored, _state, _cpu, target) => `disable ${eventName(explored, target)}`,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'disable_event', event: eventName(explored, target) }),
};

const CLOSE: StepKind = {
  actor: 'event_del',
  about: 'host_event',
  ...PMU_DISABLE_FIRST,
  guards: [allows(actions.START_CLOSE)],
  effect: (explored, state, cpu, target, sink) =>
    begin(explored, state, sink, actions.START_CLOSE, cpu, target),
  words: (explored, _state, _cpu, target) => `close ${eventName(explored, target)}`,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'close_event', event: eventName(explored, target) }),
};

/** Opens the event as it was opened before, and enables it. */
const ADD: StepKind = {
  actor: 'event_add',
  about: 'host_event',
  ...PMU_DISABLE_FIRST,
  guards: [allows(actions.OPEN)],
  effect: (explored, state, cpu, target, sink) => {
    const { preciseIp, dataCfg } = state.events[target]!;
    act(explored, state, sink, actions.OPEN, cpu, target, preciseIp, dataCfg);
    begin(explored, state, sink, actions.START_ENABLE, cpu, target);
  },
  words: (explored, _state, _cpu, target) => `open and enable ${eventName(explored, target)}`,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, openedAgain(explored, target)),
};

/** The `open_event` that made the event, once more. */
function openedAgain({ spec, host }: ExploredWorld, at: number): ScriptStep {
  const name = host.eventNames[at];
  const events = spec.events ?? [];
  const opened = events.find((event, nth) => (event.name ?? `e${nth}`) === name);
  return { action: 'open_event', name, ...opened, disabled: false };
}

export const EVENT_STEPS: readonly StepKind[] = [ENABLE, DISABLE, CLOSE, ADD];
