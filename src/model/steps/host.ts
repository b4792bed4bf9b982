/** What the host does on its own: its timer, sections of its PMU, and microcode. */
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import * as actions from '../../pmu/machine/actions.js';
import { D1 } from '../../pmu/machine/micro-step.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { tickHasWork } from '../../pmu/machine/tick-work.js';
import type { ExploredWorld } from '../explored-world.js';
import { AT_ANY_TIME, AT_REST, allows } from './guards.js';
import { act, begin } from './machine-actions.js';
import type { Guard, StepKind } from './step-kind.js';

const TICK_HAS_WORK: Guard = {
  holds: (explored, state, cpu) => tickHasWork(explored.world, state, cpu),
  words: 'nothing was throttled since the last tick, and no event is in frequency mode',
};

function tick(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  begin(explored, state, sink, actions.START_TICK, cpu, 0);
}

export const TICK: StepKind = {
  actor: 'tick',
  about: 'cpu',
  when: AT_REST,
  guards: [TICK_HAS_WORK],
  effect: tick,
  words: () => 'timer tick',
  by: 'perf',
  executes: () => D1,
  script: (script, _explored, _state, cpu) =>
    script.begin(cpu.index, { action: 'tick', cpu: cpu.index }, D1),
};

function section(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  begin(explored, state, sink, actions.START_SECTION, cpu, 0);
}

export const SECTION: StepKind = {
  actor: 'pmu_section',
  about: 'cpu',
  when: AT_REST,
  guards: [],
  effect: section,
  words: () => 'PMU disable and enable',
  by: 'perf',
  executes: () => D1,
  script: (script, _explored, _state, cpu) =>
    script.begin(cpu.index, { action: 'pmu_disable', cpu: cpu.index }, D1),
};

function loadMicrocode(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.MICROCODE, cpu, 0);
}

export const LOAD_MICROCODE: StepKind = {
  actor: 'microcode_load',
  about: 'machine',
  when: AT_ANY_TIME,
  guards: [allows(actions.MICROCODE)],
  effect: loadMicrocode,
  words: () => 'late microcode load',
  by: 'host',
  script: (script) => script.loadMicrocode(),
};
