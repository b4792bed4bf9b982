/**
 * The machines that may have made a recording, as worlds to follow it in: what is given, and what the recording tells. Where it
 * leaves something open there are several, the most likely first.
 */

import { exploredWorld } from '../../model/explored-world.js';
import { ObservedMachine } from '../../model/recordings/observed-machine.js';
import type { Symbols } from '../../model/recordings/symbols.js';
import { ACTOR_KINDS, type ActorKind } from '../../model/vocabulary.js';
import { WorldError } from '../../model/world-error.js';
import type { EventSpec, HostSpec, VcpuSpec, WorldSpec } from '../../model/world-spec.js';
import {
  COUNTERS,
  type CounterSet,
  counterName,
  FIXED_BIT,
  fromU64,
  GENERAL_PURPOSE,
  PEBS_VIA_PT,
} from '../../pmu/arch/counter-set.js';
import type { CpuModel, PmuCaps } from '../../pmu/arch/cpu-model.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import type { Clues, EventClue } from './clues.js';
import { guestsOf } from './guests.js';

/** What is known of the machine besides its recording. What is absent is inferred. */
export interface GivenWorld extends HostSpec, Pick<WorldSpec, 'events' | 'vcpus' | 'actors'> {}

/** One of the machines that may have made the recording. */
export interface Candidate {
  readonly machine: ObservedMachine;
  /** What was taken to be so, in words. */
  readonly inference: readonly string[];
  readonly beginning: Beginning;
}

/** Where in a run the recording begins. What is not tried first has the more states. */
const BEGINNINGS = ['at_rest', 'closed', 'disabled', 'in_guest', 'anywhere'] as const;
export type Beginning = (typeof BEGINNINGS)[number];

const BEGINNING_WORDS: Readonly<Record<Beginning, string>> = {
  at_rest: 'the recording begins with all events open and nothing under way',
  closed: 'the recording begins with no event open',
  disabled: 'the recording begins with no event enabled, on a host on which none has counted yet',
  in_guest: 'the recording begins in a guest',
  anywhere: 'the recording begins in the middle of a run',
};

const FILTERED =
  'IA32_PERF_GLOBAL_CTRL was not traced, and no MSR that the recording has no write of';

/** More events or vCPUs than that have too many states. */
export const EVENTS_MAX = 8;
export const VCPUS_MAX = 4;

interface Wish {
  readonly events: EventSpec[];
  readonly vcpus: VcpuSpec[];
  readonly said: readonly string[];
}

/** All of them, one after the other. */
export function* candidatesOf(
  given: GivenWorld,
  kernel: KernelVariant,
  model: CpuModel,
  { clues, vcpus, symbols }: { clues: Clues; vcpus: number; symbols: Symbols },
): Generator<Candidate> {
  const wishes = [...wishesOf(given, capsOf(kernel, model), clues, vcpus)];
  const machines = new Map<Wish, ObservedMachine | null>();
  for (const beginning of BEGINNINGS) {
    const isAnywhere = beginning === 'anywhere';
    if (isAnywhere) machines.clear();
    for (const wish of wishes) {
      const isOff = beginning === 'closed' || beginning === 'disabled';
      // Opening or enabling an event takes a section.
      if (isOff && (wish.events.length === 0 || !clues.hasSections)) continue;
      if (beginning === 'in_guest' && wish.vcpus.length === 0) continue;
      const known = beginning === 'disabled' ? undefined : machines.get(wish);
      const wanted = beginning === 'disabled' ? disabled(wish) : wish;
      const machine =
        known === undefined ? machineOf(given, clues, wanted, isAnywhere, symbols) : known;
      if (wanted === wish) machines.set(wish, machine);
      if (machine === null) continue;
      const filtered = symbols.isFiltered ? [FILTERED] : [];
      yield {
        machine,
        inference: [...wish.said, ...filtered, BEGINNING_WORDS[beginning]],
        beginning,
      };
    }
  }
}

/** As of a host on which none of the events ever counted: registers that perf leaves as they are still hold 0. */
function disabled(wish: Wish): Wish {
  return { ...wish, events: wish.events.map((event) => ({ ...event, disabled: true })) };
}

/** Null where a world cannot be: a kernel that takes no such event has not made the recording with it. */
function machineOf(
  given: GivenWorld,
  clues: Clues,
  { events, vcpus }: Wish,
  isAnywhere: boolean,
  symbols: Symbols,
): ObservedMachine | null {
  const spec: WorldSpec = {
    ...given,
    events,
    vcpus,
    actors: given.actors ?? actorsOf(clues, vcpus, isAnywhere).map((kind) => ({ kind })),
    nmi_timing: 'late',
    nmi_throttles: 'any',
  };
  try {
    return new ObservedMachine(exploredWorld(spec), symbols);
  } catch (error) {
    if (error instanceof WorldError) return null;
    throw error;
  }
}

function* wishesOf(
  given: GivenWorld,
  caps: PmuCaps,
  clues: Clues,
  vcpuCount: number,
): Generator<Wish> {
  const absent = absentFromHost(caps, clues);
  const known = given.vcpus && [{ vcpus: given.vcpus, counters: absent, said: '' }];
  for (const guests of known ?? guestsOf(vcpuCount, absent, absent & clues.pebsBits)) {
    const { vcpus, counters } = guests;
    for (const [events, ofEvents] of eventsOf(given, caps, clues, vcpus.length > 0, counters)) {
      const said = [
        ...(given.vcpus === undefined ? [guests.said] : []),
        ...(given.events === undefined ? ofEvents : []),
      ];
      yield { events, vcpus, said };
    }
  }
}

/** Counters that perf leaves out of IA32_PERF_GLOBAL_CTRL at some time: their events count in guests only. */
function absentFromHost(caps: PmuCaps, { globalCtrls }: Clues): CounterSet {
  // perf writes no bits that the CPU does not have, and 0 is not among them.
  const sets = globalCtrls.map((value) => fromU64(value).set);
  const possible = sets.filter((set) => (set & COUNTERS & ~caps.intelCtrl) === 0);
  return possible.reduce((all, set) => all | (caps.intelCtrl & ~set), 0);
}

/** The events of the host: each way in which they may stand together. */
function* eventsOf(
  { events }: GivenWorld,
  caps: PmuCaps,
  clues: Clues,
  hasGuests: boolean,
  ofGuests: CounterSet,
): Generator<[EventSpec[], string[]]> {
  if (events !== undefined) {
    yield [events, []];
    return;
  }
  const absent = absentFromHost(caps, clues) & ~ofGuests;
  for (const all of clueEvents(caps, clues)) {
    const told = all.filter(({ counter }) => (ofGuests & (1 << counter)) === 0);
    const below = eventsBelow(told, ofGuests);
    for (const seen of below.length === 0 ? [told] : [told, [...told, ...below]]) {
      yield* arranged(seen, caps, clues, hasGuests, absent);
    }
  }
}

/** Events of the host that a guest's events may have found in their way: perf gives them the lowest counters that are free. */
function eventsBelow(told: readonly EventClue[], ofGuests: CounterSet): EventClue[] {
  const counters = Array.from({ length: FIXED_BIT }, (_, counter) => counter);
  return counters
    .filter((counter) => (ofGuests & GENERAL_PURPOSE) >>> counter > 1)
    .filter((counter) => (ofGuests & (1 << counter)) === 0)
    .filter((counter) => !told.some((event) => event.counter === counter))
    .map((counter) => ({ counter, precise: false, dataCfg: 0 }));
}

function* arranged(
  seen: readonly EventClue[],
  caps: PmuCaps,
  clues: Clues,
  hasGuests: boolean,
  absent: CounterSet,
): Generator<[EventSpec[], string[]]> {
  const precise = seen.some((event) => event.precise);
  const freqs = clues.hasSections && seen.length > 0 ? [false, true] : [false];
  for (const group of groupsOf(seen, clues)) {
    for (const freq of freqs) {
      for (const excludeGuest of hasGuests && precise ? [true, false] : [true]) {
        const specs = seen.map(({ counter, precise, dataCfg }, at): EventSpec => {
          // Another one was there first, so this one came later.
          const isTaken = seen.findIndex((event) => event.counter === counter) < at;
          const isGuests = (absent & (1 << counter)) !== 0;
          return {
            name: `e${at}`,
            counter: counterName(counter),
            precise_ip: precise ? 2 : 0,
            ...(freq ? { sample_freq: 4000 } : { sample_period: 100003 }),
            exclude_guest: excludeGuest && !isGuests,
            exclude_host: isGuests,
            ...(isTaken ? { disabled: true } : {}),
            ...(precise && caps.pebsBaseline ? { pebs_data_cfg: dataCfg } : {}),
            ...(precise && clues.pebsBits & PEBS_VIA_PT ? { aux_output: true } : {}),
            ...(group.indexOf(at) > 0 ? { group_leader: `e${group[0]}` } : {}),
          };
        });
        yield [inOrder(specs, group), specs.map(toldEvent)];
      }
    }
  }
}

/** The leader of a group is opened before its members. */
function inOrder(specs: readonly EventSpec[], [leader]: readonly number[]): EventSpec[] {
  const first = specs.filter((_, at) => at === leader);
  return [...first, ...specs.filter((_, at) => at !== leader)];
}

/** Events that were started, and those that only their bits in other registers tell of. */
function* clueEvents(caps: PmuCaps, clues: Clues): Generator<EventClue[]> {
  let events = [...clues.events];
  const add = (counters: CounterSet, precise: boolean): void => {
    for (let counter = 0; counter < 32; counter += 1) {
      const isSeen = events.some((event) => event.counter === counter);
      if (counters & caps.intelCtrl & (1 << counter) && !isSeen) {
        events.push({ counter, precise, dataCfg: 0 });
      }
    }
  };
  add(clues.pebsBits, true);
  add(clues.overflowed, false);
  if (clues.writesFixed && !events.some(({ counter }) => counter >= FIXED_BIT)) {
    add(1 << FIXED_BIT, false);
  }
  yield events;
  // Some kernels write IA32_PEBS_ENABLE without any such event. On which counter one does PEBS is not told, and any would do.
  if (clues.hasPebs && clues.pebsBits === 0 && !events.some(({ precise }) => precise)) {
    const taken = events.reduce((all, { counter }) => all | (1 << counter), 0);
    events = [...events];
    add(~taken & (taken + 1), true);
    yield events;
  }
}

/** Groups of events, each with its leader first; the empty one is no group. Those that handlers stopped together come first. */
function* groupsOf(events: readonly EventClue[], clues: Clues): Generator<readonly number[]> {
  yield [];
  const told = new Set<string>();
  const groups = [...stoppedGroups(events, clues), ...smallGroups(events)];
  for (const group of groups) {
    if (group.length < 2 || told.has(group.join())) continue;
    told.add(group.join());
    yield group;
  }
}

function* stoppedGroups(events: readonly EventClue[], clues: Clues): Generator<number[]> {
  for (const counters of clues.stoppedTogether) {
    const members = counters
      .map((counter) => events.findIndex((event) => event.counter === counter))
      .filter((at) => at >= 0);
    yield [...new Set(members)];
  }
}

/** Every way in which two or three events can be a group. */
function* smallGroups(events: readonly EventClue[]): Generator<number[]> {
  if (events.length > 3) return;
  for (const leader of events.keys()) {
    const others = [...events.keys()].filter((at) => at !== leader);
    yield [leader, ...others];
    if (others.length > 1) for (const other of others) yield [leader, other];
  }
}

/** Whom the recording shows; in the middle of a run anyone may have acted before. */
function actorsOf(clues: Clues, vcpus: readonly VcpuSpec[], isAnywhere: boolean): ActorKind[] {
  const isOpen = isAnywhere || clues.hasGaps;
  const hasSections = clues.hasSections || vcpus.length === 0;
  const acts: Partial<Record<ActorKind, boolean>> = {
    nmi_throttle: clues.hasNmis || isOpen,
    foreign_nmi: clues.hasNmis,
    nmi_reset: clues.hasResets,
    bpf_snapshot: clues.setsPebsInNmi && !isOpen,
    tick: hasSections,
    pmu_section: hasSections,
    event_add: hasSections || isOpen,
    event_del: hasSections || isOpen,
    event_enable: hasSections || isOpen,
    event_disable: hasSections || isOpen,
    guest_wrmsr: vcpus.some(({ wrmsr }) => wrmsr !== undefined),
    fastpath_reenter: clues.hasFastExits,
    vmfail: clues.hasFailedEntries,
  };
  return ACTOR_KINDS.filter((kind) => acts[kind] === true);
}

function toldEvent(event: EventSpec): string {
  const { name, counter, precise_ip, exclude_guest, exclude_host, group_leader } = event;
  const parts = [
    precise_ip ? 'precise' : 'not precise',
    event.sample_freq === undefined ? 'with a fixed period' : 'in frequency mode',
    ...(exclude_guest ? ['exclude_guest'] : []),
    ...(exclude_host ? ['exclude_host'] : []),
    ...(group_leader === undefined ? [] : [`in the group of ${group_leader}`]),
  ];
  return `event ${name} on ${counter}: ${parts.join(', ')}`;
}
