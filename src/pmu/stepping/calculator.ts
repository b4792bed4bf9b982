/**
 * Calculations from given perf states, without a live host: the switch list of one state, and successive runs of one vCPU.
 *
 * Both set up a machine in the given state and let the same perf, KVM and VMX code work on it.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { Hardware } from '../arch/hardware.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { finishList } from '../kvm/vcpu-run.js';
import * as actions from '../machine/actions.js';
import { machineInRun, type PerfInput, stateOfPerf } from '../machine/given-state.js';
import { K9_VMLAUNCH, K12_FASTPATH, V6_EXIT_LOAD } from '../machine/micro-step.js';
import { EXIT_EXTERNAL_INTERRUPT } from '../machine/state.js';
import { createWorld, type World } from '../machine/world.js';
import { type GuestPebs, readMasks } from '../perf/guest-switch.js';
import { SwitchList } from '../perf/switch-list.js';
import { Run } from './run.js';

export const NO_GUEST_PEBS: GuestPebs = {
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
  guest: GuestPebs | null,
): SwitchList {
  const { cpuc } = stateOfPerf(world, noIsolation, perf).cpus[0]!;
  const list = new SwitchList();
  readMasks(list, cpuc, world.caps);
  finishList(world, list, cpuc, guest, noIsolation);
  return list;
}

/** One run of the vCPU as the calculator reports it; the vCPU is the machine's own, read it before the next run. */
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
  run(perf: PerfInput, guest: GuestPebs, throttle: CounterSet): CalculatedRun {
    const { noIsolation, vcpu } = this;
    const { world, state } = machineInRun(this.world, noIsolation, perf, vcpu, guest, throttle);
    const cpu = state.cpus[0]!;
    const run = new Run(world, state);
    while (cpu.pc !== K9_VMLAUNCH - 1) {
      run.advance(cpu);
    }
    const list = calculateSwitchList(world, noIsolation, perf, guest);
    if (throttle !== 0) {
      run.interrupt(actions.NMI, cpu, 0, throttle);
    }
    const pebsEnabledAtEntry = cpu.cpuc.pebsEnabled;
    run.enter(0, EXIT_EXTERNAL_INTERRUPT);
    const inGuest = copyOf(cpu.hardware);
    run.act(actions.SET_EXIT, 0, 0, EXIT_EXTERNAL_INTERRUPT);
    while (cpu.pc < V6_EXIT_LOAD || (cpu.pc < K12_FASTPATH && world.kvmOptions.postExitFixup)) {
      run.advance(cpu);
    }
    return {
      list,
      vcpu,
      inGuest,
      afterExit: copyOf(cpu.hardware),
      pebsEnabledAtEntry,
      tally: run.tally,
    };
  }
}

function copyOf(hardware: Hardware): Hardware {
  return new Hardware(hardware.words.slice());
}
