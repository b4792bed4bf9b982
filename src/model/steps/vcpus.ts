/** Threads of vCPUs: KVM brings their events in line with their registers, runs them, and the scheduler moves them. */
import { nextOverflowed } from '../../pmu/kvm/guest-counters.js';
import * as actions from '../../pmu/machine/actions.js';
import { D1_N_ADDED, K0_IRQ_OFF } from '../../pmu/machine/micro-step.js';
import { reprogramming } from '../../pmu/machine/reprogram.js';
import { hasSchedulableEvents, hasScheduledEvents } from '../../pmu/machine/sched-in-out.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import { type ExploredWorld, mayAct } from '../explored-world.js';
import { AT_REST, allows, IDLE_CPU, nextToReprogram, OWNER_ON_CPU } from './guards.js';
import { acts, begins } from './machine-actions.js';
import { eventName, vcpuName } from './names.js';
import { PMU_DISABLE_FIRST } from './operation.js';
import type { Guard, StepKind } from './step-kind.js';

/** Threads have no events of their own but those behind their guests' counters. */
function hasGuestCounters({ guestCounters }: ExploredWorld): boolean {
  return guestCounters !== 0;
}

const DIFFERS: Guard = {
  holds: ({ world, state, target }) => reprogramming(world, state, target) !== 'none',
  words: 'its event is as its registers ask for',
};

/** KVM goes through a guest's counters in order. */
const IS_NEXT: Guard = {
  holds: (candidate) => {
    const next = nextToReprogram(candidate);
    return next === NO_EVENT || next >= candidate.target;
  },
  words: (candidate) =>
    `KVM reprograms ${eventName(candidate.explored, nextToReprogram(candidate))} first`,
};

const REPROGRAM: StepKind = {
  isIn: hasGuestCounters,
  about: 'guest_event',
  when: IDLE_CPU,
  guards: [OWNER_ON_CPU, DIFFERS, IS_NEXT],
  effect: begins(actions.REPROGRAM),
  words: ({ explored, target }) => `KVM reprograms ${eventName(explored, target)}`,
  by: 'perf',
  script: ({ cpu }) => ({ begin: { action: 'advance', cpu: cpu.index } }),
};

export const RUN: StepKind = {
  about: 'vcpu',
  when: AT_REST,
  guards: [allows(actions.START_RUN)],
  effect: begins(actions.START_RUN),
  words: ({ explored, target }) => `${vcpuName(explored, target)} runs`,
  by: 'kvm',
  // KVM may have an overflow to answer first.
  executes: ({ world, state, target }) =>
    nextOverflowed(state.vcpus[target]!, target, world.eventConfigs) === NO_EVENT
      ? K0_IRQ_OFF
      : D1_N_ADDED,
  script: ({ explored, target }) => ({
    begin: { action: 'transition', vcpu: vcpuName(explored, target), kind: 'round_trip' },
  }),
};

/** The scheduler puts a thread on its CPU, or takes it away. */
function switches(way: 'in' | 'out', kind: number, guards: readonly Guard[]): StepKind {
  return {
    isIn: hasGuestCounters,
    about: 'vcpu',
    ...PMU_DISABLE_FIRST,
    guards,
    effect: begins(kind),
    words: ({ explored, target }) =>
      `the thread of ${vcpuName(explored, target)} is switched ${way}`,
    script: ({ explored, target }) => ({
      begin: { action: `sched_${way}`, vcpu: vcpuName(explored, target) },
    }),
  };
}

const NOT_ON_CPU: Guard = {
  holds: ({ cpu, target }) => cpu.currentVcpu !== target,
  words: 'the vCPU thread is on its CPU already',
};

const HAS_EVENTS_TO_BRING: Guard = {
  holds: ({ world, state, target }) => hasSchedulableEvents(world, state, target),
  words: 'the vCPU thread has no event to bring to its CPU',
};

const HAS_EVENTS_TO_TAKE: Guard = {
  holds: ({ world, state, cpu, target }) => hasScheduledEvents(world, state, target, cpu),
  words: 'no event of the vCPU thread is on its CPU',
};

const HAS_SOMEWHERE_TO_GO: Guard = {
  holds: ({ explored, state, spent }) =>
    state.vcpus.length > 1 || mayAct(explored, spent, 'migrate'),
  words: 'no other vCPU wants the CPU, and this one cannot migrate',
};

/** To the CPU of the step. */
const MIGRATE: StepKind = {
  actor: 'migrate',
  about: 'vcpu_elsewhere',
  when: AT_REST,
  guards: [allows(actions.MIGRATE)],
  effect: acts(actions.MIGRATE),
  words: ({ explored, cpu, target }) =>
    `${vcpuName(explored, target)} migrates to CPU ${cpu.index}`,
  by: 'host',
  script: ({ explored, cpu, target }) => ({
    act: { action: 'migrate', vcpu: vcpuName(explored, target), cpu: cpu.index },
  }),
};

export const VCPU_STEPS: readonly StepKind[] = [
  REPROGRAM,
  RUN,
  switches('in', actions.START_SCHED_IN, [
    NOT_ON_CPU,
    HAS_EVENTS_TO_BRING,
    allows(actions.START_SCHED_IN),
  ]),
  switches('out', actions.START_SCHED_OUT, [
    allows(actions.START_SCHED_OUT),
    HAS_EVENTS_TO_TAKE,
    HAS_SOMEWHERE_TO_GO,
  ]),
  MIGRATE,
];
