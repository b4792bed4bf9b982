/** What the host's users do to their perf events. */
import * as actions from '../../pmu/machine/actions.js';
import type { ExploredWorld } from '../explored-world.js';
import type { ActorKind } from '../vocabulary.js';
import { allows } from './guards.js';
import { act, begin, begins } from './machine-actions.js';
import { eventName } from './names.js';
import { PMU_DISABLE_FIRST } from './operation.js';
import type { ScriptStep, StepKind } from './step-kind.js';

function changeOf(actor: ActorKind, verb: string, kind: number): StepKind {
  return {
    actor,
    about: 'host_event',
    ...PMU_DISABLE_FIRST,
    guards: [allows(kind)],
    effect: begins(kind),
    words: (explored, _state, _cpu, target) => `${verb} ${eventName(explored, target)}`,
    script: (script, explored, _state, cpu, target) =>
      script.begin(cpu.index, { action: `${verb}_event`, event: eventName(explored, target) }),
  };
}

const ENABLE = changeOf('event_enable', 'enable', actions.START_ENABLE);
const DISABLE = changeOf('event_disable', 'disable', actions.START_DISABLE);
const CLOSE = changeOf('event_del', 'close', actions.START_CLOSE);

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
