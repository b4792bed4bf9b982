/**
 * What each step of a search does to the machine, and how often its actor may take it.
 *
 * A step is one action of the machine, or the start of an operation with its first micro-step. Everything goes through
 * `machine/actions.ts`, whose guards decide; what is added here is who may act how often.
 */
import { ACTOR_KINDS } from '../../../schemas/exploration-model.js';
import { type CounterSet, FIXED_BIT, GENERAL_PURPOSE } from '../../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import type { Reprogramming } from '../../pmu/kvm/guest-counters.js';
import * as actions from '../../pmu/machine/actions.js';
import { reprogramming } from '../../pmu/machine/reprogram.js';
import {
  EXIT_REENTER,
  EXIT_VMFAIL,
  IDLE,
  type LogicalCpu,
  type MachineState,
} from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import { type ExploredWorld, UNLIMITED } from '../explored-world.js';
import * as label from './step-labels.js';

/** By step: the action that starts its operation about its target, where that is all it takes. */
export const START_ACTIONS: Readonly<Record<number, number>> = {
  [label.RUN]: actions.START_RUN,
  [label.SWITCH_OUT]: actions.START_SCHED_OUT,
  [label.SWITCH_IN]: actions.START_SCHED_IN,
  [label.TICK]: actions.START_TICK,
  [label.ENABLE]: actions.START_ENABLE,
  [label.DISABLE]: actions.START_DISABLE,
  [label.CLOSE]: actions.START_CLOSE,
  [label.SECTION]: actions.START_SECTION,
};

export class Steps {
  readonly explored: ExploredWorld;
  readonly world: World;
  private readonly limits: Int32Array;
  private readonly action: actions.Action = { kind: 0, cpu: 0, target: 0, value: 0, throttle: 0 };
  private readonly written = { hi: 0, lo: 0 };

  constructor(explored: ExploredWorld) {
    this.explored = explored;
    this.world = explored.world;
    this.limits = Int32Array.from(ACTOR_KINDS, (kind) => explored.budgets[kind]);
  }

  /** Takes a step that is possible; `spent` counts what each actor has done. */
  take(state: MachineState, spent: Int32Array, taken: number, sink: WriteSink): void {
    const step = label.stepOf(taken);
    const cpu = state.cpus[label.cpuOf(taken)]!;
    const actor = label.ACTOR_OF_STEP[step]!;
    if (actor >= 0 && this.limits[actor]! > 0) {
      spent[actor]! += 1;
    }
    if (step >= label.MIGRATE) {
      this.actAtOnce(state, step, cpu, label.targetOf(taken), sink);
      return;
    }
    this.prepare(state, step, cpu, label.targetOf(taken), sink);
    if (cpu.operation !== IDLE) {
      this.act(state, sink, actions.ADVANCE, cpu, 0);
    }
  }

  /** Whether the actor behind a step may act once more. */
  mayAct(spent: Int32Array, step: number): boolean {
    const actor = label.ACTOR_OF_STEP[step]!;
    if (actor < 0) {
      return true;
    }
    const limit = this.limits[actor]!;
    return limit === UNLIMITED || spent[actor]! < limit;
  }

  /** Whether the world has the actor behind a step. */
  hasActor(step: number): boolean {
    const actor = label.ACTOR_OF_STEP[step]!;
    return actor < 0 || this.limits[actor] !== 0;
  }

  /** The machine's own guard: why an action is impossible now, or null. */
  refusal(
    state: MachineState,
    kind: number,
    cpu: LogicalCpu,
    target: number,
    value = 0,
    throttle: CounterSet = 0,
  ): string | null {
    return actions.refusal(this.world, state, this.aim(kind, cpu, target, value, throttle));
  }

  /** Counters that overflowed and still have an active event: those that a late NMI can throttle. */
  latchedActive(cpu: LogicalCpu): CounterSet {
    return (cpu.hardware.status | cpu.hardware.dsRecords) & cpu.cpuc.activeMask;
  }

  /** What KVM has to do so that a guest counter's event matches its registers. */
  reprogramming(state: MachineState, at: number): Reprogramming {
    return reprogramming(this.world, state, at);
  }

  /** Whether the guest behind an event may set the counter's bit in its IA32_PEBS_ENABLE; else the WRMSR is a #GP. */
  hasGuestPebs(at: number): boolean {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    const { pebs, adaptive } = this.world.guestCaps[owner]!;
    return pebs && (adaptive || guestCounter < FIXED_BIT);
  }

  /** Begins an operation, or decides how one goes on. */
  private prepare(
    state: MachineState,
    step: number,
    cpu: LogicalCpu,
    target: number,
    sink: WriteSink,
  ): void {
    switch (step) {
      case label.ADVANCE:
        return;
      case label.EXIT_AND_REENTER:
        this.act(state, sink, actions.SET_EXIT, cpu, 0, EXIT_REENTER);
        return;
      case label.FAIL_VMLAUNCH:
        this.act(state, sink, actions.SET_ENTRY_FAILURE, cpu, 0, EXIT_VMFAIL);
        return;
      case label.REPROGRAM:
        this.act(state, sink, actions.REPROGRAM, cpu, target);
        return;
      case label.ADD: {
        const { preciseIp, dataCfg } = state.events[target]!;
        this.act(state, sink, actions.OPEN, cpu, target, preciseIp, dataCfg);
        this.act(state, sink, actions.START_ENABLE, cpu, target);
        return;
      }
      default:
        this.act(state, sink, START_ACTIONS[step]!, cpu, target);
        return;
    }
  }

  private actAtOnce(
    state: MachineState,
    step: number,
    cpu: LogicalCpu,
    target: number,
    sink: WriteSink,
  ): void {
    switch (step) {
      case label.MIGRATE:
        this.act(state, sink, actions.MIGRATE, cpu, target);
        return;
      case label.FLIP_PEBS_ENABLE:
      case label.FLIP_GLOBAL_CTRL:
        this.flip(state, step, target);
        return;
      case label.OVERFLOW_AND_THROTTLE:
        this.act(state, sink, actions.NMI, cpu, 0, 0, 1 << target);
        return;
      case label.OVERFLOW:
        this.act(state, sink, actions.LATCH, cpu, 0, 1 << target);
        return;
      case label.FOREIGN_NMI:
      case label.LATE_NMI:
        this.act(state, sink, actions.NMI, cpu, 0);
        return;
      case label.LATE_NMI_THROTTLE:
        this.act(state, sink, actions.NMI, cpu, 0, 0, this.latchedActive(cpu));
        return;
      case label.SNAPSHOT:
        this.act(state, sink, actions.SNAPSHOT, cpu, 0);
        return;
      case label.RESET_NMI:
        this.act(state, sink, actions.NMI_RESET, cpu, 0);
        return;
      default:
        this.act(state, sink, actions.MICROCODE, cpu, 0);
        return;
    }
  }

  /** The guest writes its register with the counter's bit the other way. */
  private flip(state: MachineState, step: number, at: number): void {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    const vcpu = state.vcpus[owner]!;
    const isPebs = step === label.FLIP_PEBS_ENABLE;
    const value = (isPebs ? vcpu.pebsEnable : vcpu.globalCtrl) ^ (1 << guestCounter);
    this.written.lo = value & GENERAL_PURPOSE;
    this.written.hi = value >>> FIXED_BIT;
    const msr = isPebs ? PEBS_ENABLE : GLOBAL_CTRL;
    actions.guestWrmsr(this.world, state, owner, msr, this.written, noAddress);
  }

  private act(
    state: MachineState,
    sink: WriteSink,
    kind: number,
    cpu: LogicalCpu,
    target: number,
    value = 0,
    throttle: CounterSet = 0,
  ): void {
    actions.perform(this.world, state, this.aim(kind, cpu, target, value, throttle), sink);
  }

  private aim(
    kind: number,
    cpu: LogicalCpu,
    target: number,
    value: number,
    throttle: CounterSet,
  ): actions.Action {
    const { action } = this;
    action.kind = kind;
    action.cpu = cpu.index;
    action.target = target;
    action.value = value;
    action.throttle = throttle;
    return action;
  }
}

/** The registers that are flipped hold no addresses. */
function noAddress(): number {
  return 0;
}
