/**
 * A path as what a client needs to replay it: a host to make, and a script for it, which has the operations in the order in
 * which they started, with the NMIs that landed in them. Micro-steps of different CPUs need not interleave, except around
 * the few steps that change what belongs to another CPU: the operations under way are cut in two there. What the path
 * leaves in the middle, so does the script.
 */
import type { Path } from '../explorer/path.js';
import type { Words } from '../pmu/fields/record.js';
import {
  D1_N_ADDED,
  E2_ENABLED,
  isInGuest,
  K1_RUN,
  K12_FASTPATH,
  STEP_NAMES,
} from '../pmu/machine/micro-step.js';
import { EXIT_REENTER, IDLE, type LogicalCpu, type MachineState } from '../pmu/machine/state.js';
import { HOST_OWNED } from '../pmu/perf/perf-event.js';
import type { ExploredWorld } from './explored-world.js';
import type { MachineModel } from './machine-model.js';
import { type PathStep, stepsAlongPath } from './render/path-steps.js';
import { candidateOf, cpuOf, kindOf } from './steps/index.js';
import type { Scripted, ScriptStep } from './steps/step-kind.js';
import type { HostSpec, WorldSpec } from './world-spec.js';

export interface ReplayScript {
  readonly host: HostSpec;
  readonly script: ScriptStep[];
}

export function replayScript(model: MachineModel, path: Path): ReplayScript {
  const { explored } = model;
  const writer = new ScriptWriter(explored);
  for (const step of stepsAlongPath(model, path)) {
    writer.step(step);
  }
  return {
    host: hostOf(explored.spec),
    script: [...setUpActions(explored.spec), ...writer.finish()],
  };
}

function hostOf(spec: WorldSpec): HostSpec {
  const { cpu_model, kernel, microcode, stepping, cpus, options } = spec;
  return {
    cpu_model,
    kernel,
    ...(microcode === undefined ? {} : { microcode }),
    ...(stepping === undefined ? {} : { stepping }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(options === undefined ? {} : { options }),
  };
}

/** The actions that build the world of a model on a fresh host: the same names as in the search. */
function setUpActions({ vcpus = [], events = [] }: WorldSpec): ScriptStep[] {
  return [
    ...vcpus.map(({ wrmsr: _, ...vcpu }, at) => ({ action: 'add_vcpu', name: `v${at}`, ...vcpu })),
    ...events.map((event, at) => ({ action: 'open_event', name: `e${at}`, ...event })),
    ...vcpus.flatMap(({ name, wrmsr = [] }, at) =>
      wrmsr.map((write) => ({ action: 'wrmsr', vcpu: name ?? `v${at}`, ...write })),
    ),
  ];
}

/** An operation being written down: its action, and how often each micro-step has come. */
interface Open {
  readonly action: ScriptStep & { inject?: Injection[] };
  readonly passed: Map<number, number>;
  microSteps: number;
  last: number;
  /** What it is the rest of. */
  readonly restOf?: Open;
}

interface Injection extends Pick<Scripted, 'nmi' | 'overflow'> {
  at: string;
  occurrence: number;
}

class ScriptWriter {
  private readonly actions: ScriptStep[] = [];
  private readonly open: (Open | undefined)[] = [];
  /** Before the step and after it. */
  private before: MachineState;
  private after: MachineState;

  constructor(private readonly explored: ExploredWorld) {
    this.before = explored.initial;
    this.after = explored.initial;
  }

  step({ label, executes, before, after }: PathStep): void {
    this.before = before;
    this.after = after;
    const cpu = cpuOf(label);
    this.cutWhereSeen(cpu);
    const { script } = kindOf(label);
    const { act, begin, exitFor, nmi, overflow } =
      script?.(candidateOf(this.explored, before, label)) ?? {};
    if (act !== undefined) {
      this.actions.push(act);
    } else if (begin !== undefined) {
      this.begin(cpu, begin, executes);
    } else if (overflow !== undefined) {
      this.interrupt(cpu, { overflow }, { action: 'overflow', cpu, counters: overflow });
    } else if (nmi !== undefined) {
      const { bpf_snapshot: isSnapshot, ...counters } = nmi;
      const action = isSnapshot ? 'bpf_snapshot' : 'nmi';
      this.interrupt(cpu, { nmi }, { action, cpu, ...counters });
    } else {
      this.goOn(cpu, executes!, exitFor);
    }
  }

  finish(): ScriptStep[] {
    for (const cpu of this.after.cpus) {
      this.cut(cpu);
    }
    return this.actions;
  }

  /** A step that changes the machine, or what belongs to other CPUs, comes between the micro-steps under way there. */
  private cutWhereSeen(acting: number): void {
    const { cpus, noIsolation } = this.before;
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
    const { before, after } = this;
    const { eventConfigs } = this.explored.world;
    return (
      differ(before.cpus[cpu]!, after.cpus[cpu]!) ||
      before.vcpus.some((vcpu, at) => vcpu.cpu === cpu && differ(vcpu, after.vcpus[at]!)) ||
      before.events.some((event, at) => {
        const { owner, cpu: own } = eventConfigs[at]!;
        const home = owner === HOST_OWNED ? own : before.vcpus[owner]!.cpu;
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

  private begin(cpu: number, action: ScriptStep, first = D1_N_ADDED): void {
    this.open[cpu] = { action, passed: new Map([[first, 1]]), microSteps: 1, last: first };
    this.actions.push(action);
  }

  /** The operation of a CPU makes one more micro-step. `exitFor`: its run leaves the guest for this reason, or never gets there. */
  private goOn(cpu: number, executed: number, exitFor: string | undefined): void {
    const open = this.open[cpu];
    if (open === undefined) {
      return;
    }
    if (exitFor !== undefined) {
      open.action.exit_reason = exitFor;
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

  /**
   * What comes while an action is under way is injected into it; what comes between two is an action of its own, unless the
   * guest runs, which no NMI interrupts but by injection.
   */
  private interrupt(
    cpu: number,
    injected: Pick<Scripted, 'nmi' | 'overflow'>,
    alone: ScriptStep,
  ): void {
    const { operation, pc } = this.before.cpus[cpu]!;
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
