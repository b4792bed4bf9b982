/**
 * What is wrong where an invariant is violated: which bits of which field, what they should be, and which fields say so.
 * A story follows each of these fields back to the step that wrote it.
 */
import { COUNTERS, FIXED } from '../arch/counter-set.js';
import { firing, running } from '../arch/hardware.js';
import {
  DS_AREA,
  GLOBAL_CTRL,
  msrName,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
  SWITCHED_MSRS,
} from '../arch/msr.js';
import { wantedCounters } from '../kvm/guest-counters.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { VMX_ABORT } from '../machine/micro-step.js';
import type { RecordInState } from '../machine/records.js';
import type { LogicalCpu, MachineState } from '../machine/state.js';
import { isRestartedByTick } from '../machine/tick-work.js';
import type { World } from '../machine/world.js';
import { hostGlobalCtrl, hostPebsBits } from '../perf/cpu-hw-events.js';
import { ACTIVE, ADDED, counterSet, type PerfEvent, STOPPED } from '../perf/perf-event.js';
import { guestPebsNow, isForcedOff, PEBS_DATA_CFG_LBR } from './guest.js';
import { switchesPebsEnable } from './invariant.js';
import { freshHostValue, isListed } from './lists.js';

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

type FaultsOf = (
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  vcpu: VcpuPmu | undefined,
) => Fault[];

const STUCK = '{bits} {is} stuck in {place}';
const MISSING = '{bits} {is} missing from {place}';
const UNMARKED =
  '{event} is stopped, and without the mark of a throttled event no tick restarts it';
const UNVISITED = '{event} is throttled, and no tick comes by it';
const OTHER = '{place} is {value} and should be {desired}';

function onCpu({ index }: LogicalCpu, path: string, nth = 0): Place {
  return { kind: 'cpu', index, path, nth };
}

/** Of the vCPU that the CPU runs. */
function onVcpu({ target }: LogicalCpu, path: string, nth = 0): Place {
  return { kind: 'vcpu', index: target, path, nth };
}

function onEvent(index: number, path: string): Place {
  return { kind: 'event', index, path, nth: 0 };
}

/** Bits of a register that are wrong: each the other way round would be right. */
function bitsOf(
  cpu: LogicalCpu,
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
function wholeRegister(
  cpu: LogicalCpu,
  register: 'dsArea' | 'pebsDataCfg',
  desired: number,
  because: readonly Place[],
  says = OTHER,
): Fault[] {
  return cpu.hardware[register] === desired
    ? []
    : [{ says, place: onCpu(cpu, `hardware.${register}`), bits: -1, desired, because }];
}

function stuckPebsBits(cpu: LogicalCpu): Fault[] {
  const bits = cpu.hardware.pebsEnable & ~cpu.cpuc.pebsEnabled;
  return bitsOf(cpu, 'pebsEnable', bits, STUCK, [onCpu(cpu, 'cpuc.pebsEnabled')]);
}

/** Set and cleared bits of IA32_PERF_GLOBAL_CTRL among some counters. */
function globalCtrlBits(world: World, cpu: LogicalCpu, among: number): Fault[] {
  const { hardware, cpuc } = cpu;
  const wanted = hostGlobalCtrl(cpuc, world.caps.intelCtrl);
  const because = [onCpu(cpu, 'cpuc.intelCtrlGuestMask')];
  return [
    ...bitsOf(cpu, 'globalCtrl', hardware.globalCtrl & ~wanted & among, STUCK, because),
    ...bitsOf(cpu, 'globalCtrl', wanted & ~hardware.globalCtrl & among, MISSING, because),
  ];
}

/** Counters that make records in the guest and must not: their bits in both registers. */
function fires(cpu: LogicalCpu, bits: number, whose: string): Fault[] {
  return [
    ...bitsOf(cpu, 'pebsEnable', bits, `${whose}: {bits} {is} set in {place}`, []),
    ...bitsOf(cpu, 'globalCtrl', bits, 'And {bits} {is} set in {place}', []),
  ];
}

function mayStillRecord(cpu: LogicalCpu): Fault[] {
  return cpu.overshoot === 0
    ? []
    : [
        {
          says: 'A PEBS record of the host may complete in the guest',
          place: onCpu(cpu, 'overshoot'),
          bits: -1,
          desired: 0,
          because: [onCpu(cpu, 'hardware.pebsEnable')],
        },
      ];
}

/** Events for which something is wrong. */
function events(state: MachineState, wrong: (event: PerfEvent, at: number) => Fault[]): Fault[] {
  return state.events.flatMap((event, at) =>
    wrong(event, at).map((fault) => ({ ...fault, event: at })),
  );
}

/** A field of an event that has the wrong value. */
function ofEvent(
  at: number,
  path: string,
  desired: number,
  says: string,
  because: readonly Place[],
): Fault[] {
  return [{ says, place: onEvent(at, path), bits: -1, desired, because }];
}

/** The fields that a fresh host value of a list is made of. */
function freshFrom(cpu: LogicalCpu, msr: number): Place[] {
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

/** By invariant. Each answers for states in which its invariant is violated at its points. */
export const FAULTS: Readonly<Record<string, FaultsOf>> = {
  I1: (_world, _state, cpu) => stuckPebsBits(cpu),
  "I2'": (_world, _state, cpu) => stuckPebsBits(cpu),
  I2: (world, state, cpu) => {
    const { cpuc, hardware } = cpu;
    const spared =
      state.noIsolation === 0 && switchesPebsEnable(world, state) ? cpuc.intelCtrlGuestMask : 0;
    const bits = cpuc.pebsEnabled & ~spared & ~hardware.pebsEnable;
    return bitsOf(cpu, 'pebsEnable', bits, MISSING, [onCpu(cpu, 'cpuc.pebsEnabled')]);
  },
  I3o: (_world, _state, cpu) => [
    ...bitsOf(cpu, 'pebsEnable', hostPebsBits(cpu), '{bits} {is} set in {place} at VMLAUNCH', []),
    ...(hostPebsBits(cpu) === 0 ? mayStillRecord(cpu) : []),
  ],
  I12: (_world, _state, cpu) =>
    bitsOf(cpu, 'pebsEnable', cpu.hardware.pebsEnable, '{bits} {is} set again in {place}', []),
  I13: (_world, _state, cpu) => {
    const { cpuc, hardware } = cpu;
    const counting = running(hardware) & cpuc.activeMask & COUNTERS;
    const lost = counting & cpuc.pebsEnabled & ~hardware.pebsEnable;
    const set = counting & hardware.pebsEnable & ~cpuc.pebsEnabled;
    const because = [onCpu(cpu, 'cpuc.pebsEnabled'), onCpu(cpu, 'hardware.globalCtrl')];
    return [
      ...bitsOf(cpu, 'pebsEnable', lost, '{bits} {is} counting and missing from {place}', because),
      ...bitsOf(cpu, 'pebsEnable', set, '{bits} {is} counting and stuck in {place}', because),
    ];
  },
  I19: ({ caps }, state, cpu) => {
    if (cpu.pc === VMX_ABORT) {
      const { host, present } = state.vcpus[cpu.target]!.autoload;
      return Array.from({ length: SWITCHED_MSRS }, (_, msr) => msr)
        .filter((msr) => present & (1 << msr) && (host[msr]! & caps.reserved[msr]!) !== 0)
        .map((msr) => ({
          says: `VM-exit loads {value} into ${msrName(msr)}, which refuses it (VMX abort)`,
          place: onVcpu(cpu, 'autoload.host', msr),
          bits: isSet(msr) ? host[msr]! & caps.reserved[msr]! : -1,
          desired: host[msr]! & ~caps.reserved[msr]!,
          because: [],
        }));
    }
    const bits = cpu.cpuc.pebsEnabled & caps.reserved[PEBS_ENABLE]!;
    return bits === 0
      ? []
      : [
          {
            says: 'Perf wants {bits}, which IA32_PEBS_ENABLE does not have',
            place: onCpu(cpu, 'cpuc.pebsEnabled'),
            bits,
            desired: cpu.cpuc.pebsEnabled & ~bits,
            because: [],
          },
        ];
  },
  I3: (_world, _state, cpu) => {
    const { cpuc, hardware } = cpu;
    const bits = cpuc.pebsEnabled & ~cpuc.intelCtrlGuestMask & firing(hardware);
    const set = fires(cpu, bits, 'A PEBS event of the host makes records in the guest');
    return set.length > 0 ? set : mayStillRecord(cpu);
  },
  I3s: (world, state, cpu, vcpu) =>
    vcpu === undefined
      ? []
      : fires(
          cpu,
          firing(cpu.hardware) & ~guestPebsNow(world, state, cpu, vcpu),
          "A counter that is not the guest's own makes PEBS records in the guest",
        ),
  I5g: (world, _state, cpu, vcpu) =>
    vcpu === undefined
      ? []
      : [
          ...wholeRegister(cpu, 'dsArea', vcpu.dsArea, [onVcpu(cpu, 'dsArea')]),
          ...(world.caps.pebsBaseline
            ? wholeRegister(cpu, 'pebsDataCfg', vcpu.pebsDataCfg, [onVcpu(cpu, 'pebsDataCfg')])
            : []),
        ],
  I23: (_world, _state, cpu) =>
    wholeRegister(
      cpu,
      'pebsDataCfg',
      cpu.hardware.pebsDataCfg & ~PEBS_DATA_CFG_LBR,
      [],
      '{place} is {value} in the guest, with LBR entries',
    ),
  I10: (world, state, cpu, vcpu) => {
    const { cpuc, hardware } = cpu;
    const { caps } = world;
    const foreign = hardware.globalCtrl & (~caps.intelCtrl | cpuc.intelCtrlHostMask);
    const guestPebs = vcpu === undefined ? 0 : guestPebsNow(world, state, cpu, vcpu);
    const pebs = hardware.globalCtrl & cpuc.pebsEnabled & caps.pebsCapable & ~guestPebs & ~foreign;
    return [
      ...bitsOf(cpu, 'globalCtrl', foreign, '{bits} {is} set in {place} of the guest', [
        onCpu(cpu, 'cpuc.intelCtrlHostMask'),
      ]),
      ...bitsOf(cpu, 'globalCtrl', pebs, '{bits} {is} set in {place} of the guest, for PEBS', [
        onCpu(cpu, 'cpuc.pebsEnabled'),
      ]),
    ];
  },
  I15: (world, state, cpu, vcpu) =>
    vcpu === undefined
      ? []
      : events(state, (event, at) => {
          const { owner, guestCounter } = world.eventConfigs[at]!;
          const wanted = wantedCounters(vcpu) & (1 << guestCounter);
          if (owner !== cpu.target || event.status !== ACTIVE || wanted === 0) {
            return [];
          }
          const bits = counterSet(event) & ~running(cpu.hardware);
          if (bits === 0 || isForcedOff(world, state, cpu, vcpu, event)) {
            return [];
          }
          const says = '{event} does not count in the guest: {bits} {is} missing from {place}';
          return [
            ...bitsOf(cpu, 'globalCtrl', bits & ~cpu.hardware.globalCtrl, says, []),
            ...bitsOf(cpu, 'counterEnable', bits & ~cpu.hardware.counterEnable, says, []),
          ];
        }),
  I4: (_world, _state, cpu) =>
    bitsOf(
      cpu,
      'globalCtrl',
      cpu.cpuc.intelCtrlGuestMask & running(cpu.hardware),
      '{bits} {is} for the guest only and set in {place}',
      [onCpu(cpu, 'cpuc.intelCtrlGuestMask')],
    ),
  I5h: (_world, _state, cpu) =>
    wholeRegister(cpu, 'dsArea', cpu.cpuc.ds, [onCpu(cpu, 'cpuc.ds'), onVcpu(cpu, 'cpu')]),
  I6: (_world, _state, cpu) =>
    wholeRegister(cpu, 'pebsDataCfg', cpu.cpuc.activePebsDataCfg, [
      onCpu(cpu, 'cpuc.activePebsDataCfg'),
    ]),
  I7: (world, _state, cpu) => globalCtrlBits(world, cpu, -1),
  I7e: (world, _state, cpu) => globalCtrlBits(world, cpu, cpu.hardware.counterEnable),
  I16: (_world, _state, cpu) =>
    bitsOf(cpu, 'fixedCtrl', cpu.hardware.fixedCtrl & ~cpu.cpuc.fixedCtrl & FIXED, STUCK, [
      onCpu(cpu, 'cpuc.fixedCtrl'),
    ]),
  I17: (_world, state, cpu) =>
    events(state, (event, at) => {
      if (event.cpu !== cpu.index) {
        return [];
      }
      const off = counterSet(event) & COUNTERS & ~cpu.hardware.counterEnable;
      if (event.status === ACTIVE) {
        const says = '{event} is active and {bits} {is} not enabled';
        return bitsOf(cpu, 'counterEnable', off, says, [onEvent(at, 'status')]);
      }
      const says = '{event} is stopped without the mark of a throttled event';
      return event.status === STOPPED && event.mark === 0
        ? ofEvent(at, 'mark', 1, says, [onEvent(at, 'status')])
        : [];
    }),
  I18: (world, state, cpu) =>
    events(state, (event, at) =>
      event.status === STOPPED && event.cpu === cpu.index && !isRestartedByTick(world, state, at)
        ? ofEvent(at, 'status', ACTIVE, event.mark === 0 ? UNMARKED : UNVISITED, [])
        : [],
    ),
  I20: (_world, state, cpu) =>
    events(state, (event, at) => {
      const { pebsDataCfg } = cpu.hardware;
      const counts = event.status === ACTIVE && event.preciseIp > 0 && event.cpu === cpu.index;
      return counts && (event.dataCfg & ~pebsDataCfg) !== 0
        ? wholeRegister(
            cpu,
            'pebsDataCfg',
            pebsDataCfg | event.dataCfg,
            [onEvent(at, 'status')],
            'The records of {event} are too small: {place} is {value} and should be {desired}',
          )
        : [];
    }),
  I21: (_world, state, cpu) =>
    events(state, (event, at) => {
      if (event.status >= ADDED || event.cpu !== cpu.index) {
        return [];
      }
      return [
        ...(event.mark === 0
          ? []
          : ofEvent(at, 'mark', 0, '{event} is throttled and holds no counter', [])),
        ...(event.stray === 0
          ? []
          : ofEvent(at, 'stray', 0, '{event} was started and holds no counter', [])),
      ];
    }),
  I22: (_world, state, cpu) =>
    events(state, (event, at) =>
      event.status === ACTIVE && event.unseen !== 0 && event.cpu === cpu.index
        ? ofEvent(at, 'unseen', 0, '{event} is active and has no pointer in events[]', [])
        : [],
    ),
  I8: (world, state, cpu, vcpu) => {
    if (vcpu === undefined) {
      return [];
    }
    const { autoload } = vcpu;
    return autoload
      .listed()
      .filter((msr) => autoload.host[msr] !== freshHostValue(world, state, cpu, msr))
      .map((msr) => {
        const desired = freshHostValue(world, state, cpu, msr);
        return {
          says: `VM-exit is about to load a stale ${msrName(msr)}: {value}, where perf wants {desired}`,
          place: onVcpu(cpu, 'autoload.host', msr),
          bits: isSet(msr) ? autoload.host[msr]! ^ desired : -1,
          desired,
          because: freshFrom(cpu, msr),
        };
      });
  },
  I9: (world, _state, cpu, vcpu) => {
    if (vcpu === undefined) {
      return [];
    }
    return Array.from({ length: SWITCHED_MSRS }, (_, msr) => msr)
      .filter((msr) => !isListed(world, cpu, vcpu.autoload, msr))
      .map((msr) => ({
        says: `The load areas and the list disagree about ${msrName(msr)}`,
        place: onVcpu(cpu, 'autoload.present'),
        bits: 1 << msr,
        desired: vcpu.autoload.present ^ (1 << msr),
        because: [],
      }));
  },
  I11: (_world, _state, cpu) => {
    const list = cpu.cpuc.guestSwitchMsrs;
    const bits = list.guest[GLOBAL_CTRL]! & list.pebsMask;
    return [
      {
        says: '{bits} may run in the guest beside PEBS events of the host',
        place: onCpu(cpu, 'cpuc.guestSwitchMsrs.guest', GLOBAL_CTRL),
        bits,
        desired: list.guest[GLOBAL_CTRL]! & ~bits,
        because: [onCpu(cpu, 'cpuc.pebsEnabled')],
      },
    ];
  },
};

/** Whether the value of a switched MSR is a set of bits. */
function isSet(msr: number): boolean {
  return msr === GLOBAL_CTRL || msr === PEBS_ENABLE;
}
