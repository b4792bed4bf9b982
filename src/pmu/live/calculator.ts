/**
 * Calculations from given perf states, without a live host: the switch list of one state, and successive runs of one vCPU.
 *
 * Both set up a machine in the given state and let the same perf, KVM and VMX code work on it. Events are made up so that
 * their masks are the given ones: one active event for each counter named in any of them.
 */
import { COUNTERS, type CounterSet, counterBit, counterNames, FIXED } from '../arch/counter-set.js';
import type { Hardware } from '../arch/hardware.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { completeList, startList } from '../kvm/vcpu-run.js';
import * as actions from '../machine/actions.js';
import { K3, K9, K12, V6 } from '../machine/micro-step.js';
import { EXIT_EXTERNAL_INTERRUPT, type LogicalCpu, RUN_VCPU } from '../machine/state.js';
import { createState, createWorld, type World } from '../machine/world.js';
import { ACTIVE, HOST_OWNED, NO_COUNTER, NO_EVENT, PerfEvent } from '../perf/perf-event.js';
import type { SwitchList } from '../perf/switch-list.js';
import { Run } from './run.js';

/** perf's state on one CPU, as far as the switch function reads it. */
export interface PerfInput {
  readonly guestMask: CounterSet;
  readonly hostMask: CounterSet;
  readonly pebsEnabled: CounterSet;
  readonly dataCfg: number;
  /** Address identity. */
  readonly ds: number;
}

/** What KVM tells perf of the vCPU. */
export interface GuestInput {
  readonly pebsEnable: CounterSet;
  readonly dsArea: number;
  readonly pebsDataCfg: number;
  readonly crossMapped: CounterSet;
}

export const NO_GUEST_PEBS: GuestInput = {
  pebsEnable: 0,
  dsArea: 0,
  pebsDataCfg: 0,
  crossMapped: 0,
};

/** The list perf would return; `guest` null stands for a caller without data. */
export function calculateSwitchList(
  world: World,
  noIsolation: boolean,
  perf: PerfInput,
  guest: GuestInput | null,
): SwitchList {
  const cpu = createState(world, 1, noIsolation).cpus[0]!;
  loadPerf(world, cpu, perf);
  startList(world, cpu);
  completeList(
    world,
    cpu,
    guest === null ? null : Object.assign(new VcpuPmu(), guest),
    noIsolation,
  );
  return cpu.cpuc.guestSwitchMsrs;
}

/** One run of the vCPU as the calculator reports it; the objects are the machine's own, read them before the next run. */
export interface CalculatedRun {
  readonly list: SwitchList;
  readonly vcpu: VcpuPmu;
  readonly inGuest: Hardware;
  readonly afterExit: Hardware;
  readonly pebsEnabledAtEntry: CounterSet;
  readonly tally: Run['tally'];
}

/** Successive runs of one vCPU whose load areas persist from one to the next. */
export class RoundTripCalculator {
  private readonly world: World;
  private readonly noIsolation: boolean;
  private readonly vcpu = new VcpuPmu();

  constructor(options: Parameters<typeof createWorld>[0], noIsolation: boolean) {
    this.world = createWorld(options);
    this.noIsolation = noIsolation;
  }

  /** Before the run perf has loaded its own values into the hardware. `throttle`: an NMI after the lists are applied. */
  run(perf: PerfInput, guest: GuestInput, throttle: CounterSet): CalculatedRun {
    const state = createState(this.world, 1, this.noIsolation);
    const cpu = state.cpus[0]!;
    Object.assign(this.vcpu, guest);
    state.vcpus.push(this.vcpu);
    state.events.push(...inventEvents(this.world, perf, throttle));
    loadPerf(this.world, cpu, perf);
    cpu.cpuc.activeMask = (perf.guestMask | perf.hostMask | perf.pebsEnabled | throttle) & COUNTERS;
    cpu.cpuc.fixedCtrl = cpu.cpuc.activeMask & FIXED;
    cpu.cpuc.activeFixedCtrl = cpu.cpuc.fixedCtrl;
    cpu.hardware.counterEnable = cpu.cpuc.activeMask;

    const run = new Run(this.world, state);
    // The cross-mapped mask is given, so the run starts after the step that computes it.
    cpu.operation = RUN_VCPU;
    cpu.pc = K3;
    while (cpu.pc !== K9 - 1) {
      run.advance(cpu);
    }
    const list = calculateSwitchList(this.world, this.noIsolation, perf, guest);
    if (throttle !== 0) {
      run.interrupt(actions.NMI, cpu, 0, throttle);
    }
    const pebsEnabledAtEntry = cpu.cpuc.pebsEnabled;
    run.enter(0, EXIT_EXTERNAL_INTERRUPT);
    const inGuest = snapshot(cpu.hardware);
    run.act(actions.SET_EXIT, 0, 0, EXIT_EXTERNAL_INTERRUPT);
    while (cpu.pc < V6 || (cpu.pc < K12 && this.world.kvmOptions.postExitFixup)) {
      run.advance(cpu);
    }
    return {
      list,
      vcpu: this.vcpu,
      inGuest,
      afterExit: snapshot(cpu.hardware),
      pebsEnabledAtEntry,
      tally: run.tally,
    };
  }
}

function snapshot(hardware: Hardware): Hardware {
  return Object.assign(Object.create(Object.getPrototypeOf(hardware)) as Hardware, hardware);
}

function loadPerf(world: World, cpu: LogicalCpu, perf: PerfInput): void {
  const { cpuc, hardware } = cpu;
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
}

function inventEvents(world: World, perf: PerfInput, throttle: CounterSet): PerfEvent[] {
  const named = (perf.guestMask | perf.hostMask | perf.pebsEnabled | throttle) & COUNTERS;
  world.eventConfigs.length = 0;
  return counterNames(named).map((name, position) => {
    const counter = counterBit(name) ?? NO_COUNTER;
    const set = 1 << counter;
    world.eventConfigs.push({
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
    });
    return Object.assign(new PerfEvent(), {
      status: ACTIVE,
      counter,
      assigned: counter,
      position,
      rank: position,
      preciseIp: perf.pebsEnabled & set ? 2 : 0,
    });
  });
}
