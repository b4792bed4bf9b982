/** What a host keeps besides its machine: the records of events and vCPUs, found by id or name. */
import { counterName } from '../../pmu/arch/counter-set.js';
import { ruleViolated } from '../problem-error.js';
import { ambiguous, missing } from '../refusals.js';
import type { EventRecord } from './host.js';

/** KVM gives its events a fixed period: the distance to the guest counter's next overflow. */
export function guestEventRecord(id: string, guestCounter: number): EventRecord {
  return { id, name: `guest ${counterName(guestCounter)}`, sampling: { period: 1 } };
}

interface Named {
  readonly id: string;
  readonly name?: string;
  /** It is no more, but its record is kept. */
  readonly gone?: number;
}

type Records = readonly (Named | undefined)[];

/** The places of those that are there. */
export function placesIn(records: Records): number[] {
  return [...records.keys()].filter((at) => isThere(records[at]));
}

function isThere(record: Named | undefined): record is Named {
  return record !== undefined && record.gone === undefined;
}

/** The place of what an address names. */
export function placeOf(records: Records, reference: string, what: string): number {
  const [at, ...others] = placesOf(records, reference);
  if (at === undefined) return missing(what, reference);
  if (others.length === 0) return at;
  const ids = [at, ...others].map((one) => records[one]!.id);
  return ambiguous(what, reference, ids);
}

/** The same for a field of a body. */
export function only(records: Records, reference: string, pointer: string, what: string): number {
  const named = placesOf(records, reference);
  if (named.length !== 1) {
    const detail = `${named.length === 0 ? 'names no' : 'names more than one'} ${what} of this host (${reference})`;
    throw ruleViolated(pointer, detail);
  }
  return named[0]!;
}

/** One of that id, or all of that name. */
function placesOf(records: Records, reference: string): number[] {
  const places = placesIn(records);
  const byId = places.find((at) => records[at]!.id === reference);
  return byId === undefined ? places.filter((at) => records[at]!.name === reference) : [byId];
}
