/** The machine of a world: booted, with its vCPUs, its events, and what its guests have written before the search. */
import { AddressBook } from '../pmu/arch/address-book.js';
import { counterBit, counterName, PSEUDO_COUNTERS, type U64 } from '../pmu/arch/counter-set.js';
import type { CpuModel } from '../pmu/arch/cpu-model.js';
import { findCpuModel } from '../pmu/arch/cpu-models.js';
import { msrCode } from '../pmu/arch/msr.js';
import { findKernel } from '../pmu/kernels/index.js';
import type { KernelVariant } from '../pmu/kernels/kernel-variant.js';
import { DEFAULT_FEATURES } from '../pmu/kvm/guest-msrs.js';
import { boot } from '../pmu/machine/boot.js';
import type { MachineState } from '../pmu/machine/state.js';
import type { World } from '../pmu/machine/world.js';
import { CLOSED, HOST_OWNED, NO_COUNTER, NO_EVENT } from '../pmu/perf/perf-event.js';
import { asLeader, cpuAt, openAsked } from '../pmu/stepping/host-events.js';
import { addVcpu, guestWrmsr } from '../pmu/stepping/operations.js';
import { Refused } from '../pmu/stepping/refused.js';
import { Run } from '../pmu/stepping/run.js';
import { readDataCfg, readU64 } from './values.js';
import { refusedWorld, within } from './world-error.js';
import type { EventSpec, U64Text, VcpuSpec, WorldSpec } from './world-spec.js';

/** A host as a world has it: the machine, and what its parts are called. */
export interface ModelHost {
  readonly model: CpuModel;
  readonly kernel: KernelVariant;
  readonly world: World;
  /** At rest. */
  readonly state: MachineState;
  readonly addresses: AddressBook;
  /** By slot; undefined where none is open. */
  readonly eventNames: readonly (string | undefined)[];
  readonly vcpuNames: readonly string[];
}

/** Throws a WorldError where the world cannot be. */
export function setUp(spec: WorldSpec): ModelHost {
  const { cpu_model, kernel: kernelId, options = {}, events = [], vcpus = [] } = spec;
  const model = findCpuModel(cpu_model) ?? refusedWorld('/cpu_model', `no CPU model ${cpu_model}`);
  const kernel = findKernel(kernelId) ?? refusedWorld('/kernel', `no kernel ${kernelId}`);
  const booted = boot({
    model,
    kernel,
    stepping: spec.stepping ?? model.defaultStepping,
    microcode: within('/microcode', () => u64(spec.microcode ?? 0)),
    cpus: spec.cpus ?? 1,
    groupThrottle: options.group_throttle ?? kernel.options.groupThrottle,
    autoloadSlotsTaken: options.autoload_slots_taken ?? 0,
  });
  const run = new Run(booted.world, booted.state);
  const addresses = new AddressBook();
  vcpus.forEach((vcpu, at) => {
    within(`/vcpus/${at}`, () => add(run, vcpu));
  });
  const names: string[] = [];
  events.forEach((event, at) => {
    within(`/events/${at}`, () => open(run, event, names));
    names.push(event.name ?? `e${at}`);
  });
  vcpus.forEach(({ wrmsr = [] }, at) => {
    wrmsr.forEach(({ msr, value }, nth) => {
      within(`/vcpus/${at}/wrmsr/${nth}`, () => write(run, addresses, at, msr, value));
    });
  });
  const { world, state } = run;
  return {
    model,
    kernel,
    world,
    state,
    addresses,
    eventNames: state.events.map(({ status }, at) => {
      const { owner, guestCounter } = world.eventConfigs[at]!;
      const guestName = status === CLOSED ? undefined : `guest ${counterName(guestCounter)}`;
      return owner === HOST_OWNED ? names[at] : guestName;
    }),
    vcpuNames: vcpus.map(({ name }, at) => name ?? `v${at}`),
  };
}

function add(run: Run, vcpu: VcpuSpec): void {
  const { cpu = 0, vpmu, pebs, rtm } = { ...DEFAULT_FEATURES, ...vcpu };
  addVcpu(run, cpuAt(run, cpu).index, { vpmu, pebs, rtm });
}

function open(run: Run, event: EventSpec, names: readonly string[]): void {
  const cpu = cpuAt(run, event.cpu ?? 0);
  const { counter, pebs_data_cfg: dataCfg, group_leader: leader } = event;
  openAsked(run, event, {
    cpu: cpu.index,
    counter: counter === undefined ? NO_COUNTER : counterOf(run, counter),
    dataCfg: dataCfg === undefined ? null : read(readDataCfg(dataCfg), '/pebs_data_cfg'),
    leader: leader === undefined ? NO_EVENT : asLeader(run, eventOf(names, leader), cpu),
  });
}

function counterOf(run: Run, name: string): number {
  const bit = counterBit(name);
  if (bit === undefined || ((run.world.caps.intelCtrl | PSEUDO_COUNTERS) & (1 << bit)) === 0) {
    throw new Refused('rule', `names ${name}, a counter this CPU does not have`, '/counter');
  }
  return bit;
}

function eventOf(names: readonly string[], name: string): number {
  const at = names.indexOf(name);
  if (at < 0 || names.lastIndexOf(name) !== at) {
    const which = at < 0 ? 'no' : 'more than one';
    throw new Refused('rule', `names ${which} perf event before it (${name})`, '/group_leader');
  }
  return at;
}

function write(run: Run, addresses: AddressBook, vcpu: number, msr: string, value: U64Text): void {
  const code = msrCode(msr);
  const identify = (address: U64): number => addresses.identify(address)!;
  const fault =
    code === undefined
      ? 'KVM emulates no such MSR for this vCPU'
      : guestWrmsr(run, vcpu, code, u64(value, '/value'), identify);
  if (fault !== null) {
    throw new Refused('rule', `the guest takes a #GP: ${fault}`);
  }
}

function u64(value: U64Text, field = ''): U64 {
  return read(readU64(value), field);
}

/** What was read; or why it cannot be, thrown. */
function read<Value>(value: Value | string, field: string): Value {
  if (typeof value === 'string') {
    throw new Refused('range', value, field);
  }
  return value;
}
