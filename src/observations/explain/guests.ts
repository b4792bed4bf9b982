/** The guests that may have run in a recording. */
import { formatCounterSet } from '../../model/values.js';
import type { VcpuSpec } from '../../model/world-spec.js';
import {
  COUNTERS,
  type CounterSet,
  counterNames,
  FIXED_BIT,
  fromU64,
  GENERAL_PURPOSE,
  type U64,
} from '../../pmu/arch/counter-set.js';
import type { PmuCaps } from '../../pmu/arch/cpu-model.js';
import {
  EVENTSEL,
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  msrIndex,
  PEBS_ENABLE,
} from '../../pmu/arch/msr.js';
import type { Clues } from './clues.js';

export interface Guests {
  readonly vcpus: VcpuSpec[];
  /** The counters that they use. */
  readonly counters: CounterSet;
  /** perf moves their events, so that counters of theirs are the host's at other times. */
  readonly areMoved: boolean;
  /** Whether they write registers of their PMUs while it is recorded. */
  readonly write: boolean;
  /** In words. */
  readonly said: string;
}

type Wrmsrs = NonNullable<VcpuSpec['wrmsr']>;

/** Counters that the host's IA32_PERF_GLOBAL_CTRL leaves out: their events count in guests only. */
export interface LeftOut {
  /** Those that are left out at some time. */
  readonly counters: CounterSet;
  /** The most general-purpose counters that are left out at once. */
  readonly atOnce: number;
}

export function leftOut({ intelCtrl }: PmuCaps, { globalCtrls }: Clues): LeftOut {
  const sets = globalCtrls.map((value) => intelCtrl & ~fromU64(value).set);
  const counts = sets.map((set) => bitsOf(set & GENERAL_PURPOSE).length);
  return { counters: union(sets), atOnce: Math.max(0, ...counts) };
}

/** Whether an event that counts in guests only has left its counter for another one. */
function hasMoved({ counters, atOnce }: LeftOut): boolean {
  return bitsOf(counters & GENERAL_PURPOSE).length > atOnce;
}

/** Guests of which nothing tells whether the events that moved are theirs. */
export function maybeMoved(likelies: readonly Guests[][], left: LeftOut): Guests[][] {
  const moving = (guests: Guests[]): Guests[] => guests.map((one) => ({ ...one, areMoved: true }));
  return [...likelies, ...(hasMoved(left) ? likelies.map(moving) : [])];
}

/** The likelier ones first, and in turn those that are as likely. `count` is how many vCPUs are entered. */
export function guestsOf(count: number, left: LeftOut, clues: Clues): Guests[][] {
  const { counters } = left;
  const none = guests(count, 0);
  const withPebs = pebsIn(counters, clues);
  const switching = (vcpus: number): Guests[] =>
    withPebs.map((pebs) => guests(vcpus, counters, counted(counters, pebs), 'switches on and off'));
  // Where no entry is recorded, entries may not have been traced at all.
  if (count === 0) return [[none], [guests(1, 0)], ...(counters === 0 ? [] : [switching(1)])];
  if (counters === 0) return [[none]];
  const using = withPebs.flatMap((pebs) => [
    { ...guests(count, counters, counted(counters, pebs), 'uses'), write: false },
    ...crossMapped(count, counters, pebs),
    ...moved(count, left, pebs),
  ]);
  return [
    [...using, none],
    switching(count),
    withPebs.map((pebs) => guests(count, counters, countedLater(counters, pebs), 'begins to use')),
  ];
}

/** Which of them may be with PEBS: where no bit tells of any, all or none. */
function pebsIn(counters: CounterSet, { pebsBits, hasPebs }: Clues): CounterSet[] {
  const told = counters & pebsBits;
  return told === 0 && hasPebs ? [counters, 0] : [told];
}

/** Guests take their counters from the lowest on, and perf gives them others where the host has those. */
function crossMapped(count: number, counters: CounterSet, pebs: CounterSet): Guests[] {
  const general = bitsOf(counters & GENERAL_PURPOSE);
  const own = (set: CounterSet): CounterSet =>
    general.reduce((all, bit, at) => (set & (1 << bit) ? all | (1 << at) : all), 0);
  const taken = own(counters) | (counters & ~GENERAL_PURPOSE);
  return taken === counters ? [] : [numbered(count, counters, taken, own(pebs))];
}

/** perf moves a guest's event to another counter that is free, so that it has had more of them than at once. */
function moved(count: number, left: LeftOut, pebs: CounterSet): Guests[] {
  const { counters, atOnce } = left;
  if (!hasMoved(left)) return [];
  const lowest = (1 << atOnce) - 1;
  const fixed = counters & ~GENERAL_PURPOSE;
  const own = (pebs & GENERAL_PURPOSE ? lowest : 0) | (pebs & fixed);
  return [{ ...numbered(count, counters, lowest | fixed, own, 'in turn'), areMoved: true }];
}

/** Guests that have the host's counters as others of theirs. */
function numbered(
  count: number,
  counters: CounterSet,
  own: CounterSet,
  pebs: CounterSet,
  ...how: string[]
): Guests {
  const { said, ...rest } = guests(count, counters, counted(own, pebs), 'has');
  const names = counterNames(own).join(', ');
  return { ...rest, write: false, said: `${[said, ...how].join(' ')}, as its ${names}` };
}

function bitsOf(set: CounterSet): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => set & (1 << bit));
}

function guests(count: number, counters: CounterSet, wrmsr?: Wrmsrs, verb = 'uses'): Guests {
  const vcpus = Array.from({ length: count }, (_, at) => ({
    name: `v${at}`,
    ...(wrmsr === undefined ? {} : { wrmsr }),
  }));
  const used = counters === 0 ? 'no counter' : counterNames(counters).join(', ');
  const run = count === 1 ? '1 vCPU runs, and its' : `${count} vCPUs run, and each`;
  const said = count === 0 ? 'no vCPU runs' : `${run} guest ${verb} ${used}`;
  return { vcpus, counters, areMoved: false, write: wrmsr !== undefined, said };
}

/** What a guest wrote, by the MSR's index. */
export interface GuestWrite {
  readonly of: number;
  readonly value: U64;
}

/**
 * Guests whose writes are recorded, and in turn those that are as likely. What their registers held before is not; `left` are the host's
 * counters that they had, and `used` those that anybody had.
 */
export function* writingGuests(
  count: number,
  left: LeftOut,
  used: CounterSet,
  writes: readonly GuestWrite[],
): Generator<Guests[]> {
  const values = (msr: number): CounterSet[] =>
    writes.filter(({ of }) => of === msrIndex(msr)).map(({ value }) => fromU64(value).set);
  const [globals, pebs] = [values(GLOBAL_CTRL), values(PEBS_ENABLE)];
  const selected = writes.reduce((all, write) => all | selectedBy(write), 0);
  // Guests enable counters that they do not use.
  const setUp = (selected | union(pebs)) & COUNTERS;
  const named = setUp || union(globals) & COUNTERS;
  for (const had of maybeHad(left, used)) {
    const taken = had.counters;
    const written = named || taken || used;
    const others = setUp | elsewhere(had, written | taken);
    const besides = Math.max(0, had.atOnce - bitsOf(written & GENERAL_PURPOSE).length);
    const more = written | elsewhere({ ...had, atOnce: besides }, written | taken);
    // What they had may be theirs, though they wrote no selector of it anew; and what they write, theirs before it was seen to be taken.
    const sets = [written | taken, written, setUp | taken, others, more].filter(
      (set) => set !== 0 || written === 0,
    );
    for (const counters of new Set(had === left ? sets : sets.slice(2))) {
      for (const { held, said } of heldBefore(globals, pebs, counters, selected === 0)) {
        const { vcpus } = guests(Math.max(1, count), 0, held);
        const own = { vcpus, counters: taken, areMoved: false, write: true, said };
        const theirs = counters & used & ~taken;
        yield theirs === 0 ? [own] : [own, { ...own, counters: taken | theirs }];
      }
    }
  }
}

/** What is stopped before the host's IA32_PERF_GLOBAL_CTRL is written may have been left out of it, too. */
function* maybeHad(left: LeftOut, used: CounterSet): Generator<LeftOut> {
  yield left;
  const stopped = bitsOf(used & ~left.counters);
  const sets = stopped.map((bit) => 1 << bit);
  for (const set of sets.length > 1 ? [...sets, union(sets)] : sets) {
    const more = bitsOf(set & GENERAL_PURPOSE).length;
    yield { counters: left.counters | set, atOnce: left.atOnce + more };
  }
}

/** Counters that guests may have had instead of the host's, and wrote nothing of: which of them does not matter. */
function elsewhere({ counters, atOnce }: LeftOut, others: CounterSet): CounterSet {
  const free = bitsOf(GENERAL_PURPOSE & ~others).slice(0, atOnce);
  return free.reduce((all, bit) => all | (1 << bit), counters & ~GENERAL_PURPOSE);
}

/** What guests may have written before, counting on some counters. */
function* heldBefore(
  globals: readonly CounterSet[],
  pebs: readonly CounterSet[],
  counters: CounterSet,
  wereSelected: boolean,
): Generator<{ readonly held: Wrmsrs; readonly said: string }> {
  for (const pebsEnable of valuesBefore(pebs, counters & GENERAL_PURPOSE)) {
    const setUp = counted(counters, pebsEnable);
    for (const isSelected of wereSelected ? [true] : [true, false]) {
      for (const globalCtrl of valuesBefore(globals, counters)) {
        const held: Wrmsrs = [
          ...setUp,
          STOP,
          ...(isSelected ? [] : setUp.filter(({ msr }) => /SEL|FIXED/.test(msr)).map(cleared)),
          { msr: 'IA32_PERF_GLOBAL_CTRL', value: formatCounterSet(globalCtrl) },
        ];
        const said = `guests write to their PMUs what is recorded, which begin with IA32_PERF_GLOBAL_CTRL ${formatCounterSet(globalCtrl)} and IA32_PEBS_ENABLE ${formatCounterSet(pebsEnable)}`;
        yield { held, said };
      }
    }
  }
}

/** What a register may have held before the first value that is recorded: all or nothing, another bit, or the same. */
function valuesBefore([first]: readonly CounterSet[], all: CounterSet): CounterSet[] {
  if (first === undefined) return [all, 0];
  const others = bitsOf(all).map((bit) => first ^ (1 << bit));
  return [...new Set([first === 0 ? all : 0, ...others, all, first])];
}

function union(sets: readonly CounterSet[]): CounterSet {
  return sets.reduce((all, set) => all | set, 0);
}

/** Counters that a write to a selector or to IA32_FIXED_CTR_CTRL turns on. */
function selectedBy({ of, value }: GuestWrite): CounterSet {
  if (of === msrIndex(FIXED_CTR_CTRL)) {
    const fixed = Array.from({ length: 8 }, (_, counter) => counter);
    return fixed
      .filter((counter) => (value.lo >>> (4 * counter)) & 3)
      .reduce((all, counter) => all | (1 << (FIXED_BIT + counter)), 0);
  }
  const counter = of - msrIndex(EVENTSEL);
  return counter >= 0 && counter < 8 && value.lo & (1 << 22) ? 1 << counter : 0;
}

function cleared({ msr }: Wrmsrs[number]): Wrmsrs[number] {
  return { msr, value: '0x0' };
}

/** What a guest writes to count cycles on some counters, on some of them with PEBS. */
function counted(counters: CounterSet, pebs: CounterSet): Wrmsrs {
  const bits = bitsOf(counters);
  const fixed = bits.reduce(
    (all, bit) => (bit < FIXED_BIT ? all : all | (0xb << (4 * (bit - FIXED_BIT)))),
    0,
  );
  return [
    STOP,
    ...pebsOf(pebs),
    ...bits
      .filter((bit) => bit < FIXED_BIT)
      .map((bit) => ({ msr: `IA32_PERFEVTSEL${bit}`, value: '0x43003c' })),
    ...(fixed === 0 ? [] : [{ msr: 'IA32_FIXED_CTR_CTRL', value: fixed }]),
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: formatCounterSet(counters) },
  ];
}

/** Of a guest that is about to count: it has counted without PEBS, so that there are events behind its counters. */
function countedLater(counters: CounterSet, pebs: CounterSet): Wrmsrs {
  return [...counted(counters, 0), STOP, ...pebsOf(pebs)];
}

const STOP = { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x0' };

function pebsOf(pebs: CounterSet): Wrmsrs {
  if (pebs === 0) return [];
  return [{ msr: 'IA32_DS_AREA', value: '0xffff888000049000' }, pebsEnabled(pebs)];
}

function pebsEnabled(pebs: CounterSet): Wrmsrs[number] {
  return { msr: 'IA32_PEBS_ENABLE', value: formatCounterSet(pebs) };
}
