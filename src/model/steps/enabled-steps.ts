/** Which steps are possible in a state, in a stable order: the guards of the machine, and the budgets of the actors. */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import { running } from '../../pmu/arch/hardware.js';
import * as actions from '../../pmu/machine/actions.js';
import { hasSchedulableEvents, hasScheduledEvents } from '../../pmu/machine/event-work.js';
import { E3_READ, GUEST, isInGuest, K8, VMX_ABORT } from '../../pmu/machine/micro-step.js';
import {
  EXIT_NMI,
  IDLE,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
} from '../../pmu/machine/state.js';
import { tickHasWork } from '../../pmu/machine/tick-work.js';
import { CLOSED, HOST_OWNED, INACTIVE, NO_EVENT, OFF } from '../../pmu/perf/perf-event.js';
import * as label from './step-labels.js';
import type { Steps } from './steps.js';

export class EnabledSteps {
  private readonly steps: Steps;
  private readonly throttles: boolean;
  // What is being asked about; kept here so that asking allocates nothing.
  private state!: MachineState;
  private spent!: Int32Array;
  private labels!: Int32Array;
  private count = 0;

  constructor(steps: Steps) {
    this.steps = steps;
    this.throttles = steps.explored.budgets.nmi_throttle !== 0;
  }

  /** Writes the label of every possible step to `labels` and returns how many there are. */
  find(state: MachineState, spent: Int32Array, labels: Int32Array): number {
    this.state = state;
    this.spent = spent;
    this.labels = labels;
    this.count = 0;
    for (let index = 0; index < state.cpus.length; index += 1) {
      const cpu = state.cpus[index]!;
      if (cpu.pc === VMX_ABORT) {
        continue;
      }
      if (cpu.operation === IDLE) {
        this.atRest(cpu);
      } else {
        this.underWay(cpu);
      }
      this.interrupts(cpu);
    }
    if (state.noIsolation && this.mayAct(label.LOAD_MICROCODE)) {
      this.add(label.LOAD_MICROCODE, state.cpus[0]!, 0);
    }
    return this.count;
  }

  private add(step: number, cpu: LogicalCpu, target: number): void {
    this.labels[this.count] = label.labelOf(step, cpu.index, target);
    this.count += 1;
  }

  private mayAct(step: number): boolean {
    return this.steps.mayAct(this.spent, step);
  }

  private allows(kind: number, cpu: LogicalCpu, target: number, throttle: CounterSet = 0): boolean {
    return this.steps.refusal(this.state, kind, cpu, target, 0, throttle) === null;
  }

  /** An operation goes on; in the guest and before VMLAUNCH it may go on in more than one way. */
  private underWay(cpu: LogicalCpu): void {
    if (this.allows(actions.ADVANCE, cpu, 0)) {
      this.add(label.ADVANCE, cpu, 0);
    }
    const leaves = cpu.pc === GUEST && cpu.exitReason !== EXIT_NMI;
    if (leaves && this.mayAct(label.EXIT_AND_REENTER)) {
      this.add(label.EXIT_AND_REENTER, cpu, 0);
    }
    if (cpu.pc === K8 && this.mayAct(label.FAIL_VMLAUNCH)) {
      this.add(label.FAIL_VMLAUNCH, cpu, 0);
    }
  }

  private atRest(cpu: LogicalCpu): void {
    const pending = this.pendingReprogramming(cpu);
    if (pending !== NO_EVENT) {
      // KVM handles it before anything else happens on the vCPU's thread.
      this.add(label.REPROGRAM, cpu, pending);
      return;
    }
    for (let at = 0; at < this.state.vcpus.length; at += 1) {
      if (this.state.vcpus[at]!.cpu === cpu.index) {
        this.vcpuAtRest(cpu, at);
      } else if (this.mayAct(label.MIGRATE) && this.allows(actions.MIGRATE, cpu, at)) {
        this.add(label.MIGRATE, cpu, at);
      }
    }
    if (this.mayAct(label.TICK) && tickHasWork(this.steps.world, this.state, cpu)) {
      this.add(label.TICK, cpu, 0);
    }
    for (let at = 0; at < this.state.events.length; at += 1) {
      this.eventAtRest(cpu, at);
    }
    if (this.mayAct(label.SECTION)) {
      this.add(label.SECTION, cpu, 0);
    }
  }

  private vcpuAtRest(cpu: LogicalCpu, at: number): void {
    const { state, steps } = this;
    if (this.allows(actions.START_RUN, cpu, at)) {
      this.add(label.RUN, cpu, at);
    } else if (
      hasSchedulableEvents(steps.world, state, at) &&
      this.allows(actions.START_SCHED_IN, cpu, at)
    ) {
      this.add(label.SWITCH_IN, cpu, at);
    }
    const isOn = cpu.currentVcpu === at && hasScheduledEvents(steps.world, state, at, cpu);
    if (isOn && (state.vcpus.length > 1 || this.mayAct(label.MIGRATE))) {
      this.add(label.SWITCH_OUT, cpu, at);
    }
  }

  private eventAtRest(cpu: LogicalCpu, at: number): void {
    const config = this.steps.world.eventConfigs[at]!;
    const { status } = this.state.events[at]!;
    if (config.owner !== HOST_OWNED) {
      if (cpu.currentVcpu === config.owner && this.mayAct(label.FLIP_PEBS_ENABLE)) {
        if (this.steps.hasGuestPebs(at)) {
          this.add(label.FLIP_PEBS_ENABLE, cpu, at);
        }
        this.add(label.FLIP_GLOBAL_CTRL, cpu, at);
      }
      return;
    }
    if (config.cpu !== cpu.index) {
      return;
    }
    if (status === OFF && this.mayAct(label.ENABLE)) {
      this.add(label.ENABLE, cpu, at);
    }
    if (status >= INACTIVE && this.mayAct(label.DISABLE)) {
      this.add(label.DISABLE, cpu, at);
    }
    if (this.mayAct(label.CLOSE) && this.allows(actions.START_CLOSE, cpu, at)) {
      this.add(label.CLOSE, cpu, at);
    }
    if (status === CLOSED && this.mayAct(label.ADD) && this.allows(actions.OPEN, cpu, at)) {
      this.add(label.ADD, cpu, at);
    }
  }

  /** NMIs of all kinds, wherever one can land. */
  private interrupts(cpu: LogicalCpu): void {
    if (cpu.pc === E3_READ && this.steps.explored.spec.nmi_in_e3 === false) {
      return;
    }
    if (this.throttles && this.steps.explored.late) {
      this.lateInterrupts(cpu);
    } else if (this.throttles && this.mayAct(label.OVERFLOW_AND_THROTTLE)) {
      let counting = this.mayOverflow(cpu);
      while (counting !== 0) {
        const counter = counting & -counting;
        counting &= ~counter;
        if (this.allows(actions.NMI, cpu, 0, counter)) {
          this.add(label.OVERFLOW_AND_THROTTLE, cpu, 31 - Math.clz32(counter));
        }
      }
    }
    if (this.mayAct(label.FOREIGN_NMI) && this.allows(actions.NMI, cpu, 0)) {
      this.add(label.FOREIGN_NMI, cpu, 0);
    }
    if (this.mayAct(label.RESET_NMI) && this.allows(actions.NMI_RESET, cpu, 0)) {
      this.add(label.RESET_NMI, cpu, 0);
    }
    const snapshot = this.mayAct(label.SNAPSHOT) && !isInGuest(cpu.pc);
    if (snapshot && this.allows(actions.NMI, cpu, 0)) {
      this.add(label.SNAPSHOT, cpu, 0);
    }
  }

  private lateInterrupts(cpu: LogicalCpu): void {
    const latched = cpu.hardware.status | cpu.hardware.dsRecords;
    let counting = this.mayOverflow(cpu) & ~latched;
    while (counting !== 0) {
      const counter = counting & -counting;
      counting &= ~counter;
      this.add(label.OVERFLOW, cpu, 31 - Math.clz32(counter));
    }
    if (latched !== 0 && this.allows(actions.NMI, cpu, 0)) {
      this.add(label.LATE_NMI, cpu, 0);
      if (this.steps.latchedActive(cpu) !== 0 && this.mayAct(label.LATE_NMI_THROTTLE)) {
        this.add(label.LATE_NMI_THROTTLE, cpu, 0);
      }
    }
  }

  /**
   * Counters with an active event that count now; a PEBS event overflows into its buffer only while its bit in
   * IA32_PEBS_ENABLE is set, and without it raises no interrupt.
   */
  private mayOverflow({ hardware, cpuc }: LogicalCpu): CounterSet {
    const hasMsr = this.steps.world.caps.pebsEnableMsr;
    const silent = hasMsr ? cpuc.pebsEnabled & ~hardware.pebsEnable : 0;
    return running(hardware) & cpuc.activeMask & ~silent;
  }

  /** The first event of this CPU's current thread that its guest's registers want otherwise. */
  private pendingReprogramming(cpu: LogicalCpu): number {
    const { state, steps } = this;
    if (cpu.currentVcpu === NO_VCPU || steps.explored.guestCounters === 0) {
      return NO_EVENT;
    }
    for (let at = 0; at < state.events.length; at += 1) {
      const isOwn = steps.world.eventConfigs[at]!.owner === cpu.currentVcpu;
      if (isOwn && steps.reprogramming(state, at) !== 'none') {
        return at;
      }
    }
    return NO_EVENT;
  }
}
