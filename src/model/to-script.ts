/**
 * A path as a script that a live host replays: the operations in the order in which they started, with the NMIs that
 * landed in them. Operations of different CPUs share nothing while they run, so their micro-steps need not interleave.
 */

import { ACTOR_KINDS, type ExplorationModel } from '../../schemas/exploration-model.js';
import type { ScriptAction } from '../../schemas/script.js';
import { initialState, type Path, replay } from '../explorer/path.js';
import { counterNames } from '../pmu/arch/counter-set.js';
import { nextStep } from '../pmu/machine/advance.js';
import { vcpuOfRun } from '../pmu/machine/begin.js';
import { D1, STEP_NAMES } from '../pmu/machine/micro-step.js';
import { EXIT_REENTER, IDLE, MachineState, NO_VCPU } from '../pmu/machine/state.js';
import { formatCounterSet } from '../service/wire.js';
import type { MachineModel } from './machine-model.js';
import { firstOfRun } from './render/narration.js';
import * as steps from './steps/step-labels.js';

/** An operation being written down: its action, and how often each micro-step has come. */
interface Open {
  readonly action: { inject?: Injection[] } & Record<string, unknown>;
  readonly passed: Map<string, number>;
  microSteps: number;
  last: string;
}

interface Injection {
  at: string;
  occurrence: number;
  nmi?: { throttle?: string[]; bpf_snapshot?: boolean; reset?: boolean };
  /** Instead: the NMI comes later. */
  overflow?: string[];
}

/** The actions that build the world of a model on a fresh host: the same names as in the search. */
export function setUpActions(model: ExplorationModel): ScriptAction[] {
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
  ] as ScriptAction[];
}

/** The actions of a path, after those of `setUpActions`. */
export function scriptOfPath(model: MachineModel, path: Path): ScriptAction[] {
  const writer = new ScriptWriter(model);
  let before = initialState(model);
  for (const { label, state } of replay(model, path)) {
    writer.step(before, label);
    before = state;
  }
  return writer.finish(before);
}

class ScriptWriter {
  private readonly model: MachineModel;
  private readonly actions: Record<string, unknown>[] = [];
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
    const cpu = state.cpus[steps.cpuOf(label)]!;
    const target = steps.targetOf(label);
    const kind = steps.stepOf(label);
    const { host } = model.explored;
    const event = host.events[target]?.name;
    const vcpu = host.vcpus[target]?.name;
    switch (kind) {
      case steps.ADVANCE:
        this.pass(cpu.index, nextStep(model.explored.world, state, cpu));
        return;
      case steps.EXIT_AND_REENTER:
        this.exit(cpu.index, 'fastpath_reenter');
        this.pass(cpu.index, nextStep(model.explored.world, state, cpu));
        return;
      case steps.FAIL_VMLAUNCH:
        this.exit(cpu.index, 'vmfail');
        this.pass(cpu.index, nextStep(model.explored.world, state, cpu));
        return;
      case steps.RUN:
        this.begin(
          cpu.index,
          { action: 'transition', vcpu, kind: 'round_trip' },
          STEP_NAMES[firstOfRun(model, state, target)]!,
        );
        return;
      case steps.SWITCH_OUT:
        this.begin(cpu.index, { action: 'sched_out', vcpu }, 'd1_n_added');
        return;
      case steps.SWITCH_IN:
        this.begin(cpu.index, { action: 'sched_in', vcpu }, 'd1_n_added');
        return;
      case steps.REPROGRAM:
        // Part of the WRMSR that made it necessary; opening the event is no micro-step.
        if (model.steps.reprogramming(state, target) !== 'open') {
          this.pass(cpu.index, D1);
        }
        return;
      case steps.TICK:
        this.begin(cpu.index, { action: 'tick', cpu: cpu.index }, 'd1_n_added');
        return;
      case steps.ENABLE:
        this.begin(cpu.index, { action: 'enable_event', event }, 'd1_n_added');
        return;
      case steps.DISABLE:
        this.begin(cpu.index, { action: 'disable_event', event }, 'd1_n_added');
        return;
      case steps.CLOSE:
        this.begin(cpu.index, { action: 'close_event', event }, 'd1_n_added');
        return;
      case steps.ADD:
        this.begin(cpu.index, this.reopen(target), 'd1_n_added');
        return;
      case steps.SECTION:
        this.begin(cpu.index, { action: 'pmu_disable', cpu: cpu.index }, 'd1_n_added');
        return;
      case steps.MIGRATE:
        this.actions.push({ action: 'migrate', vcpu, cpu: cpu.index });
        return;
      case steps.FLIP_PEBS_ENABLE:
      case steps.FLIP_GLOBAL_CTRL:
        this.flip(target, kind === steps.FLIP_PEBS_ENABLE);
        return;
      case steps.OVERFLOW_AND_THROTTLE:
        this.nmi(cpu.index, { throttle: counterNames(1 << target) });
        return;
      case steps.LATE_NMI_THROTTLE:
        this.nmi(cpu.index, { throttle: counterNames(model.steps.latchedActive(cpu)) });
        return;
      case steps.FOREIGN_NMI:
      case steps.LATE_NMI:
        this.nmi(cpu.index, {});
        return;
      case steps.OVERFLOW:
        this.overflow(cpu.index, counterNames(1 << target));
        return;
      case steps.RESET_NMI:
        this.nmi(cpu.index, { reset: true });
        return;
      case steps.SNAPSHOT:
        this.nmi(cpu.index, { bpf_snapshot: true });
        return;
      default:
        this.loadMicrocode();
    }
  }

  /** Runs that have not come to their end are cut to the micro-steps they made. */
  finish(last: Int32Array): ScriptAction[] {
    const { model, state } = this;
    model.layout.unpack(last, 0, state, this.spent);
    this.open.forEach((open, index) => {
      const cpu = state.cpus[index]!;
      const unfinished = open !== undefined && vcpuOfRun(model.explored.world, cpu) !== NO_VCPU;
      if (
        unfinished &&
        open.microSteps > 0 &&
        !(open.last === 'k12_fastpath' && cpu.exitReason === EXIT_REENTER)
      ) {
        open.action.kind = 'micro_step';
        open.action.count = open.microSteps;
      }
    });
    return this.actions as ScriptAction[];
  }

  /** Runs under way are cut in two, so that the load comes between their micro-steps. */
  private loadMicrocode(): void {
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

  private begin(cpu: number, action: Open['action'], first: string): void {
    const open = { action, passed: new Map([[first, 1]]), microSteps: 1, last: first };
    this.open[cpu] = open;
    this.actions.push(action);
  }

  private pass(cpu: number, executed: number): void {
    const open = this.open[cpu];
    const name = STEP_NAMES[executed]!;
    if (open === undefined) {
      return;
    }
    if (open.action.action === 'transition' && open.last === 'k12_fastpath' && name === 'k1_run') {
      // The fast path re-enters: to a live host that is the next transition.
      this.begin(cpu, { action: 'transition', vcpu: open.action.vcpu, kind: 'round_trip' }, name);
      return;
    }
    if (open.action.action === 'pmu_disable' && name === 'e2_enabled') {
      this.begin(cpu, { action: 'pmu_enable', cpu }, name);
      return;
    }
    if (open.microSteps === 0) {
      this.actions.push(open.action);
    }
    open.passed.set(name, (open.passed.get(name) ?? 0) + 1);
    open.microSteps += 1;
    open.last = name;
    if (open.action.kind === 'micro_step') {
      open.action.count = open.microSteps;
    }
  }

  private exit(cpu: number, reason: string): void {
    const open = this.open[cpu];
    if (open !== undefined) {
      open.action.exit_reason = reason;
    }
  }

  private nmi(cpu: number, nmi: NonNullable<Injection['nmi']>): void {
    const { bpf_snapshot: snapshot, ...counters } = nmi;
    this.interrupt(
      cpu,
      { nmi },
      snapshot ? { action: 'bpf_snapshot', cpu } : { action: 'nmi', cpu, ...counters },
    );
  }

  private overflow(cpu: number, counters: string[]): void {
    this.interrupt(cpu, { overflow: counters }, { action: 'overflow', cpu, counters });
  }

  /** What comes while an action is under way is injected into it; what comes between two is an action of its own. */
  private interrupt(
    cpu: number,
    injected: Omit<Injection, 'at' | 'occurrence'>,
    alone: Record<string, unknown>,
  ): void {
    const open = this.open[cpu];
    const idle = this.state.cpus[cpu]!.operation === IDLE;
    if (open === undefined || idle || open.microSteps === 0) {
      this.actions.push(alone);
      return;
    }
    open.action.inject ??= [];
    open.action.inject.push({
      at: open.last,
      occurrence: open.passed.get(open.last) ?? 1,
      ...injected,
    });
  }

  /** The `open_event` that made the event, once more. */
  private reopen(at: number): Record<string, unknown> {
    const { spec, host } = this.model.explored;
    const name = host.events[at]?.name;
    const nth = (spec.events ?? []).findIndex(
      (event, index) => (event.name ?? `e${index}`) === name,
    );
    return { action: 'open_event', name, ...(spec.events ?? [])[nth], disabled: false };
  }

  private flip(at: number, pebs: boolean): void {
    const { host, world } = this.model.explored;
    const { owner, guestCounter } = world.eventConfigs[at]!;
    const vcpu = this.state.vcpus[owner]!;
    const bit = 1 << guestCounter;
    const value = (pebs ? vcpu.pebsEnable : vcpu.globalCtrl) ^ bit;
    const action = {
      action: 'wrmsr',
      vcpu: host.vcpus[owner]?.name,
      msr: pebs ? 'IA32_PEBS_ENABLE' : 'IA32_PERF_GLOBAL_CTRL',
      value: formatCounterSet(value),
    };
    this.open[vcpu.cpu] = { action, passed: new Map(), microSteps: 1, last: '' };
    this.actions.push(action);
  }
}
