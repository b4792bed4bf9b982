/** `perf_event_open` as hosts and worlds ask for it, once names have been looked up. */

import type { LogicalCpu } from '../machine/state.js';
import { DEFAULT_SAMPLE_FREQ, planOpen } from '../perf/open-rules.js';
import { HOST_OWNED, isLeader } from '../perf/perf-event.js';
import { openHostEvent } from './operations.js';
import { Refused } from './refused.js';
import type { Run } from './run.js';

/** Attributes of an event, by the names that requests and worlds have for them. */
export interface EventAsked {
  readonly precise_ip?: number;
  readonly exclude_host?: boolean;
  readonly exclude_guest?: boolean;
  readonly sample_period?: number;
  readonly sample_freq?: number;
  readonly large_pebs?: boolean;
  readonly aux_output?: boolean;
  readonly disabled?: boolean;
}

/** Those that had to be looked up: NO_COUNTER, null and NO_EVENT where nothing was said. */
export interface EventPlace {
  readonly cpu: number;
  readonly counter: number;
  readonly dataCfg: number | null;
  readonly leader: number;
}

export type Sampling = { readonly period: number } | { readonly freq: number } | null;

/** Opens an event and returns its slot. */
export function openAsked(run: Run, asked: EventAsked, place: EventPlace): number {
  const sampling = samplingOf(asked);
  const plan = planOpen(run.world.caps, {
    ...place,
    preciseIp: asked.precise_ip ?? 0,
    excludeHost: asked.exclude_host ?? false,
    excludeGuest: asked.exclude_guest ?? false,
    sampling: sampling === null ? null : 'freq' in sampling ? 'freq' : 'period',
    largePebs: asked.large_pebs ?? false,
    auxOutput: asked.aux_output ?? false,
  });
  if ('errno' in plan) {
    throw new Refused('perf', plan.reason, `/${plan.field}`, plan.errno);
  }
  return openHostEvent(run, plan, asked.disabled ?? false);
}

export function samplingOf({ sample_period, sample_freq, precise_ip }: EventAsked): Sampling {
  if (sample_period !== undefined && sample_freq !== undefined) {
    throw new Refused(
      'rule',
      'perf_event_attr has one field for sample_period and sample_freq: give one of them',
      '/sample_freq',
    );
  }
  if (sample_period !== undefined) {
    return { period: sample_period };
  }
  if (sample_freq !== undefined) {
    return { freq: sample_freq };
  }
  // A precise event samples; like the perf tool, default to a frequency.
  return (precise_ip ?? 0) > 0 ? { freq: DEFAULT_SAMPLE_FREQ } : null;
}

/** The slot of an event that is to lead another one of the same CPU. */
export function asLeader(run: Run, at: number, cpu: LogicalCpu): number {
  const config = run.world.eventConfigs[at]!;
  const leads =
    config.owner === HOST_OWNED &&
    isLeader(run.state.events[at]!, config) &&
    config.cpu === cpu.index;
  if (!leads) {
    throw new Refused(
      'perf',
      'a group leader is a host event of the same CPU that leads itself',
      '/group_leader',
      'EINVAL',
    );
  }
  return at;
}

export function cpuAt(run: Run, index: number): LogicalCpu {
  const cpu = run.state.cpus[index];
  if (cpu === undefined) {
    const { length } = run.state.cpus;
    throw new Refused('rule', `the host has ${length} CPUs, counted from 0`, '/cpu');
  }
  return cpu;
}
