/**
 * Symmetry: states that differ only in which of several interchangeable events or vCPUs is which.
 *
 * Events are interchangeable when they were opened alike, each is pinned to a general-purpose counter of its own, and nothing
 * goes through them in the order of their opening, as a tick and the enabling of an event do: then exchanging two of them
 * with their counters exchanges every run with another. vCPUs are when they were added alike. With guest counters in the
 * world nothing is folded, since perf places their events on the lowest free counter; nor where counters can be on for no
 * event.
 * The representative is the least packed state over all orders of the vCPUs, the events sorted by what their counters
 * hold; it is the same for every member of a class.
 */
import { type CounterSet, GENERAL_PURPOSE } from '../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, PEBS_ENABLE } from '../pmu/arch/msr.js';
import { isAboutEvent, isAboutVcpu, type LogicalCpu, MachineState } from '../pmu/machine/state.js';
import {
  ACTIVE,
  ADDED,
  NO_COUNTER,
  NO_EVENT,
  type PerfEventConfig,
} from '../pmu/perf/perf-event.js';
import type { ExploredWorld } from './explored-world.js';

/** Groups of interchangeable parts, by index. */
export interface Symmetry {
  readonly events: readonly (readonly number[])[];
  readonly vcpuOrders: readonly (readonly number[])[];
  /** What is folded, in words. */
  readonly described: string[];
}

export function symmetryOf(explored: ExploredWorld): Symmetry {
  const { world, initial, host, guestCounters, budgets } = explored;
  const none: Symmetry = { events: [], vcpuOrders: [], described: [] };
  if (guestCounters !== 0 || explored.strays) {
    return none;
  }
  const inOrder = budgets.tick !== 0 || budgets.event_enable !== 0 || budgets.event_add !== 0;
  const groups = groupsOf(world.eventConfigs, (config, at) => {
    const event = initial.events[at]!;
    const leads = world.eventConfigs.some((other) => other.leader === at);
    const pinned =
      (config.constraint & (config.constraint - 1)) === 0 &&
      (config.constraint & GENERAL_PURPOSE) !== 0;
    const alone = config.leader === NO_EVENT && !leads && !config.auxOutput;
    return pinned && alone && !inOrder && event.preciseIp < 3
      ? JSON.stringify({
          ...config,
          constraint: 0,
          constraintPrecise3: 0,
          eventCode: 0,
          precise: event.preciseIp,
          cfg: event.dataCfg,
        })
      : undefined;
  });
  const alike =
    initial.vcpus.length > 1 &&
    initial.vcpus.every(
      (vcpu, at) =>
        vcpu.cpu === initial.vcpus[0]!.cpu &&
        vcpu.pebsDataCfg === initial.vcpus[0]!.pebsDataCfg &&
        JSON.stringify(world.guests[at]) === JSON.stringify(world.guests[0]),
    );
  const names = (group: readonly number[]): string =>
    group.map((at) => host.eventNames[at] ?? `event ${at}`).join(', ');
  return {
    events: groups,
    vcpuOrders: alike ? permutations(initial.vcpus.map((_, at) => at)) : [],
    described: [
      ...groups.map((group) => `events ${names(group)} with their counters`),
      ...(alike ? [`vCPUs ${host.vcpuNames.join(', ')}`] : []),
    ],
  };
}

/** Rewrites states into the representatives of their classes. */
export class Folder {
  private readonly symmetry: Symmetry;
  private readonly state = new MachineState();
  private readonly counters: readonly number[];
  private readonly keys = new Float64Array(8);

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
    const { keys } = this;
    for (let nth = 0; nth < group.length; nth += 1) {
      keys[nth] = this.keyOf(state, group[nth]!);
    }
    // Insertion by exchanges: groups have a handful of members.
    for (let done = 1; done < group.length; done += 1) {
      for (let at = done; at > 0 && keys[at - 1]! > keys[at]!; at -= 1) {
        this.exchange(state, group[at - 1]!, group[at]!);
        const key = keys[at]!;
        keys[at] = keys[at - 1]!;
        keys[at - 1] = key;
      }
    }
  }

  /** All that a state says of an event and its counter, as one number: 3 bits, 13 for a CPU and 6 for a vCPU, 53 at most. */
  private keyOf(state: MachineState, event: number): number {
    const bit = this.counters[event]!;
    let key = state.events[event]!.status;
    for (let at = 0; at < state.cpus.length; at += 1) {
      const cpu = state.cpus[at]!;
      const { hardware, cpuc } = cpu;
      const { guestSwitchMsrs: list } = cpuc;
      const bits =
        (((cpuc.globalCtrlRead >>> bit) & 1) << 12) |
        (((hardware.globalCtrl >>> bit) & 1) << 11) |
        (((hardware.pebsEnable >>> bit) & 1) << 10) |
        (((hardware.status >>> bit) & 1) << 9) |
        (((hardware.dsRecords >>> bit) & 1) << 8) |
        (((cpu.nmiThrottle >>> bit) & 1) << 7) |
        (((cpuc.pebsEnableRead >>> bit) & 1) << 6) |
        (((list.pebsMask >>> bit) & 1) << 5) |
        (listedBits(list.host, list.guest, bit) << 1) |
        targets(cpu, event);
      key = key * 8192 + bits;
    }
    for (let at = 0; at < state.vcpus.length; at += 1) {
      const { guestGlobalCtrl, hostGlobalCtrl, autoload } = state.vcpus[at]!;
      const bits =
        (((guestGlobalCtrl >>> bit) & 1) << 5) |
        (((hostGlobalCtrl >>> bit) & 1) << 4) |
        listedBits(autoload.host, autoload.guest, bit);
      key = key * 64 + bits;
    }
    return key;
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
      event.counter = event.status >= ACTIVE ? bit : NO_COUNTER;
      event.assigned = event.status >= ADDED ? bit : NO_COUNTER;
    }
    for (const cpu of state.cpus) {
      exchangeInCpu(cpu, swap);
      if (isAboutEvent(cpu.operation) && (cpu.target === a || cpu.target === b)) {
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

function targets(cpu: LogicalCpu, event: number): number {
  return isAboutEvent(cpu.operation) && cpu.target === event ? 1 : 0;
}

/** The counter's bits in what is listed of IA32_PERF_GLOBAL_CTRL and IA32_PEBS_ENABLE, host and guest. */
function listedBits(host: Int32Array, guest: Int32Array, bit: number): number {
  return (
    (((host[GLOBAL_CTRL]! >>> bit) & 1) << 3) |
    (((host[PEBS_ENABLE]! >>> bit) & 1) << 2) |
    (((guest[GLOBAL_CTRL]! >>> bit) & 1) << 1) |
    ((guest[PEBS_ENABLE]! >>> bit) & 1)
  );
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
  cpuc.globalCtrlRead = swap(cpuc.globalCtrlRead);
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
    cpu.target = isAboutVcpu(original.operation) ? order.indexOf(original.target) : original.target;
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
