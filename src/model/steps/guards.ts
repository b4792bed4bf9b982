/** The guards that several kinds of steps share. */

import { refuseAbsentThread, refuseShutDown, refuseUnlessIdle } from '../../pmu/machine/guards.js';
import { E3_READ_PEBS_ENABLED } from '../../pmu/machine/micro-step.js';
import { REPROGRAM_FIRST } from '../../pmu/machine/reprogram.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { IDLE } from '../../pmu/machine/state.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';
import { refusal } from './machine-actions.js';
import { nextToReprogram } from './reprogramming.js';
import type { Guard } from './step-kind.js';

/** The machine's own guard of one of its actions about the target. */
export function allows(kind: number): Guard {
  return {
    holds: (explored, state, cpu, target) => refusal(explored, state, kind, cpu, target) === null,
    words: (explored, state, cpu, target) => refusal(explored, state, kind, cpu, target) ?? '',
  };
}

/** A guard of counters. */
export function ofCounters(among: NonNullable<Guard['among']>, words: Guard['words']): Guard {
  return {
    among,
    holds: (explored, state, cpu, target) => (among(explored, state, cpu) & (1 << target)) !== 0,
    words,
  };
}

export const AT_ANY_TIME: Guard = { holds: () => true, words: '', alwaysHolds: () => true };

/** Asked of every CPU in every state, so without a sentence being made for those that are busy. */
export const IDLE_CPU: Guard = {
  holds: (_explored, _state, cpu) => cpu.operation === IDLE,
  words: (_explored, _state, cpu) => refuseUnlessIdle(cpu) ?? '',
};

export const AT_REST: Guard = {
  holds: isAtRest,
  words: (_explored, _state, cpu) => refuseUnlessIdle(cpu) ?? REPROGRAM_FIRST,
};

function isAtRest(explored: ExploredWorld, state: MachineState, cpu: LogicalCpu): boolean {
  return cpu.operation === IDLE && nextToReprogram(explored, state, cpu) === NO_EVENT;
}

export const INTERRUPTIBLE: Guard = {
  alwaysHolds: ({ nmiInE3 }) => nmiInE3,
  holds: ({ nmiInE3 }, _state, cpu) => nmiInE3 || cpu.pc !== E3_READ_PEBS_ENABLED,
  words: 'nmi_in_e3 is false: nothing comes between the load of pebs_enabled and its WRMSR',
};

export const POWERED: Guard = {
  holds: (_explored, _state, cpu) => refuseShutDown(cpu) === null,
  words: (_explored, _state, cpu) => refuseShutDown(cpu) ?? '',
};

/** Of an event of a vCPU. */
export const OWNER_ON_CPU: Guard = {
  holds: ({ world }, _state, cpu, target) =>
    refuseAbsentThread(cpu, world.eventConfigs[target]!.owner) === null,
  words: ({ world }, _state, cpu, target) =>
    refuseAbsentThread(cpu, world.eventConfigs[target]!.owner) ?? '',
};
