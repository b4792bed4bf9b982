/**
 * A path as a script that a live host replays: the operations in the order in which they started, with the NMIs that
 * landed in them. Operations of different CPUs share nothing while they run, so their micro-steps need not interleave.
 */

import { initialState, type Path, replay } from '../explorer/path.js';
import { vcpuOfRun } from '../pmu/machine/begin.js';
import {
  D1_N_ADDED,
  E2_ENABLED,
  K1_RUN,
  K12_FASTPATH,
  REST,
  STEP_NAMES,
} from '../pmu/machine/micro-step.js';
import { EXIT_REENTER, IDLE, MachineState, NO_VCPU } from '../pmu/machine/state.js';
import type { MachineModel } from './machine-model.js';
import { cpuOf, kindOf, targetOf } from './steps/index.js';
import type { ScriptNmi, ScriptStep, StepScript } from './steps/step-kind.js';
import { ACTOR_KINDS } from './vocabulary.js';
import type { WorldSpec } from './world-spec.js';

/** An operation being written down: its action, and how often each micro-step has come. */
interface Open {
  readonly action: ScriptStep & { inject?: Injection[] };
  readonly passed: Map<number, number>;
  microSteps: number;
  last: number;
}

interface Injection {
  at: string;
  occurrence: number;
  nmi?: ScriptNmi;
  /** Instead: the NMI comes later. */
  overflow?: string[];
}

/** The actions that build the world of a model on a fresh host: the same names as in the search. */
export function setUpActions(model: WorldSpec): ScriptStep[] {
  return [
    ...(model.vcpus ?? []).map(({ wrmsr: _, ...vcpu }, at) => ({
      action: 'add_vcpu' as const,
      name: `v${at}`,
      ...vcpu,
    })),
    ...(model.events ?? []).map((event, at) => ({
      action: 'open_event' as const,
      name: `e${at}`,
      ...event,
    })),
    ...(model.vcpus ?? []).flatMap((vcpu, at) =>
      (vcpu.wrmsr ?? []).map((write) => ({
        action: 'wrmsr' as const,
        vcpu: vcpu.name ?? `v${at}`,
        ...write,
      })),
    ),
  ];
}

/** The actions of a path, after those of `setUpActions`. */
export function scriptOfPath(model: MachineModel, path: Path): ScriptStep[] {
  const writer = new ScriptWriter(model);
  let before = initialState(model);
  for (const { label, state } of replay(model, path)) {
    writer.step(before, label);
    before = state;
  }
  return writer.finish(before);
}

class ScriptWriter implements StepScript {
  private readonly model: MachineModel;
  private readonly actions: ScriptStep[] = [];
  private readonly open: (Open | undefined)[] = [];
  private readonly state = new MachineState();
  private readonly spent = new Int32Array(ACTOR_KINDS.length);

  constructor(model: MachineModel) {
    this.model = model;
    this.state.copyFrom(model.explored.initial);
  }

  step(before: Int32Array, label: number): void {
    const { model, state } = this;
    model.layout.unpack(before, 0, state, this.spent);
    const cpu = state.cpus[cpuOf(label)]!;
    kindOf(label).script(this, model.explored, state, cpu, targetOf(label));
  }

  /** Runs that have not come to their end are cut to the micro-steps they made. */
  finish(last: Int32Array): ScriptStep[] {
    const { model, state } = this;
    model.layout.unpack(last, 0, state, this.spent);
    this.open.forEach((open, index) => {
      const cpu = state.cpus[index]!;
      const unfinished = open !== undefined && vcpuOfRun(model.explored.world, cpu) !== NO_VCPU;
      if (
        unfinished &&
        open.microSteps > 0 &&
        !(open.last === K12_FASTPATH && cpu.exitReason === EXIT_REENTER)
      ) {
        open.action.kind = 'micro_step';
        open.action.count = open.microSteps;
      }
    });
    return this.actions;
  }

  act(action: ScriptStep): void {
    this.actions.push(action);
  }

  begin(cpu: number, action: ScriptStep, first = D1_N_ADDED): void {
    this.open[cpu] = { action, passed: new Map([[first, 1]]), microSteps: 1, last: first };
    this.actions.push(action);
  }

  beginWrmsr(cpu: number, action: ScriptStep): void {
    this.open[cpu] = { action, passed: new Map(), microSteps: 1, last: REST };
    this.actions.push(action);
  }

  goOn(cpu: number, executed: number): void {
    const open = this.open[cpu];
    if (open === undefined) {
      return;
    }
    if (open.action.action === 'transition' && open.last === K12_FASTPATH && executed === K1_RUN) {
      // The fast path re-enters: to a live host that is the next transition.
      const action = { action: 'transition', vcpu: open.action.vcpu, kind: 'round_trip' };
      this.begin(cpu, action, executed);
      return;
    }
    if (open.action.action === 'pmu_disable' && executed === E2_ENABLED) {
      this.begin(cpu, { action: 'pmu_enable', cpu }, executed);
      return;
    }
    if (open.microSteps === 0) {
      this.actions.push(open.action);
    }
    open.passed.set(executed, (open.passed.get(executed) ?? 0) + 1);
    open.microSteps += 1;
    open.last = executed;
    if (open.action.kind === 'micro_step') {
      open.action.count = open.microSteps;
    }
  }

  exitFor(cpu: number, reason: string): void {
    const open = this.open[cpu];
    if (open !== undefined) {
      open.action.exit_reason = reason;
    }
  }

  nmi(cpu: number, nmi: ScriptNmi): void {
    const { bpf_snapshot: snapshot, ...counters } = nmi;
    this.interrupt(
      cpu,
      { nmi },
      snapshot ? { action: 'bpf_snapshot', cpu } : { action: 'nmi', cpu, ...counters },
    );
  }

  overflow(cpu: number, counters: string[]): void {
    this.interrupt(cpu, { overflow: counters }, { action: 'overflow', cpu, counters });
  }

  /** What comes while an action is under way is injected into it; what comes between two is an action of its own. */
  private interrupt(
    cpu: number,
    injected: Omit<Injection, 'at' | 'occurrence'>,
    alone: ScriptStep,
  ): void {
    const open = this.open[cpu];
    const idle = this.state.cpus[cpu]!.operation === IDLE;
    if (open === undefined || idle || open.microSteps === 0) {
      this.actions.push(alone);
      return;
    }
    open.action.inject ??= [];
    const occurrence = open.passed.get(open.last) ?? 1;
    open.action.inject.push({ at: STEP_NAMES[open.last]!, occurrence, ...injected });
  }

  /** Runs under way are cut in two, so that the load comes between their micro-steps. */
  loadMicrocode(): void {
    this.open.forEach((open, index) => {
      if (open === undefined || open.microSteps === 0) return;
      if (vcpuOfRun(this.model.explored.world, this.state.cpus[index]!) === NO_VCPU) return;
      const { vcpu } = open.action;
      open.action.kind = 'micro_step';
      open.action.count = open.microSteps;
      const rest = { action: 'transition', vcpu, kind: 'micro_step', count: 0 };
      this.open[index] = { action: rest, passed: new Map(), microSteps: 0, last: open.last };
    });
    this.actions.push({ action: 'microcode_load', microcode: '0xffffffff' });
  }
}
