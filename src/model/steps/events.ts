/** What the host's users do to their perf events. */
import * as actions from '../../pmu/machine/actions.js';
import type { ActorKind } from '../vocabulary.js';
import { allows } from './guards.js';
import { act, begins } from './machine-actions.js';
import { eventName } from './names.js';
import { PMU_DISABLE_FIRST } from './operation.js';
import type { Candidate, ScriptStep, StepKind } from './step-kind.js';

function changeOf(actor: ActorKind, verb: string, kind: number): StepKind {
  return {
    actor,
    about: 'host_event',
    ...PMU_DISABLE_FIRST,
    guards: [allows(kind)],
    effect: begins(kind),
    words: ({ explored, target }) => `${verb} ${eventName(explored, target)}`,
    script: ({ explored, target }) => ({
      begin: { action: `${verb}_event`, event: eventName(explored, target) },
    }),
  };
}

const beginEnable = begins(actions.START_ENABLE);

/** Opens the event as it was opened before, and enables it. */
const ADD: StepKind = {
  actor: 'event_add',
  about: 'host_event',
  ...PMU_DISABLE_FIRST,
  guards: [allows(actions.OPEN)],
  effect: (candidate, sink) => {
    const { preciseIp, dataCfg } = candidate.state.events[candidate.target]!;
    act(candidate, sink, actions.OPEN, preciseIp, dataCfg);
    beginEnable(candidate, sink);
  },
  words: ({ explored, target }) => `open and enable ${eventName(explored, target)}`,
  script: (candidate) => ({ begin: openedAgain(candidate) }),
};

/** The `open_event` that made the event, once more. */
function openedAgain({ explored: { spec, host }, target }: Candidate): ScriptStep {
  const name = host.eventNames[target];
  const events = spec.events ?? [];
  const opened = events.find((event, nth) => (event.name ?? `e${nth}`) === name);
  return { action: 'open_event', name, ...opened, disabled: false };
}

export const EVENT_STEPS: readonly StepKind[] = [
  changeOf('event_enable', 'enable', actions.START_ENABLE),
  changeOf('event_disable', 'disable', actions.START_DISABLE),
  changeOf('event_del', 'close', actions.START_CLOSE),
  ADD,
];
