/**
 * The machines that may have made a recording, as worlds to follow it in: what is given, and what the recording tells. Where it
 * leaves something open there are several, the most likely first.
 */

import { exploredWorld } from '../../model/explored-world.js';
import { ObservedMachine } from '../../model/recordings/observed-machine.js';
import { codeOfGuestCounters, type Symbols } from '../../model/recordings/symbols.js';
import { formatU64 } from '../../model/values.js';
import { ACTOR_KINDS, type ActorKind } from '../../model/vocabulary.js';
import { WorldError } from '../../model/world-error.js';
import type { HostSpec, VcpuSpec, WorldSpec } from '../../model/world-spec.js';
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { CpuModel, PmuCaps } from '../../pmu/arch/cpu-model.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import type { Clues } from './clues.js';
import {
  type Guests,
  type GuestWrite,
  guestsOf,
  leftOut,
  maybeMoved,
  writingGuests,
} from './guests.js';
import { type HostEvents, hostEvents } from './host-events.js';

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
export const KNOWN_BEGINNINGS = [
  'at_rest',
  'others_closed',
  'closed',
  'disabled',
  'in_guest',
] as const;
export type Beginning = (typeof KNOWN_BEGINNINGS)[number] | 'anywhere';

const BEGINNING_WORDS: Readonly<Record<Beginning, string>> = {
  at_rest: 'the recording begins with all events open and nothing under way',
  others_closed:
    'the recording begins with nothing under way, and events that it starts later were not open yet',
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

interface Wish extends Omit<HostEvents, 'ofEvents'> {
  readonly vcpus: VcpuSpec[];
  /** Whether guests write registers of their PMUs. */
  readonly guestsWrite: boolean;
  readonly said: readonly string[];
}

/** What is recorded: the clues may be those of its beginning alone. */
export interface Recorded {
  readonly clues: Clues;
  readonly vcpus: number;
  readonly symbols: Symbols;
  readonly guestWrites: readonly GuestWrite[];
}

/** All of them, one after the other. */
export function* candidatesOf(
  given: GivenWorld,
  kernel: KernelVariant,
  model: CpuModel,
  recorded: Recorded,
  beginnings: readonly Beginning[],
  isRare: boolean,
): Generator<Candidate> {
  const { clues, vcpus, symbols } = recorded;
  const wishes = [...wishesOf(given, capsOf(kernel, model), clues, vcpus)].filter(
    (wish) => wish.isRare === isRare,
  );
  const machines = new Map<Wish, ObservedMachine | null>();
  for (const beginning of beginnings) {
    const isAnywhere = beginning === 'anywhere';
    for (const wish of wishes) {
      if (!mayBeginSo(beginning, wish, clues)) continue;
      const known = beginning === 'disabled' ? undefined : machines.get(wish);
      const wanted = beginning === 'disabled' ? disabled(wish) : wish;
      const machine = known === undefined ? machineOf(given, recorded, wanted, isAnywhere) : known;
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

function mayBeginSo(
  beginning: Beginning,
  { events, vcpus, wereOn, isLikely }: Wish,
  { hasSections }: Clues,
): boolean {
  // Opening or enabling an event takes a section.
  const mayStart = events.length > 0 && hasSections;
  switch (beginning) {
    case 'at_rest':
      return wereOn.length === 0 || wereOn.some((was) => was !== false);
    case 'others_closed':
      return mayStart && wereOn.includes(true) && wereOn.includes(false);
    case 'closed':
    case 'disabled':
      return mayStart && !wereOn.includes(true);
    case 'in_guest':
      return vcpus.length > 0;
    case 'anywhere':
      return isLikely;
  }
}

/** As of a host on which none of the events ever counted: registers that perf leaves as they are still hold 0. */
function disabled(wish: Wish): Wish {
  return { ...wish, events: wish.events.map((event) => ({ ...event, disabled: true })) };
}

/** Null where a world cannot be: a kernel that takes no such event has not made the recording with it. */
function machineOf(
  given: GivenWorld,
  { clues, symbols, guestWrites }: Recorded,
  wish: Wish,
  isAnywhere: boolean,
): ObservedMachine | null {
  const { events, vcpus } = wish;
  const spec: WorldSpec = {
    ...given,
    events,
    vcpus,
    actors: given.actors ?? actorsOf(clues, wish, isAnywhere).map((kind) => ({ kind })),
    nmi_timing: 'late',
    nmi_throttles: 'any',
    nmi_overflows: 'on_arrival',
    guest_writes: guestWrites.map(({ of, value }) => ({
      msr: `0x${of.toString(16)}`,
      value: formatU64(value),
    })),
  };
  try {
    return new ObservedMachine(exploredWorld(spec), symbols, isAnywhere);
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
  const left = leftOut(caps, clues);
  const { counters } = left;
  const { vcpus } = given;
  const known = vcpus && [[{ vcpus, counters, areMoved: false, write: true, said: '' }]];
  const writing = clues.guestWrites.some(({ of }) => codeOfGuestCounters(of) !== undefined)
    ? [...writingGuests(vcpuCount, left, usedIn(clues), clues.guestWrites)]
    : null;
  const certain = known ?? writing;
  const likelies = certain ? maybeMoved(certain, left) : guestsOf(vcpuCount, left, clues);
  for (const likely of likelies) {
    yield* inTurn(likely.map((guests) => wishesWith(guests, given, caps, clues)));
  }
}

function usedIn({ events }: Clues): CounterSet {
  return events.reduce((all, { counter }) => all | (1 << counter), 0);
}

/** Each way in which the host's events may stand beside guests. */
function* wishesWith(
  guests: Guests,
  given: GivenWorld,
  caps: PmuCaps,
  clues: Clues,
): Generator<Wish> {
  const { vcpus, write: guestsWrite, said } = guests;
  const ofGuests = given.vcpus === undefined ? [said] : [];
  if (given.events !== undefined) {
    const { events } = given;
    yield { events, vcpus, guestsWrite, said: ofGuests, wereOn: [], isLikely: true, isRare: false };
    return;
  }
  for (const { ofEvents, ...ofHost } of hostEvents(caps, clues, guests)) {
    yield { ...ofHost, vcpus, guestsWrite, said: [...ofGuests, ...ofEvents] };
  }
}

/** The likeliest of each first. */
function* inTurn<T>(lists: readonly Generator<T>[]): Generator<T> {
  for (let left = lists; left.length > 0; ) {
    const nexts = left.map((list) => list.next());
    for (const { done, value } of nexts) if (!done) yield value;
    left = left.filter((_, at) => !nexts[at]!.done);
  }
}

/** Whom the recording shows; in the middle of a run anyone may have acted before. */
function actorsOf(clues: Clues, { vcpus, guestsWrite }: Wish, isAnywhere: boolean): ActorKind[] {
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
    guest_wrmsr: clues.guestWrites.length > 0 || (guestsWrite && vcpus.some(({ wrmsr }) => wrmsr)),
    fastpath_reenter: clues.hasFastExits,
    vmfail: clues.hasFailedEntries,
  };
  return ACTOR_KINDS.filter((kind) => acts[kind] === true);
}
