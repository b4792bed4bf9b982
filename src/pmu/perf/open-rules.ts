/**
 * What perf says to a `perf_event_open` before anything happens: the errno, or the configuration of the event.
 *
 * Models: `x86_pmu_hw_config`, `intel_pmu_hw_config`, `x86_pmu_max_precise`, event constraints (Linux 6.12.117
 * arch/x86/events/{core.c,intel/core.c,intel/ds.c}). An event may name its counter, which stands for an event code whose
 * constraint is that counter.
 * Leaves out: event codes, privileges (EACCES), hardware reservation by others.
 */

import {
  type CounterSet,
  FIXED_BIT,
  GENERAL_PURPOSE,
  PSEUDO_COUNTERS,
} from '../arch/counter-set.js';
import type { PmuCaps } from '../arch/cpu-model.js';
import type { Errno } from '../vocabulary.js';
import { HOST_OWNED, NO_COUNTER, type PerfEventConfig } from './perf-event.js';

/** PEBS_DATA_CFG_GP: precise_ip 1 takes the IP from the general-purpose register group of the record. */
const DATA_CFG_FOR_PRECISE_1 = 2;
/** Event codes: of an event that any counter can count, and of one that only counter k can, at ONE_COUNTER + k. */
const ANY_COUNTER = 0xa0;
const ONE_COUNTER = 0x80;

/** The event code that stands for the wish for a counter, or for none. */
export function eventCodeOf(counter: number): number {
  return counter === NO_COUNTER ? ANY_COUNTER : ONE_COUNTER | (counter & 0xf);
}

/** The default of the perf tool, samples a second. */
export const DEFAULT_SAMPLE_FREQ = 4000;

export type { Errno };

export interface OpenRefusal {
  readonly errno: Errno;
  readonly field: string;
  readonly reason: string;
}

/** The attributes of a host event that matter here. */
export interface OpenRequest {
  readonly cpu: number;
  /** Set bit of the wanted counter, or NO_COUNTER. */
  readonly counter: number;
  readonly preciseIp: number;
  readonly excludeHost: boolean;
  readonly excludeGuest: boolean;
  /** Null: a counting event. */
  readonly sampling: 'period' | 'freq' | null;
  readonly largePebs: boolean;
  readonly auxOutput: boolean;
  /** Null: perf's own choice. */
  readonly dataCfg: number | null;
  readonly leader: number;
}

export interface OpenPlan {
  readonly config: PerfEventConfig;
  readonly preciseIp: number;
  readonly dataCfg: number;
}

function refuse(errno: Errno, field: string, reason: string): OpenRefusal {
  return { errno, field, reason };
}

/** Whether perf takes the event, and as what. */
export function planOpen(caps: PmuCaps, request: OpenRequest): OpenPlan | OpenRefusal {
  const { preciseIp, counter } = request;
  if (preciseIp > caps.precise.max) {
    return refuse(
      'EOPNOTSUPP',
      'precise_ip',
      caps.precise.max === 0
        ? 'the kernel finds no PEBS on this CPU'
        : `the kernel supports precise_ip ${caps.precise.max} at most on this CPU`,
    );
  }
  if (preciseIp > 0 && request.sampling === null) {
    return refuse(
      'EINVAL',
      'precise_ip',
      'a counting event cannot be precise: give a period or frequency',
    );
  }
  if (request.largePebs && (preciseIp === 0 || request.sampling !== 'period')) {
    return refuse(
      'EINVAL',
      'large_pebs',
      'large PEBS needs a precise event with a fixed sample_period',
    );
  }
  if (request.auxOutput && preciseIp === 0) {
    return refuse('EINVAL', 'aux_output', 'only a precise event can send its records to Intel PT');
  }
  if (
    request.dataCfg !== null &&
    request.dataCfg !== 0 &&
    (preciseIp === 0 || !caps.pebsBaseline)
  ) {
    return refuse(
      'EINVAL',
      'pebs_data_cfg',
      'only a precise event on a CPU with adaptive PEBS has a data configuration',
    );
  }
  if (counter !== NO_COUNTER && (1 << counter) & PSEUDO_COUNTERS) {
    const taken = preciseIp > 0 && (caps.pebsPseudo & (1 << counter)) !== 0;
    if (!taken) {
      return refuse(
        'EINVAL',
        'counter',
        preciseIp > 0
          ? 'a pseudo counter cannot do PEBS, and the kernel says so'
          : 'a pseudo counter is only modelled where a kernel lets its event be precise',
      );
    }
  }
  const wanted = counter === NO_COUNTER ? caps.intelCtrl & GENERAL_PURPOSE : 1 << counter;
  const able = preciseIp > 0 ? pebsCounters(caps) | caps.pebsPseudo : ~0;
  const constraint = wanted & (caps.intelCtrl | caps.pebsPseudo) & able;
  if (constraint === 0) {
    return refuse('EINVAL', 'counter', 'the CPU has no such counter, or it cannot do PEBS');
  }
  const atPrecise3 = preciseIp === 3 ? precise3Counters(caps, constraint) : constraint;
  if (atPrecise3 === 0) {
    return refuse('EINVAL', 'counter', 'the counter cannot do precise_ip 3 on this CPU (PDIST)');
  }
  const dataCfg =
    request.dataCfg ?? (preciseIp === 1 && caps.pebsBaseline ? DATA_CFG_FOR_PRECISE_1 : 0);
  return {
    preciseIp,
    dataCfg: preciseIp > 0 ? dataCfg : 0,
    config: {
      cpu: request.cpu,
      owner: HOST_OWNED,
      guestCounter: NO_COUNTER,
      constraint,
      constraintPrecise3: atPrecise3,
      excludeHost: request.excludeHost,
      excludeGuest: request.excludeGuest,
      sampling: request.sampling !== null,
      freq: request.sampling === 'freq',
      largePebs: request.largePebs,
      auxOutput: request.auxOutput,
      leader: request.leader,
      eventCode: eventCodeOf(counter),
    },
  };
}

/** Counters that can do PEBS: fixed ones only with adaptive PEBS. */
function pebsCounters(caps: PmuCaps): CounterSet {
  const capable = caps.pebsCapable & caps.intelCtrl;
  return caps.pebsBaseline || !caps.dsPebs ? capable : capable & GENERAL_PURPOSE;
}

/** Where an event of precise_ip 3 may go. Naming FIXED0 means the instructions event, which has a rule of its own. */
function precise3Counters({ precise, intelCtrl }: PmuCaps, constraint: CounterSet): CounterSet {
  const { instructions, others } = precise;
  return constraint === 1 << FIXED_BIT ? instructions & intelCtrl : constraint & others;
}
