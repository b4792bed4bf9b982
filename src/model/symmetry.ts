/**
 * Symmetry: states that differ only in which of several interchangeable events or vCPUs is which.
 *
 * Events are interchangeable when they were opened alike, each is pinned to a general-purpose counter of its own, and nothing
 * goes through them in the order of their opening, as a tick, the enabling of an event and the members of a closed leader's
 * group do: then exchanging two of them with their counters exchanges every run with another. vCPUs are when they were added alike. With guest counters in the
 * world nothing is folded, since perf places their events on the lowest free counter; nor where counters can be on for no
 * event.
 * The representative is the least packed state over all orders of the vCPUs, the events sorted by what their counters
 * hold; it is the same for every member of a class.
 */
import { GENERAL_PURPOSE } from '../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, PEBS_ENABLE } from '../pmu/arch/msr.js';
import type { Kind } from '../pmu/fields/field.js';
import type { Words } from '../pmu/fields/record.js';
import { recordsOf } from '../pmu/machine/records.js';
import { isAboutEvent, isAboutVcpu, type LogicalCpu, MachineState } from '../pmu/machine/state.js';
import { NO_EVENT, type PerfEventConfig } from '../pmu/perf/perf-event.js';
import type { ExploredWorld } from './explored-world.js';
import { eventName } from './steps/names.js';

/** Groups of interchangeable parts, by index. */
export interface Symmetry {
  readonly events: readonly (readonly number[])[];
  readonly vcpuOrders: readonly (readonly number[])[];
  /** What is folded, in words. */
  readonly described: string[];
}

export function symmetryOf(explored: ExploredWorld): Symmetry {
  const { world, initial, host } = explored;
  if (explored.guestCounters !== 0 || explored.strays) {
    return { events: [], vcpuOrders: [], described: [] };
  }
  const keys = world.eventConfigs.map((_, at) => keyOf(explored, at));
  const events = [...new Set(keys)]
    .map((key) => keys.flatMap((other, at) => (key !== null && other === key ? at : [])))
    .filter((group) => group.length > 1);
  const { vcpus } = initial;
  const kinds = vcpus.map(({ cpu, pebsDataCfg }, at) => [cpu, pebsDataCfg, world.guests[at]]);
  const isAlike = vcpus.length > 1 && new Set(kinds.map((kind) => JSON.stringify(kind))).size === 1;
  const names = (group: readonly number[]): string =>
    group.map((at) => eventName(explored, at)).join(', ');
  return {
    events,
    vcpuOrders: isAlike ? permutations([...vcpus.keys()]) : [],
    described: [
      ...events.map((group) => `events ${names(group)} with their counters`),
      ...(isAlike ? [`vCPUs ${host.vcpuNames.join(', ')}`] : []),
    ],
  };
}

/** What an event is but for its counter; null where it is like no other. */
function keyOf({ world, initial, budgets, detaches }: ExploredWorld, at: number): string | null {
  const config = world.eventConfigs[at]!;
  const { preciseIp, dataCfg } = initial.events[at]!;
  const isInOrder =
    budgets.tick !== 0 || budgets.event_enable !== 0 || budgets.event_add !== 0 || detaches;
  const isPinned =
    (config.constraint & (config.constraint - 1)) === 0 &&
    (config.constraint & GENERAL_PURPOSE) !== 0;
  const isGrouped =
    config.leader !== NO_EVENT || world.eventConfigs.some(({ leader }) => leader === at);
  if (isInOrder || !isPinned || isGrouped || config.auxOutput || preciseIp >= 3) {
    return null;
  }
  const anyCounter = { constraint: 0, constraintPrecise3: 0, eventCode: 0 };
  return JSON.stringify({ ...config, ...anyCounter, preciseIp, dataCfg });
}

/** By kind of field: where in it are words with a bit for each host counter. */
const MASKS: Readonly<Partial<Record<Kind, readonly number[]>>> = {
  counters: [0],
  global_ctrl: [0],
  msr_values: [GLOBAL_CTRL, PEBS_ENABLE],
  area_values: [GLOBAL_CTRL, PEBS_ENABLE],
};

/** Rewrites states into the representatives of their classes. */
export class SymmetryReducer {
  private readonly symmetry: Symmetry;
  private readonly state: MachineState;
  private readonly counters: readonly number[];
  /** Every word with a bit for each counter, as pairs of a record and its place there. */
  private readonly masks: readonly (readonly [record: Words, at: number])[];

  constructor(symmetry: Symmetry, initial: MachineState, configs: readonly PerfEventConfig[]) {
    this.symmetry = symmetry;
    this.state = new MachineState(initial);
    this.counters = configs.map(({ constraint }) => 31 - Math.clz32(constraint));
    this.masks = recordsOf(initial).flatMap((record) =>
      record.fields.flatMap(({ kind, at }) =>
        (MASKS[kind] ?? []).map((place) => [record.of(this.state), at + place] as const),
      ),
    );
  }

  /** Whether a state is not itself a candidate, since its events are to be sorted first. */
  get sortsEvents(): boolean {
    return this.symmetry.events.length > 0;
  }

  /** Calls `consider` with every candidate for the representative of a state's class, but the state itself. */
  candidates(of: MachineState, consider: (candidate: MachineState) => void): void {
    const { state, symmetry } = this;
    const orders = symmetry.vcpuOrders.length === 0 ? [undefined] : symmetry.vcpuOrders;
    // The first order is the one they have.
    for (let nth = this.sortsEvents ? 0 : 1; nth < orders.length; nth += 1) {
      const order = orders[nth];
      state.copyFrom(of);
      if (order !== undefined) {
        reorderVcpus(state, of, order);
      }
      for (const group of symmetry.events) {
        this.sortEvents(group);
      }
      consider(state);
    }
  }

  /** Sorts the events of a group by all that the state says of each and its counter. */
  private sortEvents(group: readonly number[]): void {
    // Insertion by exchanges: groups have a handful of members.
    for (let done = 1; done < group.length; done += 1) {
      for (let at = done; at > 0 && this.compare(group[at - 1]!, group[at]!) > 0; at -= 1) {
        this.exchange(group[at - 1]!, group[at]!);
      }
    }
  }

  /** Which of two events comes first: by status, then by whose operation is under way, then by the bits of its counter. */
  private compare(a: number, b: number): number {
    const { state, counters, masks } = this;
    const byStatus = state.events[a]!.status - state.events[b]!.status;
    if (byStatus !== 0) {
      return byStatus;
    }
    for (const cpu of state.cpus) {
      const byTarget = targets(cpu, a) - targets(cpu, b);
      if (byTarget !== 0) {
        return byTarget;
      }
    }
    const [bitA, bitB] = [counters[a]!, counters[b]!];
    for (const [{ words }, at] of masks) {
      const byBit = ((words[at]! >>> bitA) & 1) - ((words[at]! >>> bitB) & 1);
      if (byBit !== 0) {
        return byBit;
      }
    }
    return 0;
  }

  /** Two events change places, and so do their counters, wherever either is named. */
  private exchange(a: number, b: number): void {
    const { state, counters, masks } = this;
    const [bitA, bitB] = [counters[a]!, counters[b]!];
    for (const [{ words }, at] of masks) {
      const differs = ((words[at]! >>> bitA) ^ (words[at]! >>> bitB)) & 1;
      words[at]! ^= (differs << bitA) | (differs << bitB);
    }
    const { status } = state.events[a]!;
    state.events[a]!.status = state.events[b]!.status;
    state.events[b]!.status = status;
    for (const cpu of state.cpus) {
      if (isAboutEvent(cpu.operation) && (cpu.target === a || cpu.target === b)) {
        cpu.target = cpu.target === a ? b : a;
      }
    }
  }
}

function targets(cpu: LogicalCpu, event: number): number {
  return isAboutEvent(cpu.operation) && cpu.target === event ? 1 : 0;
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

function permutations(items: readonly number[]): number[][] {
  return items.length <= 1
    ? [[...items]]
    : items.flatMap((first) =>
        permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
      );
}
