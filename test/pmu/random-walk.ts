/**
 * Random histories of a machine, without NMIs unless asked for: events come and go on several CPUs, guests set up their PMUs, vCPUs run,
 * exit, re-enter and migrate, and the CPUs interleave. The same seed walks the same way.
 */
import { counterName } from '../../src/pmu/arch/counter-set.js';
import { type ExitReasonName, IDLE, RUN_VCPU } from '../../src/pmu/machine/state.js';
import { ACTIVE, CLOSED, HOST_OWNED, OFF } from '../../src/pmu/perf/perf-event.js';
import { Refused } from '../../src/pmu/stepping/refused.js';
import {
  type EventWish,
  type Machine,
  type MachineOptions,
  machine,
  requestOf,
} from './machine.js';

/** Numbers below a bound, from a 32-bit xorshift. */
export class Dice {
  private word: number;

  constructor(seed: number) {
    this.word = (Math.imul(seed + 1, 0x9e3779b1) | 1) >>> 0;
  }

  below(bound: number): number {
    this.word ^= this.word << 13;
    this.word ^= this.word >>> 17;
    this.word ^= this.word << 5;
    return (this.word >>> 0) % bound;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const CPUS = 2;
const VCPUS = 3;
const EXITS: readonly ExitReasonName[] = [
  'external_interrupt',
  'hlt',
  'fastpath_reenter',
  'entry_failure',
];
const GUEST_MSRS = [
  'IA32_PERF_GLOBAL_CTRL',
  'IA32_PEBS_ENABLE',
  'IA32_DS_AREA',
  'IA32_FIXED_CTR_CTRL',
  'IA32_PERFEVTSEL0',
  'IA32_PERFEVTSEL1',
  'IA32_PERFEVTSEL2',
] as const;

export interface Walk {
  readonly machine: Machine;
  /** Operations that were carried out, refused ones not counted. */
  readonly done: number;
}

/** Without vPMUs no vCPU has events, so nothing is lost by migrating; `migrate` false keeps vCPUs on their CPUs. */
export interface WalkOptions extends MachineOptions {
  readonly operations: number;
  readonly migrate: boolean;
  readonly trace?: boolean;
  /** NMIs at rest, on the way into the guest, in it and out of it; none inside a PMU section, which has hazards of its own. */
  readonly nmis?: boolean;
}

export function walk(model: string, kernel: string, seed: number, options: WalkOptions): Walk {
  const m = machine(model, kernel, { ...options, cpus: CPUS });
  m.run.tracing = options.trace ?? false;
  const dice = new Dice(seed);
  for (let vcpu = 0; vcpu < VCPUS; vcpu += 1) {
    m.vcpu({ cpu: vcpu % CPUS, vpmu: !dice.chance(4) });
  }
  // Every other walk leaves the counters to the guests, so that their PEBS gets to run.
  const hostEventsMax = seed % 2 === 0 ? 8 : 1;
  let done = 0;
  for (let operation = 0; operation < options.operations; operation += 1) {
    try {
      if (options.nmis && dice.chance(3)) {
        interrupt(m, dice);
      }
      operate(m, dice, hostEventsMax, options.migrate);
      done += 1;
    } catch (error) {
      // What the machine refuses has changed nothing: the walk goes on.
      if (!(error instanceof Refused)) {
        throw error;
      }
    }
  }
  return { machine: m, done };
}

function operate(m: Machine, dice: Dice, hostEventsMax: number, migrate: boolean): void {
  const { run, state, world } = m;
  const hostEvents = state.events
    .map((event, at) => ({ event, at }))
    .filter(
      ({ event, at }) => world.eventConfigs[at]!.owner === HOST_OWNED && event.status !== CLOSED,
    );
  const cpu = state.cpus[dice.below(CPUS)]!;
  const vcpu = dice.below(VCPUS);
  switch (dice.below(migrate ? 12 : 11)) {
    case 0:
    case 1:
      if (hostEvents.length < hostEventsMax) {
        open(m, dice);
      }
      return;
    case 2:
      if (hostEvents.length > 0) {
        const { event, at } = dice.pick(hostEvents);
        if (event.status === OFF) {
          m.enable(at);
        } else {
          m.disable(at);
        }
      }
      return;
    case 3:
      if (hostEvents.length > 0) {
        m.close(dice.pick(hostEvents).at);
      }
      return;
    case 4:
      if (dice.chance(2)) {
        m.tick(undefined, cpu.index);
      } else {
        m.section(undefined, cpu.index);
      }
      return;
    case 5:
      setUpGuestPebs(m, dice, vcpu);
      return;
    case 6:
      m.guestFault(dice.pick(GUEST_MSRS), guestValue(dice), vcpu);
      return;
    case 7:
      // A few micro-steps of whatever goes on, so that the CPUs interleave anywhere.
      run.startRun(vcpu);
      for (let steps = dice.below(25); steps > 0 && cpu.operation !== 0; steps -= 1) {
        run.advance(cpu);
      }
      return;
    case 8:
      run.finish(cpu);
      return;
    case 9:
    case 10:
      m.roundTrip({ vcpu, exit: dice.pick(EXITS) });
      return;
    default:
      m.migrate(vcpu, cpu.index);
  }
}

function interrupt(m: Machine, dice: Dice): void {
  const cpu = dice.pick(m.state.cpus);
  if (cpu.operation !== IDLE && cpu.operation !== RUN_VCPU) {
    return;
  }
  const active = m.state.events.filter(
    (event) => event.status === ACTIVE && event.cpu === cpu.index,
  );
  const overflow =
    dice.chance(4) || active.length === 0 ? [] : [counterName(dice.pick(active).counter)];
  m.nmi({ overflow, throttle: dice.chance(2) ? overflow : [] }, cpu.index);
}

/** As a guest's perf would: refused registers (no vPMU, no guest PEBS) leave plain counters or nothing. */
function setUpGuestPebs(m: Machine, dice: Dice, vcpu: number): void {
  const counters = 1 + dice.below(7);
  m.guestFault('IA32_PERF_GLOBAL_CTRL', 0, vcpu);
  m.guestFault('IA32_DS_AREA', 0xffff8880_00049000n + BigInt(vcpu * 4096), vcpu);
  m.guestFault('IA32_PEBS_ENABLE', dice.below(8), vcpu);
  for (let counter = 0; counter < 3; counter += 1) {
    m.guestFault(`IA32_PERFEVTSEL${counter}`, 0x43003c, vcpu);
  }
  m.guestFault('IA32_PERF_GLOBAL_CTRL', counters, vcpu);
}

function open(m: Machine, dice: Dice): void {
  const preciseIp = dice.chance(2) ? 1 + dice.below(3) : 0;
  const fixedPeriod = dice.chance(2);
  const counter = dice.chance(3)
    ? undefined
    : counterName(dice.chance(3) ? 16 + dice.below(4) : dice.below(8));
  const leader =
    dice.chance(4) && m.state.events.length > 0 ? dice.below(m.state.events.length) : -1;
  const cpu = dice.below(CPUS);
  const config = m.world.eventConfigs[leader];
  const grouped =
    config !== undefined &&
    config.owner === HOST_OWNED &&
    config.leader === -1 &&
    config.cpu === cpu &&
    m.state.events[leader]!.status !== CLOSED;
  const wish: EventWish = {
    ...(counter === undefined ? {} : { counter }),
    cpu,
    preciseIp,
    excludeHost: dice.chance(4),
    excludeGuest: dice.chance(3),
    sampling: preciseIp > 0 && !fixedPeriod ? 'freq' : 'period',
    largePebs: preciseIp > 0 && fixedPeriod && dice.chance(3),
    auxOutput: preciseIp > 0 && dice.chance(6),
    dataCfg: preciseIp > 0 && m.world.caps.pebsBaseline && dice.chance(2) ? dice.below(16) : null,
    leader: grouped ? leader : -1,
    off: dice.chance(4),
  };
  if (opens(m, wish)) {
    m.event(wish);
  }
}

function opens(m: Machine, wish: EventWish): boolean {
  return !('errno' in m.planOf(requestOf(wish)));
}

function guestValue(dice: Dice): bigint {
  switch (dice.below(4)) {
    case 0:
      return 0n;
    case 1:
      return 0x43003cn;
    case 2:
      return BigInt(dice.below(16));
    default:
      return (BigInt(dice.below(8)) << 32n) | BigInt(dice.below(256));
  }
}

/** Everything a walk leaves behind: state, trace, counts. */
export function remains(seed: number): string {
  const { machine: m, done } = walk('emerald-rapids', 'upstream-base', seed, {
    operations: 400,
    migrate: true,
    trace: true,
  });
  const { trace, tally } = m.run;
  return JSON.stringify({
    done,
    state: m.state,
    configs: m.world.eventConfigs,
    trace,
    counts: [...tally.sink.counts],
    violations: [...tally.violations],
    firstViolations: tally.firstViolations,
    microSteps: tally.microSteps,
    roundTrips: tally.roundTrips,
  });
}
