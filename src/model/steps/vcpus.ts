/** Threads of vCPUs: KVM brings their events in line with their registers, runs them, and the scheduler moves them. */

import { nextOverflowed } from '../../pmu/kvm/guest-counters.js';
import * as actions from '../../pmu/machine/actions.js';
import { D1_N_ADDED, K0_IRQ_OFF } from '../../pmu/machine/micro-step.js';
import { reprogramming } from '../../pmu/machine/reprogram.js';
import { hasSchedulableEvents, hasScheduledEvents } from '../../pmu/machine/sched-in-out.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import { type ExploredWorld, mayAct } from '../explored-world.js';
import { AT_REST, allows, IDLE_CPU, OWNER_ON_CPU } from './guards.js';
import { acts, begins } from './machine-actions.js';
import { eventName, vcpuName } from './names.js';
import { PMU_DISABLE_FIRST } from './operation.js';
import { nextToReprogram } from './reprogramming.js';
import type { Guard, StepKind } from './step-kind.js';

/** Threads have no events of their own but those behind their guests' counters. */
function hasGuestCounters({ guestCounters }: ExploredWorld): boolean {
  return guestCounters !== 0;
}

const DIFFERS: Guard = {
  holds: ({ world }, state, _cpu, target) => reprogramming(world, state, target) !== 'none',
  words: 'its event is as its registers ask for',
};

/** KVM goes through a guest's counters in order. */
const IS_NEXT: Guard = {
  holds: (explored, state, cpu, target) => {
    const next = nextToReprogram(explored, state, cpu);
    return next === NO_EVENT || next >= target;
  },
  words: (explored, state, cpu) =>
    `KVM reprograms ${eventName(explored, nextToReprogram(explored, state, cpu))} first`,
};

export const REPROGRAM: StepKind = {
  isIn: hasGuestCounters,
  about: 'guest_event',
  when: IDLE_CPU,
  guards: [OWNER_ON_CPU, DIFFERS, IS_NEXT],
  effect: begins(actions.REPROGRAM),
  words: (explored, _state, _cpu, target) => `KVM reprograms ${eventName(explored, target)}`,
  by: 'perf',
  script: (script, _explored, _state, cpu) =>
    script.begin(cpu.index, { action: 'advance', cpu: cpu.index }),
};

/** The micro-step with which a vCPU's run begins: KVM may have an overflow to answer first. */
function firstOfRun(
  { world }: ExploredWorld,
  state: MachineState,
  _cpu: LogicalCpu,
  vcpu: number,
): number {
  return nextOverflowed(state.vcpus[vcpu]!, vcpu, world.eventConfigs) === NO_EVENT
    ? K0_IRQ_OFF
    : D1_N_ADDED;
}

export const RUN: StepKind = {
  about: 'vcpu',
  when: AT_REST,
  guards: [allows(actions.START_RUN)],
  effect: begins(actions.START_RUN),
  words: (explored, _state, _cpu, target) => `${vcpuName(explored, target)} runs`,
  by: 'kvm',
  executes: firstOfRun,
  script: (script, explored, state, cpu, target) => {
    const action = { action: 'transition', vcpu: vcpuName(explored, target), kind: 'round_trip' };
    script.begin(cpu.index, action, firstOfRun(explored, state, cpu, target));
  },
};

const NOT_ON_CPU: Guard = {
  holds: (_explored, _state, cpu, target) => cpu.currentVcpu !== target,
  words: 'the vCPU thread is on its CPU already',
};

const HAS_EVENTS_TO_BRING: Guard = {
  holds: (explored, state, _cpu, target) => hasSchedulableEvents(explored.world, state, target),
  words: 'the vCPU thread has no event to bring to its CPU',
};

const SWITCH_IN: StepKind = {
  isIn: hasGuestCounters,
  about: 'vcpu',
  ...PMU_DISABLE_FIRST,
  guards: [NOT_ON_CPU, HAS_EVENTS_TO_BRING, allows(actions.START_SCHED_IN)],
  effect: begins(actions.START_SCHED_IN),
  words: (explored, _state, _cpu, target) =>
    `the thread of ${vcpuName(explored, target)} is switched in`,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'sched_in', vcpu: vcpuName(explored, target) }),
};

const HAS_EVENTS_TO_TAKE: Guard = {
  holds: (explored, state, cpu, target) => hasScheduledEvents(explored.world, state, target, cpu),
  words: 'no event of the vCPU thread is on its CPU',
};

const HAS_SOMEWHERE_TO_GO: Guard = {
  holds: (explored, state, _cpu, _target, spent) =>
    state.vcpus.length > 1 || mayAct(explored, spent, 'migrate'),
  words: 'no other vCPU wants the CPU, and this one cannot migrate',
};

const SWITCH_OUT: StepKind = {
  isIn: hasGuestCounters,
  about: 'vcpu',
  ...PMU_DISABLE_FIRST,
  guards: [allows(actions.START_SCHED_OUT), HAS_EVENTS_TO_TAKE, HAS_SOMEWHERE_TO_GO],
  effect: begins(actions.START_SCHED_OUT),
  words: (explored, _state, _cpu, target) =>
    `the thread of ${vcpuName(explored, target)} is switched out`,
  script: (script, explored, _state, cpu, target) =>
    script.begin(cpu.index, { action: 'sched_out', vcpu: vcpuName(explored, target) }),
};

/** To the CPU of the step. */
const MIGRATE: StepKind = {
  actor: 'migrate',
  about: 'vcpu_elsewhere',
  when: AT_REST,
  guards: [allows(actions.MIGRATE)],
  effect: acts(actions.MIGRATE),
  words: (explored, _state, cpu, target) =>
    `${vcpuName(explored, target)} migrates to CPU ${cpu.index}`,
  by: 'host',
  script: (script, explored, _state, cpu, target) =>
    script.act({ action: 'migrate', vcpu: vcpuName(explored, target), cpu: cpu.index }),
};

export const VCPU_STEPS: readonly StepKind[] = [REPROGRAM, RUN, SWITCH_IN, SWITCH_OUT, MIGRATE];
