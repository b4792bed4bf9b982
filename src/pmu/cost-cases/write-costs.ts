/** The MSR writes of a round trip in a cost scenario: the scenario is set up on a real machine, and counted by running it. */
import type { CpuModel } from '../arch/cpu-model.js';
import type { ViaName } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import type { KernelVariant } from '../kernels/kernel-variant.js';
import { capsOf, isIsolatedOn } from '../kernels/pmu-support.js';
import { DEFAULT_FEATURES } from '../kvm/guest-msrs.js';
import { EXIT_EXTERNAL_INTERRUPT } from '../machine/state.js';
import { createState, createWorld } from '../machine/world.js';
import { planOpen } from '../perf/open-rules.js';
import { addVcpu, closeEvent, guestWrmsr, openHostEvent } from '../stepping/operations.js';
import { Run } from '../stepping/run.js';
import { type CostScenario, type SetUpStep, setUpOf } from './cost-scenarios.js';

/** A handle for the guest's DS area that no CPU's has. */
const GUEST_DS_AREA = 9;

/** Writes for VM-entries and VM-exits by mechanism: all but perf's own. */
export type RoundTripWrites = Readonly<Record<Exclude<ViaName, 'perf_wrmsr'>, number>>;

export function roundTripWrites(sink: WriteSink): RoundTripWrites {
  const { perf_wrmsr: _, ...writes } = sink.byVia();
  return writes;
}

/** Round trips before the count: enough for every list to have settled. */
const SETTLING = 2;

/** Counts the writes of one round trip in the scenario, in the steady state. */
export function measureWrites(
  scenario: CostScenario,
  model: CpuModel,
  kernel: KernelVariant,
): RoundTripWrites {
  const setUp = machineIn(scenario, model, kernel);
  for (let trip = 0; trip < SETTLING; trip += 1) {
    setUp.roundTrip(0, EXIT_EXTERNAL_INTERRUPT);
  }
  const measured = new Run(setUp.world, setUp.state);
  measured.roundTrip(0, EXIT_EXTERNAL_INTERRUPT);
  return roundTripWrites(measured.tally.sink);
}

/** A machine with one vCPU, set up for the scenario. */
export function machineIn(scenario: CostScenario, model: CpuModel, asReleased: KernelVariant): Run {
  const kernel = scenario.guestPdist ? withGuestPdist(asReleased, model) : asReleased;
  const world = createWorld({ model, caps: capsOf(kernel, model), kernel });
  const state = createState(world, 1, !isIsolatedOn(kernel, model));
  const run = new Run(world, state);
  addVcpu(run, 0, DEFAULT_FEATURES);
  carryOut(run, setUpOf(scenario, model, asReleased).steps);
  return run;
}

function carryOut(run: Run, steps: readonly SetUpStep[]): void {
  const slots = new Map<string, number>();
  for (const step of steps) {
    switch (step.kind) {
      case 'open': {
        const plan = planOpen(run.world.caps, step.event);
        if ('errno' in plan) {
          throw new RangeError(`a cost scenario cannot open its event: ${plan.reason}`);
        }
        slots.set(step.name, openHostEvent(run, plan, false));
        break;
      }
      case 'close':
        closeEvent(run, slots.get(step.name)!);
        break;
      case 'wrmsr': {
        const fault = guestWrmsr(run, 0, step.msr, step.value, () => GUEST_DS_AREA);
        if (fault !== null) {
          throw new RangeError(`the guest of a cost scenario takes a #GP: ${fault}`);
        }
      }
    }
  }
}

/** The kernel with a KVM that raises guest PEBS on PMC0 to precise_ip 3 on the model. */
function withGuestPdist(kernel: KernelVariant, model: CpuModel): KernelVariant {
  const { support } = kernel;
  const guestPrecise3 = { ...support.guestPrecise3, pmc0: [model.id] };
  return { ...kernel, support: { ...support, guestPrecise3 } };
}

/** X+E+L of §6: what the cover letters call MSR writes. */
export function msrWrites(writes: RoundTripWrites): number {
  return writes.kvm_wrmsr + writes.vm_entry_load + writes.vm_exit_load;
}
