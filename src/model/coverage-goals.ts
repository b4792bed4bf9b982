/**
 * Coverage goals: states that a search should reach. They guard against vacuous verdicts: a "holds" that never saw a guest
 * says nothing.
 */
import { PEBS_VIA_PT } from '../pmu/arch/counter-set.js';
import { freshHostValue } from '../pmu/invariants/lists.js';
import { isInGuest, K9_VMLAUNCH, VMX_ABORT } from '../pmu/machine/micro-step.js';
import { type MachineState, RUN_VCPU } from '../pmu/machine/state.js';
import type { World } from '../pmu/machine/world.js';
import { ACTIVE, STOPPED } from '../pmu/perf/perf-event.js';

export interface CoverageGoal {
  readonly id: string;
  readonly statement: string;
  seen(world: World, state: MachineState): boolean;
}

export const COVERAGE_GOALS: readonly CoverageGoal[] = [
  {
    id: 'guest_entered',
    statement: 'A vCPU is in the guest.',
    seen: (_world, { cpus }) => cpus.some((cpu) => isInGuest(cpu.pc)),
  },
  {
    id: 'event_throttled',
    statement: 'An event is throttled.',
    seen: (_world, { events }) =>
      events.some((event) => event.mark !== 0 && event.status === STOPPED),
  },
  {
    id: 'list_stale_at_vmlaunch',
    statement: 'At VMLAUNCH the VM-exit load area holds a value that perf no longer wants.',
    seen: (world, state) =>
      state.cpus.some((cpu) => {
        if (cpu.pc !== K9_VMLAUNCH || cpu.operation !== RUN_VCPU) {
          return false;
        }
        const { autoload } = state.vcpus[cpu.target]!;
        return autoload
          .listed()
          .some((msr) => autoload.host[msr] !== freshHostValue(world, state, cpu, msr));
      }),
  },
  {
    id: 'vmx_abort',
    statement: 'A CPU has shut down after a VMX abort.',
    seen: (_world, { cpus }) => cpus.some((cpu) => cpu.pc === VMX_ABORT),
  },
  {
    id: 'via_pt_bits_linger',
    statement: 'PEBS-via-PT bits are wanted though no event with aux_output is active.',
    seen: (world, { cpus, events }) =>
      cpus.some(
        (cpu) =>
          (cpu.cpuc.pebsEnabled & PEBS_VIA_PT) !== 0 &&
          !events.some((event, at) => event.status === ACTIVE && world.eventConfigs[at]!.auxOutput),
      ),
  },
];
