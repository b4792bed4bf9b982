/** Why not: the steps that the actors of a world might take but cannot in a state, each with the guards that are false. */
import { ACTOR_KINDS } from '../../../schemas/exploration-model.js';
import { running } from '../../pmu/arch/hardware.js';
import * as actions from '../../pmu/machine/actions.js';
import { isInGuest } from '../../pmu/machine/micro-step.js';
import { IDLE, type LogicalCpu, type MachineState } from '../../pmu/machine/state.js';
import { tickHasWork } from '../../pmu/machine/tick-work.js';
import type { World } from '../../pmu/machine/world.js';
import { HOST_OWNED } from '../../pmu/perf/perf-event.js';
import * as label from './step-labels.js';
import { START_ACTIONS, type Steps } from './steps.js';

export interface RefusedStep {
  readonly label: number;
  /** Sentences, at least one. */
  readonly guards: string[];
}

/** By step: the machine's action whose guard decides, where there is one. */
const MACHINE_ACTIONS: Readonly<Record<number, number>> = {
  ...START_ACTIONS,
  [label.ADVANCE]: actions.ADVANCE,
  [label.ADD]: actions.OPEN,
  [label.MIGRATE]: actions.MIGRATE,
  [label.OVERFLOW_AND_THROTTLE]: actions.NMI,
  [label.FOREIGN_NMI]: actions.NMI,
  [label.OVERFLOW]: actions.LATCH,
  [label.SNAPSHOT]: actions.NMI,
  [label.RESET_NMI]: actions.NMI_RESET,
};

/** Steps that are about a CPU and nothing on it. */
const AT_A_CPU = [label.TICK, label.SECTION, label.FOREIGN_NMI, label.SNAPSHOT, label.RESET_NMI];

/** `possible` are the labels of the steps that can be taken. */
export function refusedSteps(
  steps: Steps,
  state: MachineState,
  spent: Int32Array,
  possible: ReadonlySet<number>,
): RefusedStep[] {
  return state.cpus
    .flatMap((cpu) => candidates(steps, state, cpu))
    .filter((candidate) => !possible.has(candidate))
    .map((candidate) => ({
      label: candidate,
      guards: guardsAgainst(steps, state, spent, candidate),
    }));
}

/** Every step on a CPU of an actor that the world has. */
function candidates(steps: Steps, state: MachineState, cpu: LogicalCpu): number[] {
  const labels: number[] = [];
  const add = (step: number, target: number): void => {
    if (steps.hasActor(step)) {
      labels.push(label.labelOf(step, cpu.index, target));
    }
  };
  if (cpu.operation !== IDLE) {
    add(label.ADVANCE, 0);
  }
  state.vcpus.forEach((vcpu, at) => {
    add(vcpu.cpu === cpu.index ? label.RUN : label.MIGRATE, at);
  });
  for (const step of AT_A_CPU) {
    add(step, 0);
  }
  const throttles = steps.hasActor(label.OVERFLOW_AND_THROTTLE);
  state.events.forEach((event, at) => {
    const config = steps.world.eventConfigs[at]!;
    if (config.owner !== HOST_OWNED || config.cpu !== cpu.index) {
      return;
    }
    for (const step of [label.ENABLE, label.DISABLE, label.CLOSE, label.ADD]) {
      add(step, at);
    }
    if (throttles && event.counter >= 0) {
      add(steps.explored.late ? label.OVERFLOW : label.OVERFLOW_AND_THROTTLE, event.counter);
    }
  });
  return labels;
}

function guardsAgainst(
  steps: Steps,
  state: MachineState,
  spent: Int32Array,
  candidate: number,
): string[] {
  const step = label.stepOf(candidate);
  const cpu = state.cpus[label.cpuOf(candidate)]!;
  const target = label.targetOf(candidate);
  const guards: string[] = [];
  if (!steps.mayAct(spent, step)) {
    guards.push(`the budget of ${ACTOR_KINDS[label.ACTOR_OF_STEP[step]!]} is spent`);
  }
  const kind = MACHINE_ACTIONS[step];
  if (kind !== undefined) {
    const overflows = step === label.OVERFLOW ? 1 << target : 0;
    const throttles = step === label.OVERFLOW_AND_THROTTLE ? 1 << target : 0;
    const reason = steps.refusal(state, kind, cpu, target, overflows, throttles);
    guards.push(
      ...(reason === null ? [] : [reason]),
      ...furtherGuards(steps.world, state, cpu, step, target),
    );
  }
  return guards.length > 0 ? guards : ['KVM has a guest counter to reprogram first'];
}

/** What a search demands beyond the machine's own guards. */
function furtherGuards(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  step: number,
  target: number,
): string[] {
  const { hardware, cpuc } = cpu;
  switch (step) {
    case label.OVERFLOW:
    case label.OVERFLOW_AND_THROTTLE: {
      const counter = 1 << target;
      return [
        ...((running(hardware) & counter) === 0 ? ['the counter does not count'] : []),
        ...(step === label.OVERFLOW && (hardware.status | hardware.dsRecords) & counter
          ? ['its overflow is latched already']
          : []),
        ...(cpuc.pebsEnabled & ~hardware.pebsEnable & counter
          ? ['its bit in IA32_PEBS_ENABLE is clear, so it writes no record']
          : []),
      ];
    }
    case label.TICK:
      return tickHasWork(world, state, cpu)
        ? []
        : ['nothing was throttled since the last tick, and no event is in frequency mode'];
    case label.SNAPSHOT:
      return isInGuest(cpu.pc) ? ['the CPU is in the guest'] : [];
    default:
      return [];
  }
}
