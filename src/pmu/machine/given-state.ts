/**
 * Machines in given states: of perf on one CPU, for calculations, and at a micro-step. Once set up they are changed by
 * actions like any other.
 */
import { COUNTERS, type CounterSet, counterBit, counterNames, FIXED } from '../arch/counter-set.js';
import { SWITCHED_MSRS } from '../arch/msr.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
import type { GuestPebs } from '../perf/guest-switch.js';
import {
  ACTIVE,
  HOST_OWNED,
  NO_COUNTER,
  NO_EVENT,
  PerfEvent,
  type PerfEventConfig,
} from '../perf/perf-event.js';
import { K0_IRQ_OFF, K3_CROSS_MAPPED } from './micro-step.js';
import { IDLE, MachineState, RUN_VCPU } from './state.js';
import { createState, type World, withEvents } from './world.js';

/** perf's state on one CPU, as far as the switch function reads it. */
export interface PerfInput {
  readonly guestMask: CounterSet;
  readonly hostMask: CounterSet;
  readonly pebsEnabled: CounterSet;
  readonly dataCfg: number;
  /** Address handle. */
  readonly ds: number;
}

/** perf is in the state and has loaded its own values into the hardware. */
export function stateOfPerf(world: World, noIsolation: boolean, perf: PerfInput): MachineState {
  const state = createState(world, 1, noIsolation);
  const { cpuc, hardware } = state.cpus[0]!;
  cpuc.intelCtrlGuestMask = perf.guestMask;
  cpuc.intelCtrlHostMask = perf.hostMask;
  cpuc.pebsEnabled = perf.pebsEnabled;
  cpuc.activePebsDataCfg = perf.dataCfg;
  cpuc.pebsDataCfg = perf.dataCfg;
  cpuc.ds = perf.ds;
  hardware.globalCtrl = world.caps.intelCtrl & ~perf.guestMask;
  hardware.pebsEnable = perf.pebsEnabled;
  hardware.dsArea = perf.ds;
  hardware.pebsDataCfg = perf.dataCfg;
  return state;
}

/**
 * The same with a run of the vCPU under way: the cross-mapped mask is given, so it is past the step that computes it. Events
 * are made up so that their masks are the given ones: one active event for each counter named in any of them or in `more`.
 */
export function machineInRun(
  base: World,
  noIsolation: boolean,
  perf: PerfInput,
  vcpu: VcpuPmu,
  guest: GuestPebs,
  more: CounterSet,
): { world: World; state: MachineState } {
  const named = (perf.guestMask | perf.hostMask | perf.pebsEnabled | more) & COUNTERS;
  const counters = counterNames(named).map((name) => counterBit(name)!);
  const world = withEvents(
    base,
    counters.map((counter) => configOf(1 << counter, perf)),
  );
  const state = stateOfPerf(world, noIsolation, perf);
  counters.forEach((counter, position) => {
    state.events.push(activeEvent(counter, position, perf));
  });
  Object.assign(vcpu, guest);
  state.vcpus.push(vcpu);
  const cpu = state.cpus[0]!;
  cpu.cpuc.activeMask = named;
  cpu.cpuc.fixedCtrl = named & FIXED;
  cpu.cpuc.activeFixedCtrl = named & FIXED;
  cpu.hardware.counterEnable = named;
  cpu.operation = RUN_VCPU;
  cpu.pc = K3_CROSS_MAPPED;
  return { world, state };
}

/**
 * A copy whose first CPU is at a micro-step, with as much true as can be there: the PMU on, every MSR in the load areas, the
 * list at its end.
 */
export function fullestState(from: MachineState, pc: number, noIsolation: number): MachineState {
  const state = new MachineState();
  state.copyFrom(from);
  state.noIsolation = noIsolation;
  for (const { autoload } of state.vcpus) {
    autoload.list((1 << SWITCHED_MSRS) - 1);
  }
  const cpu = state.cpus[0]!;
  cpu.cpuc.enabled = 1;
  cpu.pc = pc;
  cpu.operation = pc >= K0_IRQ_OFF ? RUN_VCPU : IDLE;
  return state;
}

function configOf(set: CounterSet, perf: PerfInput): PerfEventConfig {
  return {
    cpu: 0,
    owner: HOST_OWNED,
    guestCounter: NO_COUNTER,
    constraint: set,
    constraintPrecise3: set,
    excludeHost: (perf.guestMask & set) !== 0,
    excludeGuest: (perf.hostMask & set) !== 0,
    sampling: true,
    freq: false,
    largePebs: false,
    auxOutput: false,
    leader: NO_EVENT,
    eventCode: 0,
  };
}

function activeEvent(counter: number, position: number, perf: PerfInput): PerfEvent {
  const event = new PerfEvent();
  event.status = ACTIVE;
  event.counter = counter;
  event.assigned = counter;
  event.position = position;
  event.rank = position;
  event.preciseIp = perf.pebsEnabled & (1 << counter) ? 2 : 0;
  return event;
}
