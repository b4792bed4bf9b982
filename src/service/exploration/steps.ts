/**
 * The steps of a search: which actor may do what in a state, as small labels, and what each does to the machine.
 *
 * A step is one action of the machine, or the start of an operation with its first micro-step. Everything goes through
 * `machine/actions.ts`, whose guards decide; what is added here is who may act how often.
 */
import { ACTOR_KINDS, type ActorKind } from '../../../schemas/exploration-model.js';
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import { running } from '../../pmu/arch/hardware.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import {
  type GuestPmuCaps,
  guestPmuCaps,
  guestPreciseIp,
  PEBS_DATA_CFG_GP,
  type Reprogramming,
  reprogrammingOf,
} from '../../pmu/kvm/guest-msrs.js';
import * as actions from '../../pmu/machine/actions.js';
import {
  hasSchedulableEvents,
  hasScheduledEvents,
  nextThrottled,
} from '../../pmu/machine/event-work.js';
import { E3_READ, GUEST, isInGuest, K8 } from '../../pmu/machine/micro-step.js';
import {
  EXIT_NMI,
  EXIT_REENTER,
  EXIT_VMFAIL,
  IDLE,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
} from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import { CLOSED, HOST_OWNED, INACTIVE, NO_EVENT, OFF } from '../../pmu/perf/perf-event.js';
import { type ExploredWorld, UNLIMITED } from './explored-world.js';

// What a step is; the label packs it with its CPU and its target.
export const ADVANCE = 0;
export const EXIT_AND_REENTER = 1;
export const FAIL_VMLAUNCH = 2;
export const RUN = 3;
export const SWITCH_OUT = 4;
export const SWITCH_IN = 5;
/** KVM brings an event in line with its guest's registers. */
export const REPROGRAM = 6;
export const TICK = 7;
export const ENABLE = 8;
export const DISABLE = 9;
export const CLOSE = 10;
export const ADD = 11;
export const SECTION = 12;
export const MIGRATE = 13;
/** A guest flips its IA32_PEBS_ENABLE, or its IA32_PERF_GLOBAL_CTRL, for the counter of an event. */
export const FLIP_PEBS_ENABLE = 14;
export const FLIP_GLOBAL_CTRL = 15;
/** Prompt: an event overflows and the NMI throttles it. */
export const OVERFLOW_AND_THROTTLE = 16;
export const FOREIGN_NMI = 17;
/** Late: the overflow; its NMI without and with throttling. */
export const OVERFLOW = 18;
export const LATE_NMI = 19;
export const LATE_NMI_THROTTLE = 20;
export const SNAPSHOT = 21;
export const LOAD_MICROCODE = 22;

/** By step: the actor whose budget it spends, or undefined for what simply goes on. */
const ACTOR_OF: readonly (ActorKind | undefined)[] = [
  undefined,
  'fastpath_reenter',
  'vmfail',
  undefined,
  undefined,
  undefined,
  undefined,
  'tick',
  'event_enable',
  'event_disable',
  'event_del',
  'event_add',
  'pmu_section',
  'migrate',
  'guest_wrmsr',
  'guest_wrmsr',
  'nmi_throttle',
  'foreign_nmi',
  undefined,
  undefined,
  'nmi_throttle',
  'bpf_snapshot',
  'microcode_load',
];
const ACTOR_INDEX = ACTOR_OF.map((kind) => (kind === undefined ? -1 : ACTOR_KINDS.indexOf(kind)));

/** By step: the machine's action whose guard decides, where there is one. */
const MACHINE_ACTIONS: Readonly<Record<number, number>> = {
  [ADVANCE]: actions.ADVANCE,
  [RUN]: actions.START_RUN,
  [TICK]: actions.START_TICK,
  [ENABLE]: actions.START_ENABLE,
  [DISABLE]: actions.START_DISABLE,
  [CLOSE]: actions.START_CLOSE,
  [ADD]: actions.OPEN,
  [SECTION]: actions.START_SECTION,
  [MIGRATE]: actions.MIGRATE,
  [OVERFLOW_AND_THROTTLE]: actions.NMI,
  [FOREIGN_NMI]: actions.NMI,
  [OVERFLOW]: actions.LATCH,
  [SNAPSHOT]: actions.NMI,
};

/** A label: step in bits 0–4, CPU in bits 5–7, target in bits 8–15. */
export function labelOf(step: number, cpu: number, target: number): number {
  return step | (cpu << 5) | (target << 8);
}
export function stepOf(label: number): number {
  return label & 31;
}
export function cpuOf(label: number): number {
  return (label >> 5) & 7;
}
export function targetOf(label: number): number {
  return label >> 8;
}

export class Steps {
  readonly explored: ExploredWorld;
  private readonly world: World;
  private readonly limits: Int32Array;
  private readonly action: actions.Action = { kind: 0, cpu: 0, target: 0, value: 0, throttle: 0 };
  private readonly guestCaps: readonly GuestPmuCaps[];
  private readonly throttles: boolean;

  constructor(explored: ExploredWorld) {
    this.explored = explored;
    this.world = explored.world;
    this.limits = Int32Array.from(ACTOR_KINDS, (kind) => explored.budgets[kind]);
    this.throttles = explored.budgets.nmi_throttle !== 0;
    this.guestCaps = explored.world.vpmu.map((vpmu) => guestPmuCaps(explored.host.model, vpmu));
  }

  /** Labels every step that is possible, in a stable order; `spent` counts what each actor has done. */
  enabled(state: MachineState, spent: Int32Array, labels: Int32Array): number {
    let count = 0;
    for (let index = 0; index < state.cpus.length; index += 1) {
      const cpu = state.cpus[index]!;
      count =
        cpu.operation === IDLE
          ? this.atRest(state, spent, cpu, labels, count)
          : this.underWay(state, spent, cpu, labels, count);
      count = this.interrupts(state, spent, cpu, labels, count);
    }
    if (this.mayAct(spent, LOAD_MICROCODE) && state.noIsolation) {
      labels[count++] = labelOf(LOAD_MICROCODE, 0, 0);
    }
    return count;
  }

  /** Takes a step that is possible. */
  take(state: MachineState, spent: Int32Array, label: number, sink: WriteSink): void {
    const step = stepOf(label);
    const cpu = state.cpus[cpuOf(label)]!;
    const target = targetOf(label);
    const actor = ACTOR_INDEX[step]!;
    if (actor >= 0 && this.limits[actor]! > 0) {
      spent[actor]! += 1;
    }
    switch (step) {
      case ADVANCE:
        break;
      case EXIT_AND_REENTER:
        this.act(state, sink, actions.SET_EXIT, cpu, 0, EXIT_REENTER);
        break;
      case FAIL_VMLAUNCH:
        this.act(state, sink, actions.SET_ENTRY_FAILURE, cpu, 0, EXIT_VMFAIL);
        break;
      case RUN:
        this.act(state, sink, actions.START_RUN, cpu, target, 0);
        break;
      case SWITCH_OUT:
        this.act(state, sink, actions.START_SCHED_OUT, cpu, target, 0);
        break;
      case SWITCH_IN:
        this.act(state, sink, actions.START_SCHED_IN, cpu, target, 0);
        break;
      case REPROGRAM:
        this.reprogram(state, sink, cpu, target);
        break;
      case TICK:
        this.act(state, sink, actions.START_TICK, cpu, 0, 0);
        break;
      case ENABLE:
        this.act(state, sink, actions.START_ENABLE, cpu, target, 0);
        break;
      case DISABLE:
        this.act(state, sink, actions.START_DISABLE, cpu, target, 0);
        break;
      case CLOSE:
        this.act(state, sink, actions.START_CLOSE, cpu, target, 0);
        break;
      case ADD: {
        const event = state.events[target]!;
        this.act(state, sink, actions.OPEN, cpu, target, event.preciseIp, event.dataCfg);
        this.act(state, sink, actions.START_ENABLE, cpu, target, 0);
        break;
      }
      case SECTION:
        this.act(state, sink, actions.START_SECTION, cpu, 0, 0);
        break;
      default:
        this.takeInstant(state, step, cpu, target, sink);
        return;
    }
    if (cpu.operation !== IDLE) {
      this.act(state, sink, actions.ADVANCE, cpu, 0, 0);
    }
  }

  /** The steps that actors of this world might take but cannot in this state, each with the guards that are false. */
  refused(state: MachineState, spent: Int32Array): { label: number; guards: string[] }[] {
    const labels = new Int32Array(128);
    const possible = new Set(labels.subarray(0, this.enabled(state, spent, labels)));
    return this.candidates(state)
      .filter((label) => !possible.has(label))
      .map((label) => ({ label, guards: this.guardsAgainst(state, spent, label) }));
  }

  /** Every step of an actor that this world has. */
  private candidates(state: MachineState): number[] {
    const has = (step: number): boolean => {
      const actor = ACTOR_INDEX[step]!;
      return actor < 0 || this.limits[actor] !== 0;
    };
    return state.cpus.flatMap((cpu) => {
      const labels: number[] = [];
      const add = (step: number, target: number): void => {
        if (has(step)) {
          labels.push(labelOf(step, cpu.index, target));
        }
      };
      add(ADVANCE, 0);
      state.vcpus.forEach((vcpu, at) => {
        if (vcpu.cpu === cpu.index) {
          add(RUN, at);
        } else {
          add(MIGRATE, at);
        }
      });
      for (const step of [TICK, SECTION, FOREIGN_NMI, SNAPSHOT]) {
        add(step, 0);
      }
      state.events.forEach((event, at) => {
        const config = this.world.eventConfigs[at]!;
        if (config.owner === HOST_OWNED && config.cpu === cpu.index) {
          for (const step of [ENABLE, DISABLE, CLOSE, ADD]) {
            add(step, at);
          }
          if (event.counter >= 0) {
            add(this.explored.late ? OVERFLOW : OVERFLOW_AND_THROTTLE, event.counter);
          }
        }
      });
      return labels;
    });
  }

  private guardsAgainst(state: MachineState, spent: Int32Array, label: number): string[] {
    const step = stepOf(label);
    const cpu = state.cpus[cpuOf(label)]!;
    const target = targetOf(label);
    const guards = this.mayAct(spent, step) ? [] : [`the budget of ${ACTOR_OF[step]} is spent`];
    const kind = MACHINE_ACTIONS[step];
    if (kind !== undefined) {
      const counters = step === OVERFLOW || step === OVERFLOW_AND_THROTTLE ? 1 << target : 0;
      this.aim(
        kind,
        cpu,
        target,
        step === OVERFLOW ? counters : 0,
        step === OVERFLOW ? 0 : counters,
      );
      const reason = actions.refusal(this.world, state, this.action);
      if (reason !== null) {
        guards.push(reason);
      }
      if (counters !== 0 && (running(cpu.hardware) & counters) === 0) {
        guards.push('the counter does not count');
      }
      const { hardware, cpuc } = cpu;
      if (step === OVERFLOW && counters & (hardware.status | hardware.dsRecords)) {
        guards.push('its overflow is latched already');
      }
      if (counters & cpuc.pebsEnabled & ~hardware.pebsEnable) {
        guards.push('its bit in IA32_PEBS_ENABLE is clear, so it writes no record');
      }
      if (step === TICK && nextThrottled(state, cpu) === NO_EVENT) {
        guards.push('no event is throttled');
      }
      if (step === SNAPSHOT && isInGuest(cpu.pc)) {
        guards.push('the CPU is in the guest');
      }
    }
    return guards.length > 0 ? guards : ['KVM has a guest counter to reprogram first'];
  }

  private takeInstant(
    state: MachineState,
    step: number,
    cpu: LogicalCpu,
    target: number,
    sink: WriteSink,
  ): void {
    switch (step) {
      case MIGRATE:
        this.act(state, sink, actions.MIGRATE, cpu, target, 0);
        return;
      case FLIP_PEBS_ENABLE: {
        const config = this.world.eventConfigs[target]!;
        state.vcpus[config.owner]!.pebsEnable ^= 1 << config.guestCounter;
        return;
      }
      case FLIP_GLOBAL_CTRL: {
        const config = this.world.eventConfigs[target]!;
        state.vcpus[config.owner]!.globalCtrl ^= 1 << config.guestCounter;
        return;
      }
      case OVERFLOW_AND_THROTTLE:
        this.act(state, sink, actions.NMI, cpu, 0, 0, 1 << target);
        return;
      case FOREIGN_NMI:
        this.act(state, sink, actions.NMI, cpu, 0, 0);
        return;
      case OVERFLOW:
        this.act(state, sink, actions.LATCH, cpu, 0, 1 << target);
        return;
      case LATE_NMI:
        this.act(state, sink, actions.NMI, cpu, 0, 0);
        return;
      case LATE_NMI_THROTTLE:
        this.act(state, sink, actions.NMI, cpu, 0, 0, this.latchedActive(cpu));
        return;
      case SNAPSHOT:
        this.act(state, sink, actions.SNAPSHOT, cpu, 0, 0);
        return;
      default:
        this.act(state, sink, actions.MICROCODE, cpu, 0, 0);
    }
  }

  /** Counters that overflowed and still have an active event: those that a late NMI can throttle. */
  latchedActive(cpu: LogicalCpu): number {
    return (cpu.hardware.status | cpu.hardware.dsRecords) & cpu.cpuc.activeMask;
  }

  /** Whether the actor behind a step may act once more. */
  mayAct(spent: Int32Array, step: number): boolean {
    const actor = ACTOR_INDEX[step]!;
    if (actor < 0) {
      return true;
    }
    const limit = this.limits[actor]!;
    return limit === UNLIMITED || spent[actor]! < limit;
  }

  private act(
    state: MachineState,
    sink: WriteSink,
    kind: number,
    cpu: LogicalCpu,
    target: number,
    value: number,
    throttle = 0,
  ): void {
    this.aim(kind, cpu, target, value, throttle);
    actions.perform(this.world, state, this.action, sink);
  }

  private allows(
    state: MachineState,
    kind: number,
    cpu: LogicalCpu,
    target: number,
    value = 0,
    throttle = 0,
  ): boolean {
    this.aim(kind, cpu, target, value, throttle);
    return actions.refusal(this.world, state, this.action) === null;
  }

  private aim(
    kind: number,
    cpu: LogicalCpu,
    target: number,
    value: number,
    throttle: number,
  ): void {
    const { action } = this;
    action.kind = kind;
    action.cpu = cpu.index;
    action.target = target;
    action.value = value;
    action.throttle = throttle;
  }

  /** An operation goes on; in the guest and before VMLAUNCH it may go on in more than one way. */
  private underWay(
    state: MachineState,
    spent: Int32Array,
    cpu: LogicalCpu,
    labels: Int32Array,
    from: number,
  ): number {
    let count = from;
    if (this.allows(state, actions.ADVANCE, cpu, 0)) {
      labels[count++] = labelOf(ADVANCE, cpu.index, 0);
    }
    if (cpu.pc === GUEST && cpu.exitReason !== EXIT_NMI && this.mayAct(spent, EXIT_AND_REENTER)) {
      labels[count++] = labelOf(EXIT_AND_REENTER, cpu.index, 0);
    }
    if (cpu.pc === K8 && this.mayAct(spent, FAIL_VMLAUNCH)) {
      labels[count++] = labelOf(FAIL_VMLAUNCH, cpu.index, 0);
    }
    return count;
  }

  private atRest(
    state: MachineState,
    spent: Int32Array,
    cpu: LogicalCpu,
    labels: Int32Array,
    from: number,
  ): number {
    let count = from;
    const pending = this.pendingReprogramming(state, cpu);
    if (pending !== NO_EVENT) {
      // KVM handles it before anything else happens on the vCPU's thread.
      labels[count++] = labelOf(REPROGRAM, cpu.index, pending);
      return count;
    }
    for (let at = 0; at < state.vcpus.length; at += 1) {
      if (state.vcpus[at]!.cpu === cpu.index) {
        count = this.vcpuAtRest(state, spent, cpu, at, labels, count);
      } else if (this.mayAct(spent, MIGRATE) && this.allows(state, actions.MIGRATE, cpu, at)) {
        labels[count++] = labelOf(MIGRATE, cpu.index, at);
      }
    }
    if (this.mayAct(spent, TICK) && nextThrottled(state, cpu) !== NO_EVENT) {
      labels[count++] = labelOf(TICK, cpu.index, 0);
    }
    for (let at = 0; at < state.events.length; at += 1) {
      count = this.eventAtRest(state, spent, cpu, at, labels, count);
    }
    if (this.mayAct(spent, SECTION)) {
      labels[count++] = labelOf(SECTION, cpu.index, 0);
    }
    return count;
  }

  private vcpuAtRest(
    state: MachineState,
    spent: Int32Array,
    cpu: LogicalCpu,
    at: number,
    labels: Int32Array,
    from: number,
  ): number {
    let count = from;
    if (this.allows(state, actions.START_RUN, cpu, at)) {
      labels[count++] = labelOf(RUN, cpu.index, at);
    } else if (
      hasSchedulableEvents(this.world, state, at) &&
      this.allows(state, actions.START_SCHED_IN, cpu, at)
    ) {
      labels[count++] = labelOf(SWITCH_IN, cpu.index, at);
    }
    const isCurrent = cpu.currentVcpu === at && hasScheduledEvents(this.world, state, at, cpu);
    if (isCurrent && (state.vcpus.length > 1 || this.mayAct(spent, MIGRATE))) {
      labels[count++] = labelOf(SWITCH_OUT, cpu.index, at);
    }
    return count;
  }

  private eventAtRest(
    state: MachineState,
    spent: Int32Array,
    cpu: LogicalCpu,
    at: number,
    labels: Int32Array,
    from: number,
  ): number {
    let count = from;
    const config = this.world.eventConfigs[at]!;
    const { status } = state.events[at]!;
    if (config.owner !== HOST_OWNED) {
      if (cpu.currentVcpu === config.owner && this.mayAct(spent, FLIP_PEBS_ENABLE)) {
        labels[count++] = labelOf(FLIP_PEBS_ENABLE, cpu.index, at);
        labels[count++] = labelOf(FLIP_GLOBAL_CTRL, cpu.index, at);
      }
      return count;
    }
    if (config.cpu !== cpu.index) {
      return count;
    }
    if (status === OFF && this.mayAct(spent, ENABLE)) {
      labels[count++] = labelOf(ENABLE, cpu.index, at);
    }
    if (status >= INACTIVE && this.mayAct(spent, DISABLE)) {
      labels[count++] = labelOf(DISABLE, cpu.index, at);
    }
    if (
      status !== CLOSED &&
      this.mayAct(spent, CLOSE) &&
      this.allows(state, actions.START_CLOSE, cpu, at)
    ) {
      labels[count++] = labelOf(CLOSE, cpu.index, at);
    }
    if (status === CLOSED && this.mayAct(spent, ADD) && this.allows(state, actions.OPEN, cpu, at)) {
      labels[count++] = labelOf(ADD, cpu.index, at);
    }
    return count;
  }

  /** NMIs of all kinds, wherever one can land. */
  private interrupts(
    state: MachineState,
    spent: Int32Array,
    cpu: LogicalCpu,
    labels: Int32Array,
    from: number,
  ): number {
    let count = from;
    if (cpu.pc === E3_READ && this.explored.spec.nmi_in_e3 === false) {
      return count;
    }
    if (this.explored.late) {
      count = this.lateInterrupts(state, spent, cpu, labels, count);
    } else if (this.throttles && this.mayAct(spent, OVERFLOW_AND_THROTTLE)) {
      let counting = this.mayOverflow(cpu);
      while (counting !== 0) {
        const counter = counting & -counting;
        counting &= ~counter;
        if (this.allows(state, actions.NMI, cpu, 0, 0, counter)) {
          labels[count++] = labelOf(OVERFLOW_AND_THROTTLE, cpu.index, 31 - Math.clz32(counter));
        }
      }
    }
    if (this.mayAct(spent, FOREIGN_NMI) && this.allows(state, actions.NMI, cpu, 0)) {
      labels[count++] = labelOf(FOREIGN_NMI, cpu.index, 0);
    }
    if (
      this.mayAct(spent, SNAPSHOT) &&
      !isInGuest(cpu.pc) &&
      this.allows(state, actions.NMI, cpu, 0)
    ) {
      labels[count++] = labelOf(SNAPSHOT, cpu.index, 0);
    }
    return count;
  }

  private lateInterrupts(
    state: MachineState,
    spent: Int32Array,
    cpu: LogicalCpu,
    labels: Int32Array,
    from: number,
  ): number {
    let count = from;
    const { hardware } = cpu;
    const latched = hardware.status | hardware.dsRecords;
    if (this.throttles) {
      let counting = this.mayOverflow(cpu) & ~latched;
      while (counting !== 0) {
        const counter = counting & -counting;
        counting &= ~counter;
        labels[count++] = labelOf(OVERFLOW, cpu.index, 31 - Math.clz32(counter));
      }
    }
    if (latched !== 0 && this.allows(state, actions.NMI, cpu, 0)) {
      labels[count++] = labelOf(LATE_NMI, cpu.index, 0);
      if (this.latchedActive(cpu) !== 0 && this.mayAct(spent, LATE_NMI_THROTTLE)) {
        labels[count++] = labelOf(LATE_NMI_THROTTLE, cpu.index, 0);
      }
    }
    return count;
  }

  /**
   * Counters with an active event that count now; a PEBS event overflows into its buffer only while its bit in
   * IA32_PEBS_ENABLE is set, and without it raises no interrupt.
   */
  private mayOverflow({ hardware, cpuc }: LogicalCpu): CounterSet {
    const silent = this.world.caps.pebsEnableMsr ? cpuc.pebsEnabled & ~hardware.pebsEnable : 0;
    return running(hardware) & cpuc.activeMask & ~silent;
  }

  /** The first event on this CPU's current thread that its guest's registers want otherwise. */
  private pendingReprogramming(state: MachineState, cpu: LogicalCpu): number {
    if (cpu.currentVcpu === NO_VCPU || this.explored.guestCounters === 0) {
      return NO_EVENT;
    }
    return state.events.findIndex(
      (_, at) =>
        this.world.eventConfigs[at]!.owner === cpu.currentVcpu &&
        this.reprogrammingOf(state, at) !== 'none',
    );
  }

  private reprogrammingOf(state: MachineState, at: number): Reprogramming {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    return reprogrammingOf(
      this.guestCaps[owner]!,
      state.vcpus[owner]!,
      state.events[at]!,
      guestCounter,
    );
  }

  private reprogram(state: MachineState, sink: WriteSink, cpu: LogicalCpu, at: number): void {
    const { owner, guestCounter } = this.world.eventConfigs[at]!;
    switch (this.reprogrammingOf(state, at)) {
      case 'open': {
        const precise = guestPreciseIp(this.guestCaps[owner]!, state.vcpus[owner]!, guestCounter);
        this.act(state, sink, actions.OPEN, cpu, at, precise, precise === 1 ? PEBS_DATA_CFG_GP : 0);
        return;
      }
      case 'enable':
        this.act(state, sink, actions.START_ENABLE, cpu, at, 0);
        return;
      case 'disable':
        this.act(state, sink, actions.START_DISABLE, cpu, at, 0);
        return;
      case 'close':
        this.act(state, sink, actions.START_CLOSE, cpu, at, 0);
        return;
      case 'none':
    }
  }
}
