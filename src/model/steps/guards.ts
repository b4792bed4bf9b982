/** The guards that several kinds of steps share. */
import { refuseAbsentThread, refuseShutDown, refuseUnlessIdle } from '../../pmu/machine/guards.js';
import { E3_READ_PEBS_ENABLED } from '../../pmu/machine/micro-step.js';
import * as machine from '../../pmu/machine/reprogram.js';
import { IDLE } from '../../pmu/machine/state.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import { refusal } from './machine-actions.js';
import type { Ask, Candidate, Guard } from './step-kind.js';

/** What refuses a step says why, and null where it does not. */
export function unless(refuses: Ask<string | null>): Guard {
  return {
    holds: (candidate) => refuses(candidate) === null,
    words: (candidate) => refuses(candidate) ?? '',
  };
}

/** The machine's own guard of one of its actions about the target. */
export function allows(kind: number): Guard {
  return unless((candidate) => refusal(candidate, kind));
}

/** A guard of counters. */
export function ofCounters(among: NonNullable<Guard['among']>, words: string): Guard {
  return {
    among,
    holds: (candidate) => (among(candidate) & (1 << candidate.target)) !== 0,
    words,
  };
}

export const AT_ANY_TIME: Guard = { holds: () => true, words: '', alwaysHolds: () => true };

/** Asked of every CPU in every state, so without a sentence being made for those that are busy. */
export const IDLE_CPU: Guard = {
  holds: ({ cpu }) => cpu.operation === IDLE,
  words: ({ cpu }) => refuseUnlessIdle(cpu) ?? '',
};

/**
 * What KVM reprograms next so that the events behind guest counters are what the guests' registers say. The machine's answer,
 * which is known beforehand in worlds without guest counters.
 */
export function nextToReprogram({ explored, world, state, cpu }: Candidate): number {
  return explored.guestCounters === 0 ? NO_EVENT : machine.nextToReprogram(world, state, cpu);
}

export const AT_REST: Guard = {
  holds: (candidate) => candidate.cpu.operation === IDLE && nextToReprogram(candidate) === NO_EVENT,
  words: ({ cpu }) => refuseUnlessIdle(cpu) ?? machine.REPROGRAM_FIRST,
};

export const INTERRUPTIBLE: Guard = {
  alwaysHolds: ({ nmiInE3 }) => nmiInE3,
  holds: ({ explored, cpu }) => explored.nmiInE3 || cpu.pc !== E3_READ_PEBS_ENABLED,
  words: 'nmi_in_e3 is false: nothing comes between the load of pebs_enabled and its WRMSR',
};

export const POWERED = unless(({ cpu }) => refuseShutDown(cpu));

/** Of an event of a vCPU. */
export const OWNER_ON_CPU = unless(({ world, cpu, target }) =>
  refuseAbsentThread(cpu, world.eventConfigs[target]!.owner),
);
