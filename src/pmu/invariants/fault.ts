import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG } from '../arch/msr.js';
import type { RecordInState } from '../machine/records.js';
import type { World } from '../machine/world.js';
import { hostGlobalCtrl } from '../perf/cpu-hw-events.js';
import type { PerfEvent } from '../perf/perf-event.js';
import type { Seen, SeenCpu, SeenState, SeenVcpu } from './invariant.js';

/** A field of a record, or a place in one that is an array. */
export interface Place {
  readonly kind: RecordInState['kind'];
  readonly index: number;
  readonly path: string;
  readonly nth: number;
}

export interface Fault {
  /** What is wrong, with {bits}, {value} and {desired} of the place and {event} for the name of an event. */
  readonly says: string;
  readonly place: Place;
  /** The bits that are wrong; -1 where the value as a whole is. */
  readonly bits: number;
  /** The value that the place should have. */
  readonly desired: number;
  /** The fields that make it wrong: what perf wants, or who is where. */
  readonly because: readonly Place[];
  /** The event it is about. */
  readonly event?: number;
}

export type FaultsOf = (
  world: World,
  state: SeenState,
  cpu: SeenCpu,
  vcpu: SeenVcpu | undefined,
) => Fault[];

export const STUCK = '{bits} {is} stuck in {place}';
export const MISSING = '{bits} {is} missing from {place}';
export const UNMARKED =
  '{event} is stopped, and without the mark of a throttled event no tick restarts it';
export const UNVISITED = '{event} is throttled, and no tick comes by it';
const OTHER = '{place} is {value} and should be {desired}';

export function onCpu({ index }: SeenCpu, path: string, nth = 0): Place {
  return { kind: 'cpu', index, path, nth };
}

/** Of the vCPU that the CPU runs. */
export function onVcpu({ target }: SeenCpu, path: string, nth = 0): Place {
  return { kind: 'vcpu', index: target, path, nth };
}

export function onEvent(index: number, path: string): Place {
  return { kind: 'event', index, path, nth: 0 };
}

/** Bits of a register that are wrong: each the other way round would be right. */
export function bitsOf(
  cpu: SeenCpu,
  register: 'globalCtrl' | 'pebsEnable' | 'counterEnable' | 'fixedCtrl',
  bits: number,
  says: string,
  because: readonly Place[],
): Fault[] {
  if (bits === 0) {
    return [];
  }
  const desired = cpu.hardware[register] ^ bits;
  return [{ says, place: onCpu(cpu, `hardware.${register}`), bits, desired, because }];
}

/** A register that holds another value as a whole. */
export function wholeRegister(
  cpu: SeenCpu,
  register: 'dsArea' | 'pebsDataCfg',
  desired: number,
  because: readonly Place[],
  says = OTHER,
): Fault[] {
  return cpu.hardware[register] === desired
    ? []
    : [{ says, place: onCpu(cpu, `hardware.${register}`), bits: -1, desired, because }];
}

export function stuckPebsBits(cpu: SeenCpu): Fault[] {
  const bits = cpu.hardware.pebsEnable & ~cpu.cpuc.pebsEnabled;
  return bitsOf(cpu, 'pebsEnable', bits, STUCK, [onCpu(cpu, 'cpuc.pebsEnabled')]);
}

/** Set and cleared bits of IA32_PERF_GLOBAL_CTRL among some counters. */
export function globalCtrlBits(world: World, cpu: SeenCpu, among: number): Fault[] {
  const { hardware, cpuc } = cpu;
  const wanted = hostGlobalCtrl(cpuc, world.caps.intelCtrl);
  const because = [onCpu(cpu, 'cpuc.intelCtrlGuestMask')];
  return [
    ...bitsOf(cpu, 'globalCtrl', hardware.globalCtrl & ~wanted & among, STUCK, because),
    ...bitsOf(cpu, 'globalCtrl', wanted & ~hardware.globalCtrl & among, MISSING, because),
  ];
}

/** Counters that make records in the guest and must not: their bits in both registers. */
export function fires(cpu: SeenCpu, bits: number, whose: string): Fault[] {
  return [
    ...bitsOf(cpu, 'pebsEnable', bits, `${whose}: {bits} {is} set in {place}`, []),
    ...bitsOf(cpu, 'globalCtrl', bits, 'And {bits} {is} set in {place}', []),
  ];
}

export function mayStillRecord(cpu: SeenCpu): Fault[] {
  return cpu.wroteAfterQuiesce === 0
    ? []
    : [
        {
          says: 'A PEBS record of the host may complete in the guest',
          place: onCpu(cpu, 'wroteAfterQuiesce'),
          bits: -1,
          desired: 0,
          because: [onCpu(cpu, 'hardware.pebsEnable')],
        },
      ];
}

/** Events for which something is wrong. */
export function events(
  state: SeenState,
  wrong: (event: Seen<PerfEvent>, at: number) => Fault[],
): Fault[] {
  return state.events.flatMap((event, at) =>
    wrong(event, at).map((fault) => ({ ...fault, event: at })),
  );
}

/** A field of an event that has the wrong value. */
export function ofEvent(
  at: number,
  path: string,
  desired: number,
  says: string,
  because: readonly Place[],
): Fault[] {
  return [{ says, place: onEvent(at, path), bits: -1, desired, because }];
}

/** The fields that a fresh host value of a list is made of. */
export function freshFrom(cpu: SeenCpu, msr: number): Place[] {
  switch (msr) {
    case GLOBAL_CTRL:
      return [onCpu(cpu, 'cpuc.intelCtrlGuestMask')];
    case DS_AREA:
      return [onVcpu(cpu, 'cpu'), onCpu(cpu, 'cpuc.ds')];
    case PEBS_DATA_CFG:
      return [onCpu(cpu, 'cpuc.activePebsDataCfg')];
    default:
      return [onCpu(cpu, 'cpuc.pebsEnabled')];
  }
}
