/** What a step of a path is, in words: who takes it, what happens, and which micro-step that is. */
import type { CounterexampleStep } from '../../../schemas/counterexample.js';
import { counterName, counterNames } from '../../pmu/arch/counter-set.js';
import { nextOverflowed } from '../../pmu/kvm/guest-counters.js';
import { nextStep } from '../../pmu/machine/advance.js';
import { D1, K0, REST, STEP_NAMES } from '../../pmu/machine/micro-step.js';
import {
  IDLE,
  isAboutEvent,
  type MachineState,
  OPERATION_NAMES,
  RUN_VCPU,
} from '../../pmu/machine/state.js';
import { NMI_SOURCE } from '../../pmu/machine/step-sources.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import type { MachineModel } from '../machine-model.js';
import * as steps from '../steps/step-labels.js';

/** The micro-step that the label makes its CPU execute, or undefined for what happens at once. */
export function executedStep(
  model: MachineModel,
  state: MachineState,
  label: number,
): number | undefined {
  const step = steps.stepOf(label);
  const cpu = state.cpus[steps.cpuOf(label)]!;
  switch (step) {
    case steps.ADVANCE:
    case steps.EXIT_AND_REENTER:
    case steps.FAIL_VMLAUNCH:
      return nextStep(model.explored.world, state, cpu);
    case steps.RUN:
      return firstOfRun(model, state, steps.targetOf(label));
    case steps.SWITCH_OUT:
    case steps.SWITCH_IN:
    case steps.TICK:
    case steps.ENABLE:
    case steps.DISABLE:
    case steps.CLOSE:
    case steps.ADD:
    case steps.SECTION:
      return STEP_NAMES.indexOf('d1_n_added');
    default:
      return undefined;
  }
}

/** The micro-step with which a vCPU's run begins: KVM may have to reprogram a counter first. */
export function firstOfRun(model: MachineModel, state: MachineState, vcpu: number): number {
  const { eventConfigs } = model.explored.world;
  return nextOverflowed(state.vcpus[vcpu]!, vcpu, eventConfigs) === NO_EVENT ? K0 : D1;
}

export function actorOf(
  model: MachineModel,
  state: MachineState,
  label: number,
): CounterexampleStep['actor'] {
  const step = steps.stepOf(label);
  if (isNmi(step)) {
    return 'nmi';
  }
  if (step === steps.FLIP_GLOBAL_CTRL || step === steps.FLIP_PEBS_ENABLE) {
    return 'guest';
  }
  const cpu = state.cpus[steps.cpuOf(label)]!;
  const runs = step === steps.RUN || (step <= steps.FAIL_VMLAUNCH && cpu.operation === RUN_VCPU);
  if (!runs) {
    return step === steps.MIGRATE || step === steps.LOAD_MICROCODE ? 'host' : 'perf';
  }
  const next = executedStep(model, state, label) ?? REST;
  const name = STEP_NAMES[next]!;
  return name === 'guest' ? 'guest' : name.startsWith('v') ? 'cpu' : 'kvm';
}

/** Whether a step is an overflow or an NMI. */
function isNmi(step: number): boolean {
  return (
    (step >= steps.OVERFLOW_AND_THROTTLE && step <= steps.SNAPSHOT) || step === steps.RESET_NMI
  );
}

function eventName(model: MachineModel, at: number): string {
  return model.explored.host.events[at]?.name ?? `event ${at}`;
}

function vcpuName(model: MachineModel, at: number): string {
  return model.explored.host.vcpus[at]?.name ?? `vCPU ${at}`;
}

/** What the step does, in words. */
export function actionOf(model: MachineModel, state: MachineState, label: number): string {
  const target = steps.targetOf(label);
  const cpu = state.cpus[steps.cpuOf(label)]!;
  switch (steps.stepOf(label)) {
    case steps.ADVANCE:
      return `${describeOperation(model, cpu.operation, cpu.target)} goes on`;
    case steps.EXIT_AND_REENTER:
      return 'VM-exit that the fast path handles and re-enters';
    case steps.FAIL_VMLAUNCH:
      return 'VMLAUNCH fails';
    case steps.RUN:
      return `${vcpuName(model, target)} runs`;
    case steps.SWITCH_OUT:
      return `the thread of ${vcpuName(model, target)} is switched out`;
    case steps.SWITCH_IN:
      return `the thread of ${vcpuName(model, target)} is switched in`;
    case steps.REPROGRAM:
      return `KVM reprograms ${eventName(model, target)}`;
    case steps.TICK:
      return 'timer tick';
    case steps.ENABLE:
      return `enable ${eventName(model, target)}`;
    case steps.DISABLE:
      return `disable ${eventName(model, target)}`;
    case steps.CLOSE:
      return `close ${eventName(model, target)}`;
    case steps.ADD:
      return `open and enable ${eventName(model, target)}`;
    case steps.SECTION:
      return 'PMU disable and enable';
    case steps.MIGRATE:
      return `${vcpuName(model, target)} migrates to CPU ${cpu.index}`;
    case steps.FLIP_PEBS_ENABLE:
      return `the guest flips its IA32_PEBS_ENABLE for ${eventName(model, target)}`;
    case steps.FLIP_GLOBAL_CTRL:
      return `the guest flips its IA32_PERF_GLOBAL_CTRL for ${eventName(model, target)}`;
    case steps.OVERFLOW_AND_THROTTLE:
      return `${counterName(target)} overflows and the NMI throttles its event`;
    case steps.FOREIGN_NMI:
      return 'NMI of another device';
    case steps.OVERFLOW:
      return `${counterName(target)} overflows; its NMI is on the way`;
    case steps.LATE_NMI:
      return 'the NMI arrives';
    case steps.LATE_NMI_THROTTLE:
      return `the NMI arrives and throttles ${counterNames(model.steps.latchedActive(cpu)).join(', ')}`;
    case steps.SNAPSHOT:
      return 'a BPF program takes a branch snapshot';
    case steps.RESET_NMI:
      return 'an NMI whose status never clears: after 100 loops the handler resets the PMU';
    default:
      return 'late microcode load';
  }
}

/** The operation that a step of a CPU belongs to: the one under way, or the one that it starts. */
export function operationOf(
  model: MachineModel,
  before: MachineState,
  after: MachineState,
  label: number,
): string {
  const at = steps.cpuOf(label);
  const [from, to] = [before.cpus[at]!, after.cpus[at]!];
  const { operation, target } = from.operation === IDLE ? to : from;
  return describeOperation(model, operation, target);
}

function describeOperation(model: MachineModel, operation: number, target: number): string {
  if (operation === RUN_VCPU) {
    return vcpuName(model, target);
  }
  const name = OPERATION_NAMES[operation]!.replaceAll('_', ' ');
  return isAboutEvent(operation) ? `${name} ${eventName(model, target)}` : name;
}

/** The kernel function behind what happens at once; empty where there is none. */
export function sourceOf(label: number): string {
  const step = steps.stepOf(label);
  return isNmi(step) && step !== steps.SNAPSHOT ? NMI_SOURCE : '';
}
