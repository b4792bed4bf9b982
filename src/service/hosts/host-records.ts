/** What a host keeps besides its machine: the records of events and vCPUs, found by id or name. */
import type { PerfEventCreate } from '../../../schemas/perf-event.js';
import { counterName } from '../../pmu/arch/counter-set.js';
import { DEFAULT_SAMPLE_FREQ } from '../../pmu/perf/open-rules.js';
import { Refused } from '../../pmu/stepping/refused.js';
import { ruleViolated } from '../problem-error.js';
import type { EventRecord } from './host.js';

/** KVM gives its events a fixed period: the distance to the guest counter's next overflow. */
export function guestEventRecord(id: string, guestCounter: number): EventRecord {
  return { id, name: `guest ${counterName(guestCounter)}`, sampling: { period: 1 } };
}

export function samplingOf(body: PerfEventCreate): EventRecord['sampling'] {
  if (body.sample_period !== undefined && body.sample_freq !== undefined) {
    throw new Refused(
      'rule',
      'perf_event_attr has one field for sample_period and sample_freq: give only one of them',
      '/sample_freq',
    );
  }
  if (body.sample_period !== undefined) {
    return { period: body.sample_period };
  }
  if (body.sample_freq !== undefined) {
    return { freq: body.sample_freq };
  }
  // A precise event samples. Like the perf tool, default to a frequency.
  return (body.precise_ip ?? 0) > 0 ? { freq: DEFAULT_SAMPLE_FREQ } : null;
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
