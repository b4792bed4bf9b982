/**
 * A machine to test with, in the words of the domain: counters by name, micro-steps by name, registers as lists of
 * counter names ("-" is none). It calls the engine and decides nothing itself.
 */
import { AddressBook } from '../../src/pmu/arch/address-book.js';
import {
  type CounterSet,
  counterBit,
  counterNames,
  type U64,
} from '../../src/pmu/arch/counter-set.js';
import type { PmuCaps } from '../../src/pmu/arch/cpu-model.js';
import { findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import {
  COUNTER,
  DS_AREA,
  GLOBAL_CTRL,
  msrCode,
  msrName,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
  VIA_NAMES,
} from '../../src/pmu/arch/msr.js';
import type { MsrWrite } from '../../src/pmu/arch/write-sink.js';
import { INVARIANTS } from '../../src/pmu/invariants/index.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import type { KernelOptions } from '../../src/pmu/kernels/kernel-variant.js';
import { isIsolatedOn, capsOf as kernelCapsOf } from '../../src/pmu/kernels/pmu-support.js';
import { DEFAULT_FEATURES, type GuestFeatures } from '../../src/pmu/kvm/guest-msrs.js';
import type { VcpuPmu } from '../../src/pmu/kvm/vcpu-pmu.js';
import * as actions from '../../src/pmu/machine/actions.js';
import { stepCode } from '../../src/pmu/machine/micro-step.js';
import {
  EXIT_NAMES,
  type ExitReasonName,
  type LogicalCpu,
  type MachineState,
} from '../../src/pmu/machine/state.js';
import { createState, createWorld, type World } from '../../src/pmu/machine/world.js';
import { type OpenRequest, planOpen } from '../../src/pmu/perf/open-rules.js';
import { NO_COUNTER, NO_EVENT, type PerfEvent, statusName } from '../../src/pmu/perf/perf-event.js';
import type { Injection } from '../../src/pmu/stepping/injections.js';
import {
  addVcpu,
  closeEvent,
  disableEvent,
  guestWrmsr,
  migrate,
  openHostEvent,
  tick,
} from '../../src/pmu/stepping/operations.js';
import { Run } from '../../src/pmu/stepping/run.js';

import { formatMsrValue } from '../../src/service/wire.js';

export interface MachineOptions {
  readonly cpus?: number;
  readonly microcode?: number;
  readonly stepping?: number;
  readonly options?: Partial<KernelOptions>;
  readonly autoloadSlotsTaken?: number;
}

/** A host event; what is not said is an event of the fixed-period kind on any counter. */
export interface EventWish extends Partial<Omit<OpenRequest, 'counter'>> {
  readonly counter?: string;
  /** Opened but not enabled. */
  readonly off?: boolean;
}

export interface NmiWish {
  /** The micro-step it lands right after. */
  readonly after: string;
  readonly occurrence?: number;
  readonly overflow?: readonly string[];
  readonly throttle?: readonly string[];
}

export interface RoundTripWish {
  readonly vcpu?: number;
  readonly exit?: ExitReasonName;
  readonly nmi?: NmiWish;
}

const ENABLED_EVENTSEL = 0x43003cn;

export function machine(model: string, kernel: string, options: MachineOptions = {}): Machine {
  return new Machine(model, kernel, options);
}

export class Machine {
  readonly state: MachineState;
  readonly run: Run;
  readonly addresses = new AddressBook();

  constructor(modelId: string, kernelId: string, options: MachineOptions) {
    const model = present(findCpuModel(modelId), modelId);
    const kernel = present(findKernel(kernelId), kernelId);
    const world = createWorld({
      model,
      caps: kernelCapsOf(kernel, model),
      kernel,
      ...(options.options ? { options: options.options } : {}),
      ...(options.autoloadSlotsTaken ? { autoloadSlotsTaken: options.autoloadSlotsTaken } : {}),
    });
    const stepping = options.stepping ?? model.defaultStepping;
    const isolated = isIsolatedOn(kernel, model, stepping, options.microcode ?? 0);
    this.state = createState(world, options.cpus ?? 1, !isolated);
    this.run = new Run(world, this.state);
    this.run.tracing = true;
  }

  get world(): World {
    return this.run.world;
  }

  // What the host does.

  event(wish: EventWish = {}): this {
    const plan = this.planOf(requestOf(wish));
    if ('errno' in plan) {
      throw new Error(`${plan.errno}: ${plan.reason}`);
    }
    openHostEvent(this.run, plan, wish.off ?? false);
    return this;
  }

  /** What perf says to a request. */
  planOf(request: OpenRequest): ReturnType<typeof planOpen> {
    return planOpen(this.world.caps, request);
  }

  /** Enables, disables or closes the n-th event opened, with NMIs landing on the way. */
  enable(at: number, nmi?: NmiWish): this {
    const cpu = this.cpuOf(this.world.eventConfigs[at]!.cpu);
    return this.taking(nmi, () => this.run.operate(actions.START_ENABLE, cpu, at));
  }

  disable(at: number, nmi?: NmiWish): this {
    return this.taking(nmi, () => disableEvent(this.run, at));
  }

  close(at: number, nmi?: NmiWish): this {
    return this.taking(nmi, () => closeEvent(this.run, at));
  }

  section(nmi?: NmiWish, cpu = 0): this {
    return this.taking(nmi, () =>
      this.run.operate(actions.START_SECTION, this.state.cpus[cpu]!, 0),
    );
  }

  tick(nmi?: NmiWish, cpu = 0): this {
    return this.taking(nmi, () => tick(this.run, this.state.cpus[cpu]!));
  }

  /** An NMI now. Nothing named: a foreign one. */
  nmi(wish: { overflow?: readonly string[]; throttle?: readonly string[] } = {}, cpu = 0): this {
    this.run.interrupt(actions.NMI, this.state.cpus[cpu]!, set(wish.overflow), set(wish.throttle));
    return this;
  }

  /** Counters overflow; their NMI comes later. */
  latch(counters: readonly string[], cpu = 0): this {
    this.run.interrupt(actions.LATCH, this.state.cpus[cpu]!, set(counters), 0);
    return this;
  }

  snapshot(cpu = 0): this {
    this.run.interrupt(actions.SNAPSHOT, this.state.cpus[cpu]!, 0, 0);
    return this;
  }

  loadMicrocode(): this {
    this.run.instantly(actions.MICROCODE, this.state.cpus[0]!, 0, 'microcode');
    return this;
  }

  // What KVM and the guest do.

  vcpu({ cpu = 0, ...features }: { cpu?: number } & Partial<GuestFeatures> = {}): this {
    addVcpu(this.run, cpu, { ...DEFAULT_FEATURES, ...features });
    return this;
  }

  /** A guest's WRMSR; a #GP is an error here. */
  guest(name: string, value: bigint | number, vcpu = 0): this {
    const fault = this.guestFault(name, value, vcpu);
    if (fault !== null) {
      throw new Error(`#GP: ${fault}`);
    }
    return this;
  }

  /** Why a guest's WRMSR takes a #GP, or null when it is accepted. */
  guestFault(name: string, value: bigint | number, vcpu = 0): string | null {
    const code = present(msrCode(name), name);
    return guestWrmsr(this.run, vcpu, code, u64(BigInt(value)), (address) =>
      present(this.addresses.identify(address), 'a full address book'),
    );
  }

  /** The guest samples with PEBS on its PMCs: everything set up, then turned on. */
  guestPebs(counters: readonly number[], vcpu = 0, dsArea = 0xffff8880_00049000n): this {
    this.guest('IA32_PERF_GLOBAL_CTRL', 0, vcpu).guest('IA32_DS_AREA', dsArea, vcpu);
    const mask = counters.reduce((bits, counter) => bits | (1 << counter), 0);
    this.guest('IA32_PEBS_ENABLE', mask, vcpu);
    for (const counter of counters) {
      this.guest(`IA32_PERFEVTSEL${counter}`, ENABLED_EVENTSEL, vcpu);
    }
    return this.guest('IA32_PERF_GLOBAL_CTRL', mask, vcpu);
  }

  /** The guest counts, without PEBS, on its PMCs. */
  guestCounts(counters: readonly number[], vcpu = 0): this {
    for (const counter of counters) {
      this.guest(`IA32_PERFEVTSEL${counter}`, ENABLED_EVENTSEL, vcpu);
    }
    return this;
  }

  roundTrip(wish: RoundTripWish = {}): this {
    return this.taking(wish.nmi, () =>
      this.run.roundTrip(wish.vcpu ?? 0, exitCode(wish.exit ?? 'external_interrupt')),
    );
  }

  /** Runs a vCPU until it is in the guest. */
  enter(wish: RoundTripWish = {}): this {
    return this.taking(wish.nmi, () => {
      this.run.enter(wish.vcpu ?? 0, exitCode(wish.exit ?? 'external_interrupt'));
    });
  }

  leave(wish: Omit<RoundTripWish, 'vcpu'> = {}, cpu = 0): this {
    return this.taking(wish.nmi, () =>
      this.run.leave(this.state.cpus[cpu]!, exitCode(wish.exit ?? 'external_interrupt')),
    );
  }

  /** Runs a vCPU just past a micro-step. */
  runTo(stepName: string, vcpu = 0): this {
    const code = present(stepCode(stepName), stepName);
    const cpu = this.run.startRun(vcpu);
    while (cpu.pc !== code) {
      this.run.advance(cpu);
    }
    return this;
  }

  /** Carries the CPU's operation to its end. */
  finish(cpu = 0): this {
    this.run.finish(this.state.cpus[cpu]!);
    return this;
  }

  migrate(vcpu: number, to: number): this {
    migrate(this.run, vcpu, to);
    return this;
  }

  // What can be seen.

  get cpu(): LogicalCpu {
    return this.state.cpus[0]!;
  }

  cpuOf(index: number): LogicalCpu {
    return this.state.cpus[index]!;
  }

  vcpuOf(index: number): VcpuPmu {
    return this.state.vcpus[index]!;
  }

  eventOf(index: number): PerfEvent {
    return this.state.events[index]!;
  }

  status(at: number): string {
    return statusName(this.eventOf(at));
  }

  /** IA32_PEBS_ENABLE. */
  pe(cpu = 0): string {
    return names(this.cpuOf(cpu).hardware.pebsEnable);
  }

  /** `pebs_enabled`. */
  p(cpu = 0): string {
    return names(this.cpuOf(cpu).cpuc.pebsEnabled);
  }

  /** Bits set in IA32_PEBS_ENABLE that perf does not want. */
  stuck(cpu = 0): string {
    const { hardware, cpuc } = this.cpuOf(cpu);
    return names(hardware.pebsEnable & ~cpuc.pebsEnabled);
  }

  gc(cpu = 0): CounterSet {
    return this.cpuOf(cpu).hardware.globalCtrl;
  }

  /** The MSRs of a vCPU's load areas in array order, with the values for guest and host. */
  areas(vcpu = 0): string[] {
    const { autoload } = this.vcpuOf(vcpu);
    return [...autoload.order]
      .slice(0, autoload.count)
      .map(
        (msr) =>
          `${msrName(msr)} ${valueText(msr, autoload.guest[msr]!)}/${valueText(msr, autoload.host[msr]!)}`,
      );
  }

  /** The writes since they were last taken, as `row MSR=value`. */
  writes(): string[] {
    return this.takeWrites().map(
      ({ row, msr, value }) =>
        `${row} ${msrName(msr)}${isReload(msr) ? '' : `=${valueText(msr, value)}`}`,
    );
  }

  /** Like `writes`, with the mechanism in place of the row. */
  writesVia(): string[] {
    return this.takeWrites().map(
      ({ via, msr, value }) => `${VIA_NAMES[via]} ${msrName(msr)}=${valueText(msr, value)}`,
    );
  }

  /** The micro-steps and NMIs since the trace was last taken. */
  steps(): string[] {
    return this.run.trace.splice(0).map(({ at }) => at);
  }

  /** Ids of the invariants that have failed so far, in their order. */
  violated(): string[] {
    return INVARIANTS.filter((_, at) => this.run.tally.violations[at]! > 0).map(({ id }) => id);
  }

  /** Where an invariant failed first. */
  firstViolation(id: string): string | undefined {
    const at = INVARIANTS.findIndex((invariant) => invariant.id === id);
    return this.run.tally.firstViolations[at]?.at;
  }

  private takeWrites(): MsrWrite[] {
    const writes = this.run.trace.splice(0).flatMap((entry) => entry.writes);
    return [...writes, ...this.run.tally.sink.take()];
  }

  private taking(nmi: NmiWish | undefined, act: () => void): this {
    this.run.injections.set(nmi === undefined ? [] : [injectionOf(nmi)]);
    act();
    this.run.injections.expectLanded();
    return this;
  }
}

/** The set of counters with these names. */
export function set(counters: readonly string[] = []): CounterSet {
  return counters.reduce((bits, name) => bits | (1 << present(counterBit(name), name)), 0);
}

export function names(counters: CounterSet): string {
  return counterNames(counters).join(' ') || '-';
}

export function u64(value: bigint): U64 {
  return { hi: Number(value >> 32n), lo: Number(value & 0xffffffffn) };
}

/** A request for a host event. */
export function requestOf({ counter, off: _, ...rest }: EventWish): OpenRequest {
  return {
    cpu: 0,
    counter: counter === undefined ? NO_COUNTER : present(counterBit(counter), counter),
    preciseIp: 0,
    excludeHost: false,
    excludeGuest: false,
    sampling: 'period',
    largePebs: false,
    auxOutput: false,
    dataCfg: null,
    leader: NO_EVENT,
    ...rest,
  };
}

/** What a kernel, the newest one unless told, makes of a model. */
export function capsOf(model: string, kernel = 'linux-7.3.4'): PmuCaps {
  return kernelCapsOf(present(findKernel(kernel), kernel), present(findCpuModel(model), model));
}

/** A value that must be there, or an error that names what is missing. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) {
    throw new Error(`there is no ${what}`);
  }
  return value;
}

function injectionOf(nmi: NmiWish): Injection {
  return {
    step: present(stepCode(nmi.after), nmi.after),
    occurrence: nmi.occurrence ?? 1,
    kind: actions.NMI,
    overflow: set(nmi.overflow),
    throttle: set(nmi.throttle),
  };
}

function exitCode(name: ExitReasonName): number {
  return EXIT_NAMES.indexOf(name);
}

function valueText(msr: number, value: number): string {
  if (msr === DS_AREA || msr === PEBS_DATA_CFG) {
    return String(value);
  }
  return msr === GLOBAL_CTRL || msr === PEBS_ENABLE
    ? names(value)
    : formatMsrValue(msr, value, new AddressBook()).replace(/^0x0*(?=.)/, '0x');
}

/** Counter reloads carry no value in the engine. */
function isReload(msr: number): boolean {
  return msr >= COUNTER;
}
