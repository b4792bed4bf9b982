/**
 * What each step of a search does to the machine, and how often its actor may take it.
 *
 * A step is one action of the machine, or the start of an operation with its first micro-step. Everything goes through
 * `machine/actions.ts`, whose guards decide; what is added here is who may act how often.
 */
import { ACTOR_KINDS } from '../../../schemas/exploration-model.js';
import { type CounterSet, FIXED_BIT } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import {
  guestPreciseIp,
  PEBS_DATA_CFG_GP,
  type Reprogramming,
  reprogrammingOf,
} from '../../pmu/kvm/guest-counters.js';
import { type GuestPmuCaps, guestPmuCaps } from '../../pmu/kvm/guest-msrs.js';
import * as actions from '../../pmu/machine/actions.js';
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
  private readonly guestCaps: readonly GuestPmuCaps[];

  constructor(explored: ExploredWorld) {
    this.explored = explored;
    this.world = explored.world;
    this.limits = Int32Array.from(ACTOR_KINDS, (kind) => explored.budgets[kind]);
    this.guestCaps = explored.world.guests.map((features) =>
      guestPmuCaps(explored.host.kernel, explored.host.model, features),
    );
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
    const config = this.world.eventConfigs[at]!;
    const caps = this.guestCaps[config.owner]!;
    return reprogrammingOf(caps, state.vcpus[config.owner]!, state.events[at]!, config);
  }

  /** Whether the guest behind an event may set the counter's bit in its IA32_PEBS_ENABLE; else the WRMSR is a #GP. */
  hasGuestPebs(at: number): boolean {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    const { pebs, adaptive } = this.guestCaps[owner]!;
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
        this.reprogram(state, sink, cpu, target);
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

  private flip(state: MachineState, step: number, at: number): void {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    const vcpu = state.vcpus[owner]!;
    if (step === label.FLIP_PEBS_ENABLE) {
      vcpu.pebsEnable ^= 1 << guestCounter;
    } else {
      vcpu.globalCtrl ^= 1 << guestCounter;
    }
  }

  private reprogram(state: MachineState, sink: WriteSink, cpu: LogicalCpu, at: number): void {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    switch (this.reprogramming(state, at)) {
      case 'open': {
        const precise = guestPreciseIp(this.guestCaps[owner]!, state.vcpus[owner]!, guestCounter);
        const dataCfg = precise === 1 ? PEBS_DATA_CFG_GP : 0;
        this.act(state, sink, actions.OPEN, cpu, at, precise, dataCfg);
        return;
      }
      case 'enable':
        this.act(state, sink, actions.START_ENABLE, cpu, at);
        return;
      case 'disable':
        this.act(state, sink, actions.START_DISABLE, cpu, at);
        return;
      case 'close':
        this.act(state, sink, actions.START_CLOSE, cpu, at);
        return;
      case 'none':
        return;
    }
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
