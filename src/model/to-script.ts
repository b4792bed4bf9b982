/**
 * A path as a script that a live host replays: the operations in the order in which they started, with the NMIs that
 * landed in them. Micro-steps of different CPUs need not interleave, except around the few steps that change what belongs
 * to another CPU: the operations under way are cut in two there. What the path leaves in the middle, so does the script.
 */

import { initialState, type Path, replay } from '../explorer/path.js';
import type { Words } from '../pmu/fields/record.js';
import {
  D1_N_ADDED,
  E2_ENABLED,
  isInGuest,
  K1_RUN,
  K12_FASTPATH,
  STEP_NAMES,
} from '../pmu/machine/micro-step.js';
import { EXIT_REENTER, IDLE, type LogicalCpu, MachineState } from '../pmu/machine/state.js';
import { HOST_OWNED } from '../pmu/perf/perf-event.js';
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
  /** What it is the rest of. */
  readonly restOf?: Open;
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
    writer.step(before, label, state);
    before = state;
  }
  return writer.finish(before);
}

class ScriptWriter implements StepScript {
  private readonly actions: ScriptStep[] = [];
  private readonly open: (Open | undefined)[] = [];
  private readonly state = new MachineState();
  private readonly after = new MachineState();
  private readonly spent = new Int32Array(ACTOR_KINDS.length);

  constructor(private readonly model: MachineModel) {
    this.state.copyFrom(model.explored.initial);
    this.after.copyFrom(model.explored.initial);
  }

  step(before: Int32Array, label: number, after: Int32Array): void {
    const { model, state } = this;
    model.layout.unpack(after, 0, this.after, this.spent);
    model.layout.unpack(before, 0, state, this.spent);
    this.cutWhereSeen(cpuOf(label));
    const cpu = state.cpus[cpuOf(label)]!;
    kindOf(label).script(this, model.explored, state, cpu, targetOf(label));
  }

  finish(last: Int32Array): ScriptStep[] {
    this.model.layout.unpack(last, 0, this.state, this.spent);
    for (const cpu of this.state.cpus) {
      this.cut(cpu);
    }
    return this.actions;
  }

  /** A step that changes the machine, or what belongs to other CPUs, comes between the micro-steps under way there. */
  private cutWhereSeen(acting: number): void {
    const { cpus, noIsolation } = this.state;
    const isForAll = noIsolation !== this.after.noIsolation;
    const seenBy = cpus.filter(
      ({ index }) => isForAll || (index !== acting && this.changes(index)),
    );
    if (seenBy.length > 0) {
      for (const cpu of [cpus[acting]!, ...seenBy]) {
        this.cut(cpu);
      }
    }
  }

  /** Whether the step changes a CPU, or an event or a vCPU that belongs to it. */
  private changes(cpu: number): boolean {
    const { state, after } = this;
    const { eventConfigs } = this.model.explored.world;
    return (
      differ(state.cpus[cpu]!, after.cpus[cpu]!) ||
      state.vcpus.some((vcpu, at) => vcpu.cpu === cpu && differ(vcpu, after.vcpus[at]!)) ||
      state.events.some((event, at) => {
        const { owner, cpu: own } = eventConfigs[at]!;
        const home = owner === HOST_OWNED ? own : state.vcpus[owner]!.cpu;
        return home === cpu && differ(event, after.events[at]!);
      })
    );
  }

  /** Leaves what a CPU has under way where it is; what comes of it later is an action of its own. */
  private cut(cpu: LogicalCpu): void {
    const open = this.open[cpu.index];
    if (cpu.operation === IDLE || open === undefined || open.microSteps === 0) {
      return;
    }
    const { action, last, microSteps } = open;
    const isRun = action.action === 'transition';
    if (!isRun) {
      action.micro_steps = microSteps;
    } else if (!(last === K12_FASTPATH && cpu.exitReason === EXIT_REENTER)) {
      action.kind = 'micro_step';
      action.count = microSteps;
    }
    const rest = isRun
      ? { action: 'transition', vcpu: action.vcpu, kind: 'micro_step', count: 0 }
      : { action: 'advance', cpu: cpu.index };
    this.open[cpu.index] = { action: rest, passed: new Map(), microSteps: 0, last, restOf: open };
  }

  act(action: ScriptStep): void {
    this.actions.push(action);
  }

  begin(cpu: number, action: ScriptStep, first = D1_N_ADDED): void {
    this.open[cpu] = { action, passed: new Map([[first, 1]]), microSteps: 1, last: first };
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

  /**
   * What comes while an action is under way is injected into it; what comes between two is an action of its own, unless the
   * guest runs, which no NMI interrupts but by injection.
   */
  private interrupt(
    cpu: number,
    injected: Omit<Injection, 'at' | 'occurrence'>,
    alone: ScriptStep,
  ): void {
    const { operation, pc } = this.state.cpus[cpu]!;
    const latest = this.open[cpu];
    const open = latest?.microSteps === 0 && isInGuest(pc) ? latest.restOf : latest;
    if (open === undefined || operation === IDLE || open.microSteps === 0) {
      this.actions.push(alone);
      return;
    }
    open.action.inject ??= [];
    const occurrence = open.passed.get(open.last) ?? 1;
    open.action.inject.push({ at: STEP_NAMES[open.last]!, occurrence, ...injected });
  }
}

function differ(before: Words, after: Words): boolean {
  return before.words.some((word, at) => word !== after.words[at]);
}
