/** What a host keeps besides its machine: the records of events and vCPUs, found by id or name. */
import { counterName } from '../../pmu/arch/counter-set.js';
import { ruleViolated } from '../problem-error.js';
import type { EventRecord } from './host.js';

/** KVM gives its events a fixed period: the distance to the guest counter's next overflow. */
export function guestEventRecord(id: string, guestCounter: number): EventRecord {
  return { id, name: `guest ${counterName(guestCounter)}`, sampling: { period: 1 } };
}

export function only(
  records: readonly ({ readonly id: string; readonly name?: string } | undefined)[],
  reference: string,
  pointer: string,
  what: string,
): number {
  const byId = records.findIndex((record) => record?.id === reference);
  if (byId >= 0) {
    return byId;
  }
  const named = records.flatMap((record, at) => (record?.name === reference ? [at] : []));
  if (named.length !== 1) {
    const detail = `${named.length === 0 ? 'names no' : 'names more than one'} ${what} of this host (${reference})`;
    throw ruleViolated(pointer, detail);
  }
  return named[0]!;
}
