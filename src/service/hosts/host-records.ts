/** What a host keeps besides its machine: the records of events and vCPUs, found by id or name. */
import { counterName } from '../../pmu/arch/counter-set.js';
import { ruleViolated } from '../problem-error.js';
import { ambiguous, missing } from '../refusals.js';
import type { EventRecord } from './host.js';

/** KVM gives its events a fixed period: the distance to the guest counter's next overflow. */
export function guestEventRecord(id: string, guestCounter: number): EventRecord {
  return { id, name: `guest ${counterName(guestCounter)}`, sampling: { period: 1 } };
}

type Named = readonly ({ readonly id: string; readonly name?: string } | undefined)[];

/** The place of what an address names. */
export function placeOf(records: Named, reference: string, what: string): number {
  const [at, ...others] = placesOf(records, reference);
  if (at === undefined) return missing(what, reference);
  if (others.length === 0) return at;
  const ids = [at, ...others].map((one) => records[one]!.id);
  return ambiguous(what, reference, ids);
}

/** The same for a field of a body. */
export function only(records: Named, reference: string, pointer: string, what: string): number {
  const named = placesOf(records, reference);
  if (named.length !== 1) {
    const detail = `${named.length === 0 ? 'names no' : 'names more than one'} ${what} of this host (${reference})`;
    throw ruleViolated(pointer, detail);
  }
  return named[0]!;
}

/** One of that id, or all of that name. */
function placesOf(records: Named, reference: string): number[] {
  const byId = records.findIndex((record) => record?.id === reference);
  if (byId >= 0) return [byId];
  return records.flatMap((record, at) => (record?.name === reference ? [at] : []));
}
