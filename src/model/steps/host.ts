/** What the host does on its own: its timer, PMU disable and enable, and microcode. */
import * as actions from '../../pmu/machine/actions.js';
import { tickHasWork } from '../../pmu/machine/tick-work.js';
import { AT_ANY_TIME, allows } from './guards.js';
import { acts, begins } from './machine-actions.js';
import { PMU_DISABLE_FIRST } from './operation.js';
import type { Guard, StepKind } from './step-kind.js';

const TICK_HAS_WORK: Guard = {
  holds: ({ world, state, cpu }) => tickHasWork(world, state, cpu),
  words: 'nothing was throttled since the last tick, and no event is in frequency mode',
};

export const TICK: StepKind = {
  actor: 'tick',
  about: 'cpu',
  ...PMU_DISABLE_FIRST,
  guards: [TICK_HAS_WORK],
  effect: begins(actions.START_TICK),
  words: () => 'timer tick',
  script: ({ cpu }) => ({ begin: { action: 'tick', cpu: cpu.index } }),
};

export const SECTION: StepKind = {
  actor: 'pmu_section',
  about: 'cpu',
  ...PMU_DISABLE_FIRST,
  guards: [],
  effect: begins(actions.START_SECTION),
  words: () => 'PMU disable and enable',
  script: ({ cpu }) => ({ begin: { action: 'pmu_disable', cpu: cpu.index } }),
};

export const LOAD_MICROCODE: StepKind = {
  actor: 'microcode_load',
  about: 'machine',
  when: AT_ANY_TIME,
  guards: [allows(actions.MICROCODE)],
  effect: acts(actions.MICROCODE),
  words: () => 'late microcode load',
  by: 'host',
  script: () => ({ act: { action: 'microcode_load', microcode: '0xffffffff' } }),
};
