/**
 * A path told for people and machines: each step with its actor, its MSR writes and what it changed, as JSON, as a story,
 * and as a sequence diagram.
 */
import type { Path } from '../../explorer/path.js';
import { initialState, replay } from '../../explorer/path.js';
import { counterNames } from '../../pmu/arch/counter-set.js';
import { msrName, VIA_NAMES } from '../../pmu/arch/msr.js';
import { WriteSink } from '../../pmu/arch/write-sink.js';
import { STEP_NAMES, VMX_ABORT } from '../../pmu/machine/micro-step.js';
import type { MachineState } from '../../pmu/machine/state.js';
import { stepSource } from '../../pmu/machine/step-sources.js';
import { statusName } from '../../pmu/perf/perf-event.js';
import type { MachineModel } from '../machine-model.js';
import { cpuOf, kindOf } from '../steps/index.js';
import { eventName, vcpuName } from '../steps/names.js';
import { actionOf, actorOf, executedStep } from '../steps/told.js';
import { formatMsrValue } from '../values.js';
import type { StoryActor } from '../vocabulary.js';

/** A step as it is told in every form. */
export interface ToldStep {
  label: number;
  actor: StoryActor;
  cpu: number;
  /** What happens. */
  action: string;
  micro_step?: string;
  /** Where it stands in the kernel or the SDM. */
  source: string;
  msr_writes: { msr: string; via: (typeof VIA_NAMES)[number]; value: string; row: string }[];
  /** What is different afterwards. */
  state_change: string[];
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
  const cpu = acting.cpus[cpuOf(label)]!;
  const executes = executedStep(model.explored, acting, label);
  model.steps.take(acting, spent, label, sink);
  return {
    label,
    actor: actorOf(model.explored, from, label),
    cpu: cpu.index,
    action: actionOf(model.explored, from, label),
    ...(executes === undefined ? {} : { micro_step: STEP_NAMES[executes]! }),
    source: executes === undefined ? (kindOf(label).source ?? '') : stepSource(executes),
    msr_writes: sink.take().map(({ msr, via, value, row }) => ({
      msr: msrName(msr),
      via: VIA_NAMES[via]!,
      value: formatMsrValue(msr, value, model.explored.host.addresses),
      row,
    })),
    state_change: changes(model, from, to),
  };
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
    note(eventName(model.explored, at), statusName(event), statusName(to.events[at]!));
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
    note(
      `${vcpuName(model.explored, at)} load areas`,
      listed(from) || 'empty',
      listed(to) || 'empty',
    );
    note(`${vcpuName(model.explored, at)} CPU`, String(vcpu.cpu), String(to.vcpus[at]!.cpu));
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
