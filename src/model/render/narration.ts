/**
 * A path told for people and machines: each step with its actor, its MSR writes and what it changed, as JSON, as a story,
 * and as a sequence diagram.
 */
import type { CounterexampleStep } from '../../../schemas/counterexample.js';
import type { Path } from '../../explorer/path.js';
import { initialState, replay } from '../../explorer/path.js';
import { counterName, counterNames } from '../../pmu/arch/counter-set.js';
import { msrName, VIA_NAMES } from '../../pmu/arch/msr.js';
import { WriteSink } from '../../pmu/arch/write-sink.js';
import { nextOverflowed } from '../../pmu/kvm/guest-counters.js';
import { nextStep } from '../../pmu/machine/advance.js';
import { D1, K0, REST, STEP_NAMES, VMX_ABORT } from '../../pmu/machine/micro-step.js';
import {
  isAboutEvent,
  type MachineState,
  OPERATION_NAMES,
  RUN_VCPU,
} from '../../pmu/machine/state.js';
import { NMI_SOURCE, stepSource } from '../../pmu/machine/step-sources.js';
import { NO_EVENT, statusName } from '../../pmu/perf/perf-event.js';
import { formatMsrValue } from '../../service/wire.js';
import type { MachineModel } from '../machine-model.js';
import * as steps from '../steps/step-labels.js';

/** A step with what the other forms need of it. */
export interface ToldStep extends CounterexampleStep {
  readonly label: number;
}

/** Replays a path and tells every step. */
export function narrate(model: MachineModel, path: Path): ToldStep[] {
  const taken = replay(model, path);
  let before = initialState(model);
  return taken.map(({ label, state: after }) => {
    const told = tell(model, before, after, label);
    before = after;
    return told;
  });
}

function tell(model: MachineModel, before: Int32Array, after: Int32Array, label: number): ToldStep {
  const from = model.unpacked(before).state;
  const to = model.unpacked(after).state;
  const { state: acting, spent } = model.unpacked(before);
  const sink = new WriteSink();
  sink.listed = [];
  const cpu = acting.cpus[steps.cpuOf(label)]!;
  const executes = executedStep(model, acting, label);
  model.steps.take(acting, spent, label, sink);
  return {
    label,
    actor: actorOf(model, from, label),
    cpu: cpu.index,
    action: actionOf(model, from, label),
    ...(executes === undefined ? {} : { micro_step: STEP_NAMES[executes]! }),
    source: executes === undefined ? sourceOf(label) : stepSource(executes),
    msr_writes: sink.take().map(({ msr, via, value, row }) => ({
      msr: msrName(msr),
      via: VIA_NAMES[via]!,
      value: formatMsrValue(msr, value, model.explored.host.addresses),
      row,
    })),
    state_change: changes(model, from, to),
  };
}

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

function actorOf(model: MachineModel, state: MachineState, label: number): ToldStep['actor'] {
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

function describeOperation(model: MachineModel, operation: number, target: number): string {
  if (operation === RUN_VCPU) {
    return vcpuName(model, target);
  }
  const name = OPERATION_NAMES[operation]!.replaceAll('_', ' ');
  return isAboutEvent(operation) ? `${name} ${eventName(model, target)}` : name;
}

function sourceOf(label: number): string {
  const step = steps.stepOf(label);
  return isNmi(step) && step !== steps.SNAPSHOT ? NMI_SOURCE : '';
}

/** The fields that differ, as `name: before -> after`. */
function changes(model: MachineModel, from: MachineState, to: MachineState): string[] {
  const lines: string[] = [];
  const note = (name: string, before: string, after: string): void => {
    if (before !== after) {
      lines.push(`${name}: ${before} -> ${after}`);
    }
  };
  const set = (value: number): string => counterNames(value).join('+') || '0';
  from.events.forEach((event, at) => {
    note(eventName(model, at), statusName(event), statusName(to.events[at]!));
  });
  from.cpus.forEach((cpu, at) => {
    const other = to.cpus[at]!;
    const prefix = from.cpus.length > 1 ? `cpu${at} ` : '';
    note(`${prefix}pebs_enabled`, set(cpu.cpuc.pebsEnabled), set(other.cpuc.pebsEnabled));
    note(`${prefix}IA32_PEBS_ENABLE`, set(cpu.hardware.pebsEnable), set(other.hardware.pebsEnable));
    note(`${prefix}enabled`, String(cpu.cpuc.enabled), String(other.cpuc.enabled));
    note(
      `${prefix}IA32_PERF_GLOBAL_CTRL`,
      set(cpu.hardware.globalCtrl),
      set(other.hardware.globalCtrl),
    );
    const address = (identity: number): string =>
      formatMsrValue(1, identity, model.explored.host.addresses);
    if (other.pc === VMX_ABORT) {
      lines.push(`${prefix}VMX abort: a register refused its value, and the CPU shuts down`);
    }
    note(`${prefix}IA32_DS_AREA`, address(cpu.hardware.dsArea), address(other.hardware.dsArea));
  });
  from.vcpus.forEach((vcpu, at) => {
    const listed = (state: MachineState): string =>
      state.vcpus[at]!.autoload.listed().map(msrName).join('+');
    note(`${vcpuName(model, at)} load areas`, listed(from) || 'empty', listed(to) || 'empty');
    note(`${vcpuName(model, at)} CPU`, String(vcpu.cpu), String(to.vcpus[at]!.cpu));
  });
  return lines;
}

/** The steps as numbered lines. */
export function story(title: string, told: readonly ToldStep[]): string {
  const lines = told.map((step, at) => {
    const number = String(at + 1).padStart(3);
    const what =
      step.micro_step === undefined ? step.action : `${step.micro_step} (${step.action})`;
    const writes = step.msr_writes.map((write) => `${write.msr} := ${write.value} by ${write.via}`);
    const details = [...writes, ...step.state_change, ...(step.source === '' ? [] : [step.source])];
    return `${number} cpu${step.cpu} ${step.actor.padEnd(5)} ${what}${details.map((line) => `\n${' '.repeat(16)}${line}`).join('')}`;
  });
  return `${title}\n\n${lines.join('\n')}\n`;
}

/** A Mermaid sequence diagram: software and hardware as participants, MSR writes as messages. */
export function mermaid(told: readonly ToldStep[]): string {
  const lines = [
    'sequenceDiagram',
    '  participant perf',
    '  participant kvm',
    '  participant nmi',
    '  participant cpu',
    '  participant guest',
    '  participant host',
  ];
  for (const step of told) {
    const what = (step.micro_step ?? step.action).replaceAll(';', ',').replaceAll(':', ' ');
    if (step.msr_writes.length === 0) {
      lines.push(`  Note over ${step.actor}: ${what}`);
    }
    for (const write of step.msr_writes) {
      lines.push(`  ${step.actor}->>cpu: ${what} ${write.msr} = ${write.value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
