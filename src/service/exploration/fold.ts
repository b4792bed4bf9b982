/**
 * Symmetry: states that differ only in which of several interchangeable events or vCPUs is which.
 *
 * Events are interchangeable when they were opened alike and each is pinned to a general-purpose counter of its own: then
 * exchanging two of them with their counters exchanges every run with another. vCPUs are when they were added alike. With
 * guest counters in the world nothing is folded, since perf places their events on the lowest free counter.
 * The representative is the least packed state over all orders of the vCPUs, the events sorted by what their counters
 * hold; it is the same for every member of a class.
 */
import { type CounterSet, GENERAL_PURPOSE } from '../../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import { type LogicalCpu, MachineState, RUN_VCPU } from '../../pmu/machine/state.js';
import { NO_COUNTER, NO_EVENT, type PerfEventConfig } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from './explored-world.js';

/** Groups of interchangeable parts, by index. */
export interface Symmetry {
  readonly events: readonly (readonly number[])[];
  readonly vcpuOrders: readonly (readonly number[])[];
  /** What is folded, in words. */
  readonly described: string[];
}

export function symmetryOf({ world, initial, host, guestCounters }: ExploredWorld): Symmetry {
  const none: Symmetry = { events: [], vcpuOrders: [], described: [] };
  if (guestCounters !== 0) {
    return none;
  }
  const groups = groupsOf(world.eventConfigs, (config, at) => {
    const event = initial.events[at]!;
    const leads = world.eventConfigs.some((other) => other.leader === at);
    const pinned =
      (config.constraint & (config.constraint - 1)) === 0 &&
      (config.constraint & GENERAL_PURPOSE) !== 0;
    const alone = config.leader === NO_EVENT && !leads && !config.auxOutput;
    return pinned && alone && event.preciseIp < 3
      ? JSON.stringify({
          ...config,
          constraint: 0,
          constraintPrecise3: 0,
          precise: event.preciseIp,
          cfg: event.dataCfg,
        })
      : undefined;
  });
  const alike =
    initial.vcpus.length > 1 &&
    initial.vcpus.every(
      (vcpu, at) => vcpu.cpu === initial.vcpus[0]!.cpu && world.vpmu[at] === world.vpmu[0],
    );
  const names = (group: readonly number[]): string =>
    group.map((at) => host.events[at]?.name ?? `event ${at}`).join(', ');
  return {
    events: groups,
    vcpuOrders: alike ? permutations(initial.vcpus.map((_, at) => at)) : [],
    described: [
      ...groups.map((group) => `events ${names(group)} with their counters`),
      ...(alike ? [`vCPUs ${host.vcpus.map(({ name, id }) => name ?? id).join(', ')}`] : []),
    ],
  };
}

/** Rewrites states into the representatives of their classes. */
export class Folder {
  private readonly symmetry: Symmetry;
  private readonly state = new MachineState();
  private readonly counters: readonly number[];

  constructor(symmetry: Symmetry, initial: MachineState, configs: readonly PerfEventConfig[]) {
    this.symmetry = symmetry;
    this.state.copyFrom(initial);
    this.counters = configs.map(({ constraint }) => 31 - Math.clz32(constraint));
  }

  /** Calls `consider` with every candidate for the representative of a state's class. */
  candidates(of: MachineState, consider: (candidate: MachineState) => void): void {
    const { state, symmetry } = this;
    const orders = symmetry.vcpuOrders.length === 0 ? [undefined] : symmetry.vcpuOrders;
    for (const order of orders) {
      state.copyFrom(of);
      if (order !== undefined) {
        reorderVcpus(state, of, order);
      }
      for (const group of symmetry.events) {
        this.sortEvents(state, group);
      }
      consider(state);
    }
  }

  /** Sorts the events of a group by all that the state says of each and its counter. */
  private sortEvents(state: MachineState, group: readonly number[]): void {
    const places = group.slice(1);
    // Insertion by exchanges: groups have a handful of members.
    places.forEach((_, done) => {
      for (let at = done + 1; at > 0; at -= 1) {
        const left = group[at - 1]!;
        const right = group[at]!;
        if (this.compare(state, left, right) <= 0) {
          return;
        }
        this.exchange(state, left, right);
      }
    });
  }

  private compare(state: MachineState, a: number, b: number): number {
    const status = state.events[a]!.status - state.events[b]!.status;
    if (status !== 0) {
      return status;
    }
    const bitA = this.counters[a]!;
    const bitB = this.counters[b]!;
    for (const cpu of state.cpus) {
      const difference = compareCpu(cpu, bitA, bitB) || targets(cpu, a) - targets(cpu, b);
      if (difference !== 0) {
        return difference;
      }
    }
    for (const vcpu of state.vcpus) {
      const sets = [
        vcpu.guestGlobalCtrl,
        vcpu.hostGlobalCtrl,
        ...listed(vcpu.autoload.host),
        ...listed(vcpu.autoload.guest),
      ];
      const difference = compareBits(sets, bitA, bitB);
      if (difference !== 0) {
        return difference;
      }
    }
    return 0;
  }

  private exchange(state: MachineState, a: number, b: number): void {
    const bitA = this.counters[a]!;
    const bitB = this.counters[b]!;
    const swap = (set: CounterSet): CounterSet => exchangeBits(set, bitA, bitB);
    const eventA = state.events[a]!;
    const eventB = state.events[b]!;
    const { status } = eventA;
    eventA.status = eventB.status;
    eventB.status = status;
    for (const [event, bit] of [
      [eventA, bitA],
      [eventB, bitB],
    ] as const) {
      event.counter = event.status >= 5 ? bit : NO_COUNTER;
      event.assigned = event.status >= 4 ? bit : NO_COUNTER;
    }
    for (const cpu of state.cpus) {
      exchangeInCpu(cpu, swap);
      if (
        cpu.operation !== RUN_VCPU &&
        (cpu.target === a || cpu.target === b) &&
        targetsEvent(cpu)
      ) {
        cpu.target = cpu.target === a ? b : a;
      }
    }
    for (const vcpu of state.vcpus) {
      vcpu.guestGlobalCtrl = swap(vcpu.guestGlobalCtrl);
      vcpu.hostGlobalCtrl = swap(vcpu.hostGlobalCtrl);
      for (const msr of [GLOBAL_CTRL, PEBS_ENABLE]) {
        vcpu.autoload.host[msr] = swap(vcpu.autoload.host[msr]!);
        vcpu.autoload.guest[msr] = swap(vcpu.autoload.guest[msr]!);
      }
    }
  }
}

/** Enable, disable and close are about an event. */
function targetsEvent(cpu: LogicalCpu): boolean {
  return cpu.operation >= 3 && cpu.operation <= 5;
}

function targets(cpu: LogicalCpu, event: number): number {
  return targetsEvent(cpu) && cpu.target === event ? 1 : 0;
}

function setsOf({ hardware, cpuc, nmiThrottle }: LogicalCpu): CounterSet[] {
  const list = cpuc.guestSwitchMsrs;
  return [
    hardware.globalCtrl,
    hardware.pebsEnable,
    hardware.status,
    hardware.dsRecords,
    nmiThrottle,
    cpuc.pebsEnableRead,
    list.pebsMask,
    ...listed(list.host),
    ...listed(list.guest),
  ];
}

/** The counter sets among values by MSR code. */
function listed(values: Int32Array): CounterSet[] {
  return [values[GLOBAL_CTRL]!, values[PEBS_ENABLE]!];
}

function compareCpu(cpu: LogicalCpu, a: number, b: number): number {
  return compareBits(setsOf(cpu), a, b);
}

function compareBits(sets: readonly CounterSet[], a: number, b: number): number {
  for (const set of sets) {
    const difference = ((set >>> a) & 1) - ((set >>> b) & 1);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

function exchangeBits(set: CounterSet, a: number, b: number): CounterSet {
  const differs = ((set >>> a) ^ (set >>> b)) & 1;
  return set ^ ((differs << a) | (differs << b));
}

function exchangeInCpu(cpu: LogicalCpu, swap: (set: CounterSet) => CounterSet): void {
  const { hardware, cpuc } = cpu;
  const list = cpuc.guestSwitchMsrs;
  hardware.globalCtrl = swap(hardware.globalCtrl);
  hardware.pebsEnable = swap(hardware.pebsEnable);
  hardware.status = swap(hardware.status);
  hardware.dsRecords = swap(hardware.dsRecords);
  cpu.nmiThrottle = swap(cpu.nmiThrottle);
  cpuc.pebsEnabled = swap(cpuc.pebsEnabled);
  cpuc.pebsEnableRead = swap(cpuc.pebsEnableRead);
  list.pebsMask = swap(list.pebsMask);
  for (const msr of [GLOBAL_CTRL, PEBS_ENABLE]) {
    list.host[msr] = swap(list.host[msr]!);
    list.guest[msr] = swap(list.guest[msr]!);
  }
}

/** Puts vCPU `order[k]` of a state at place k. */
function reorderVcpus(state: MachineState, of: MachineState, order: readonly number[]): void {
  order.forEach((from, to) => {
    state.vcpus[to]!.copyFrom(of.vcpus[from]!);
  });
  state.cpus.forEach((cpu, at) => {
    const original = of.cpus[at]!;
    const isVcpuTarget = original.operation === RUN_VCPU || original.operation >= 7;
    cpu.target = isVcpuTarget ? order.indexOf(original.target) : original.target;
    cpu.currentVcpu =
      original.currentVcpu < 0 ? original.currentVcpu : order.indexOf(original.currentVcpu);
  });
}

function groupsOf<Item>(
  items: readonly Item[],
  key: (item: Item, at: number) => string | undefined,
): number[][] {
  const groups = new Map<string, number[]>();
  items.forEach((item, at) => {
    const text = key(item, at);
    if (text !== undefined) {
      groups.set(text, [...(groups.get(text) ?? []), at]);
    }
  });
  return [...groups.values()].filter((group) => group.length > 1);
}

function permutations(items: readonly number[]): number[][] {
  return items.length <= 1
    ? [[...items]]
    : items.flatMap((first) =>
        permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
      );
}
