/**
 * A run: actions carried out on a machine step by step, with NMIs and overflows injected where asked, invariants evaluated after every
 * change, writes counted and, if wanted, listed.
 *
 * This is how live hosts, scripts, comparisons and calculators move the engine. It decides nothing about the PMU.
 */
import type { CounterSet, U64 } from '../arch/counter-set.js';
import { type MsrWrite, ROUND_TRIP, SETUP } from '../arch/write-sink.js';
import { violatedAt } from '../invariants/index.js';
import * as actions from '../machine/actions.js';
import { nextStep } from '../machine/advance.js';
import { vcpuOfRun } from '../machine/begin.js';
import * as step from '../machine/micro-step.js';
import {
  GUEST,
  K5_SWITCH,
  K6_TIMER,
  K8_PREPARE,
  K12_FASTPATH,
  STEP_CODES,
  STEP_NAMES,
  V6_EXIT_LOAD,
  VMX_ABORT,
} from '../machine/micro-step.js';
import {
  EXIT_ENTRY_FAILURE,
  EXIT_EXTERNAL_INTERRUPT,
  EXIT_REENTER,
  EXIT_VMFAIL,
  IDLE,
  type LogicalCpu,
  type MachineState,
  RUN_VCPU,
} from '../machine/state.js';
import type { World } from '../machine/world.js';
import { type Changes, FrameWatch } from './frame.js';
import { Injections } from './injections.js';
import { Refused } from './refused.js';
import { type FirstViolation, Tally } from './tally.js';

/** A guest's WRMSR, as KVM traces it. */
export interface GuestWrmsr {
  readonly msr: number;
  readonly value: U64;
  /** It takes a #GP, and the register stays as it is. */
  readonly refused: boolean;
}

export interface TraceEntry {
  /** Its place among all micro-steps and instant actions of the host, counted from 1. */
  readonly index: number;
  readonly cpu: number;
  /** Index of the vCPU that runs, or whose guest writes; or undefined. */
  readonly vcpu: number | undefined;
  readonly actor: 'kvm' | 'perf' | 'nmi' | 'cpu' | 'guest';
  /** Name of the micro-step or action. */
  readonly at: string;
  readonly writes: readonly MsrWrite[];
  /** What it changed; undefined in traces that earlier versions stored. */
  readonly changes: Changes | undefined;
  /** What changed between the entry before and it while nobody traced. */
  readonly missed: Changes;
  /** Where it is a guest's WRMSR. */
  readonly guestWrite?: GuestWrmsr;
}

/** How many trace entries a run keeps, the newest. */
export const TRACE_MAX = 1000;

/** Micro-steps that change nothing an invariant reads: evaluating after them would find what was found before. */
const WITHOUT_EFFECT = new Uint8Array(STEP_CODES);
for (const code of [
  step.K0_IRQ_OFF,
  step.K1_RUN,
  step.K2_STATE,
  step.K3_CROSS_MAPPED,
  step.K4_READ_MASKS,
  step.K7_LAPIC_WAIT,
  step.K8_PREPARE,
  step.V1_GUEST_STATE,
  step.V3_INJECT,
  step.GUEST,
  step.V5_HOST_STATE,
  step.K12_FASTPATH,
  step.D1_N_ADDED,
]) {
  WITHOUT_EFFECT[code] = 1;
}

export class Run {
  /** Replaced by a larger one when the machine gets more events or vCPUs. */
  world: World;
  readonly state: MachineState;
  readonly tally = new Tally();
  readonly trace: TraceEntry[] = [];
  /** Told of every step that is listed, once the invariants are evaluated after it. */
  onStep: ((entry: TraceEntry) => void) | null = null;
  /** Why MSRs are written outside of round trips. */
  cause = SETUP;
  private readonly startIndex: number;
  /** Follows the machine once it is traced. */
  private watch: FrameWatch | null = null;
  private missed: Changes = [];
  /** An action can change several CPUs, a micro-step only its own. */
  private hasActed = false;
  /** The NMIs and overflows that come during the actions to come. */
  readonly injections = new Injections();
  /** How many micro-steps the operations to come make before they are left where they are. */
  microStepsLeft = Number.POSITIVE_INFINITY;
  /** By CPU: the invariants that failed when they were last evaluated, as a bit mask. */
  readonly violated: Int32Array;
  private readonly action: actions.Action = { kind: 0, cpu: 0, target: 0, value: 0, throttle: 0 };

  /** `startIndex`: what happened on the host before this run; `violated`: what failed then, which the run goes on with. */
  constructor(
    world: World,
    state: MachineState,
    startIndex = 0,
    violated: Int32Array = new Int32Array(state.cpus.length),
  ) {
    this.world = world;
    this.state = state;
    this.startIndex = startIndex;
    this.violated = violated;
  }

  /** Starts or stops listing micro-steps and their writes. */
  set tracing(on: boolean) {
    if (on && this.watch === null) {
      this.watch = new FrameWatch();
      this.look();
    } else if (on && this.tally.sink.listed === null) {
      this.missed = this.look();
    }
    this.tally.sink.listed = on ? [] : null;
  }

  /** Performs one action; operations it starts are not advanced. */
  act(kind: number, cpu: number, target = 0, value = 0, throttle: CounterSet = 0): number {
    const { action } = this;
    action.kind = kind;
    action.cpu = cpu;
    action.target = target;
    action.value = value;
    action.throttle = throttle;
    const reason = actions.refusal(this.world, this.state, action);
    if (reason !== null) {
      throw new Refused('state', reason);
    }
    this.hasActed = true;
    this.tally.sink.cause = this.cause;
    return actions.perform(this.world, this.state, action, this.tally.sink);
  }

  /** Executes one micro-step of a CPU's operation, and what is to be injected right after it. */
  advance(cpu: LogicalCpu): number {
    const { world, state, tally } = this;
    const { sink } = tally;
    const isRun = cpu.operation === RUN_VCPU;
    const vcpu = isRun ? cpu.target : undefined;
    if (actions.refuseAdvance(world, state, cpu) !== null) {
      this.act(actions.ADVANCE, cpu.index);
    }
    sink.cause = isRun ? ROUND_TRIP : this.cause;
    const executed = actions.advance(world, state, cpu, sink);
    tally.microSteps += 1;
    tally.happened += 1;
    if (executed === GUEST) {
      tally.entries += 1;
    } else if (
      executed === V6_EXIT_LOAD &&
      cpu.exitReason !== EXIT_ENTRY_FAILURE &&
      cpu.pc !== VMX_ABORT
    ) {
      tally.roundTrips += 1;
    }
    // After a failed VMLAUNCH k12 is the first point at which the CPU is back in the host.
    const isBack = executed === K12_FASTPATH && cpu.exitReason === EXIT_VMFAIL;
    if (WITHOUT_EFFECT[executed] === 0 || isBack) {
      this.evaluate(cpu, vcpu, STEP_NAMES[executed]!);
    }
    if (sink.listed !== null) {
      this.note(cpu, vcpu, actorOf(executed), STEP_NAMES[executed]!);
    }
    if (this.injections.waiting) {
      this.injectAfter(cpu, executed);
    }
    return executed;
  }

  /** Advances until the CPU's operation is over, or has made the micro-step `last`, or as many as are left. */
  finish(cpu: LogicalCpu, last?: number): void {
    while (isUnderWay(cpu) && cpu.pc !== last && this.microStepsLeft > 0) {
      this.microStepsLeft -= 1;
      this.advance(cpu);
    }
  }

  /** An NMI, an overflow whose NMI is late, or a branch snapshot, now. */
  interrupt(kind: number, cpu: LogicalCpu, overflow: CounterSet, throttle: CounterSet): void {
    this.act(kind, cpu.index, 0, overflow, throttle);
    if (kind === actions.SNAPSHOT) {
      this.instant(cpu, 'perf', 'bpf_snapshot');
    } else if (kind === actions.LATCH) {
      this.instant(cpu, 'nmi', 'overflow');
    } else if (kind === actions.NMI_RESET) {
      this.instant(cpu, 'nmi', 'nmi_reset');
    } else {
      this.instant(cpu, 'nmi', throttle === 0 ? 'nmi' : 'nmi_throttle');
    }
  }

  /** Any other action that happens at once. */
  instantly(kind: number, cpu: LogicalCpu, target: number, name: string): void {
    this.act(kind, cpu.index, target);
    this.instant(cpu, 'perf', name);
  }

  /** A vCPU's guest has executed a WRMSR, which KVM emulates at once. */
  guestWrote(cpu: LogicalCpu, vcpu: number, write: GuestWrmsr): void {
    this.hasActed = true;
    this.instant(cpu, 'guest', 'guest_wrmsr', vcpu, write);
  }

  /** Performs an action that may start an operation. If it is over at once, no micro-step looks at what it has changed. */
  begin(kind: number, cpu: LogicalCpu, target: number, value = 0, throttle: CounterSet = 0): void {
    this.act(kind, cpu.index, target, value, throttle);
    if (cpu.operation === IDLE) {
      this.evaluate(cpu, undefined, STEP_NAMES[cpu.pc]!);
    }
  }

  /** Starts an operation and runs it to its end, or as far as it is to come. */
  operate(kind: number, cpu: LogicalCpu, target: number): void {
    this.begin(kind, cpu, target);
    this.finish(cpu);
  }

  /** Brings a vCPU's thread to its CPU and starts vmx_vcpu_run, unless it is under way already. */
  startRun(vcpu: number): LogicalCpu {
    const cpu = this.state.cpus[this.state.vcpus[vcpu]!.cpu]!;
    if (vcpuOfRun(this.world, cpu) === vcpu && cpu.pc !== VMX_ABORT) {
      return cpu;
    }
    this.switchTo(vcpu);
    this.act(actions.START_RUN, cpu.index, vcpu);
    return cpu;
  }

  /** The context switches that bring a vCPU's thread and events to its CPU. */
  switchTo(vcpu: number): void {
    const cpu = this.state.cpus[this.state.vcpus[vcpu]!.cpu]!;
    let needed = actions.contextSwitchNeeded(this.world, this.state, vcpu);
    while (needed !== actions.ADVANCE) {
      this.operate(needed, cpu, needed === actions.START_SCHED_OUT ? cpu.currentVcpu : vcpu);
      needed = actions.contextSwitchNeeded(this.world, this.state, vcpu);
    }
  }

  /** Runs a vCPU until it is in the guest, or back at rest if it never got or stayed there. */
  enter(vcpu: number, exitReason: number): LogicalCpu {
    const cpu = this.startRun(vcpu);
    const fails = exitReason === EXIT_VMFAIL || exitReason === EXIT_ENTRY_FAILURE;
    while (isUnderWay(cpu) && cpu.pc !== GUEST) {
      if (fails && cpu.pc === K8_PREPARE) {
        this.act(actions.SET_ENTRY_FAILURE, cpu.index, 0, exitReason);
      }
      this.advance(cpu);
    }
    return cpu;
  }

  /** Leaves the guest and runs until interrupts are on again, or until the fast path is about to re-enter. */
  leave(cpu: LogicalCpu, exitReason: number): void {
    if (cpu.pc === GUEST && cpu.exitReason === 0) {
      this.act(actions.SET_EXIT, cpu.index, 0, exitReason || EXIT_EXTERNAL_INTERRUPT);
    }
    while (isUnderWay(cpu) && !(cpu.pc === K12_FASTPATH && cpu.exitReason === EXIT_REENTER)) {
      this.advance(cpu);
    }
  }

  /** One VM-entry and the next VM-exit. */
  roundTrip(vcpu: number, exitReason: number): void {
    const cpu = this.startRun(vcpu);
    if (cpu.pc === K12_FASTPATH && cpu.exitReason === EXIT_REENTER) {
      this.advance(cpu);
    }
    this.enter(vcpu, exitReason);
    this.leave(cpu, exitReason);
  }

  private instant(
    cpu: LogicalCpu,
    actor: TraceEntry['actor'],
    name: string,
    vcpu = cpu.operation === RUN_VCPU ? cpu.target : undefined,
    guestWrite?: GuestWrmsr,
  ): void {
    this.tally.happened += 1;
    this.evaluate(cpu, vcpu, name);
    if (this.tally.sink.listed !== null) {
      this.note(cpu, vcpu, actor, name, guestWrite);
    }
  }

  private injectAfter(cpu: LogicalCpu, executed: number): void {
    const endsLists =
      executed >= K5_SWITCH &&
      executed < K6_TIMER &&
      nextStep(this.world, this.state, cpu) === K6_TIMER;
    for (const { kind, overflow, throttle } of this.injections.due(executed, endsLists)) {
      this.interrupt(kind, cpu, overflow, throttle);
    }
  }

  /** Counts the invariants that have come to fail on the CPU; those that failed before are counted already. */
  private evaluate(cpu: LogicalCpu, vcpu: number | undefined, at: string): void {
    const before = this.violated[cpu.index]!;
    const violated = violatedAt(this.world, this.state, cpu, before);
    if (violated !== before) {
      this.violated[cpu.index] = violated;
      this.countEpisodes(violated & ~before, { cpu: cpu.index, vcpu, at });
    }
  }

  private countEpisodes(begun: number, place: Omit<FirstViolation, 'index'>): void {
    for (let rest = begun; rest !== 0; rest &= rest - 1) {
      const invariant = 31 - Math.clz32(rest & -rest);
      this.tally.violations[invariant]! += 1;
      this.tally.firstViolations[invariant] ??= {
        index: this.startIndex + this.tally.happened,
        ...place,
      };
    }
  }

  private look(only?: LogicalCpu): Changes {
    return this.watch?.look(this.world, this.state, this.violated, only) ?? [];
  }

  private note(
    cpu: LogicalCpu,
    vcpu: number | undefined,
    actor: TraceEntry['actor'],
    at: string,
    guestWrite?: GuestWrmsr,
  ): void {
    const entry: TraceEntry = {
      index: this.startIndex + this.tally.happened,
      cpu: cpu.index,
      vcpu,
      actor,
      at,
      writes: this.tally.sink.take(),
      changes: this.look(this.hasActed ? undefined : cpu),
      missed: this.missed,
      ...(guestWrite && { guestWrite }),
    };
    this.missed = [];
    this.hasActed = false;
    this.trace.push(entry);
    this.onStep?.(entry);
    if (this.trace.length > 2 * TRACE_MAX) {
      this.trace.splice(0, this.trace.length - TRACE_MAX);
    }
  }
}

/** Whether the CPU's operation has a next micro-step: not after a VMX abort. */
function isUnderWay({ operation, pc }: LogicalCpu): boolean {
  return operation !== IDLE && pc !== VMX_ABORT;
}

/** Whose micro-step it is. */
function actorOf(executed: number): TraceEntry['actor'] {
  if (executed < step.K0_IRQ_OFF) {
    return 'perf';
  }
  if (executed === GUEST) {
    return 'guest';
  }
  return executed >= step.V1_GUEST_STATE && executed <= step.V6_EXIT_LOAD ? 'cpu' : 'kvm';
}
