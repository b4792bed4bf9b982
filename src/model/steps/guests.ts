/** What the guests themselves do: they flip the bit of a counter in one of their registers. */
import { FIXED_BIT, GENERAL_PURPOSE } from '../../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import { guestWrmsr } from '../../pmu/machine/actions.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import type { ExploredWorld } from '../explored-world.js';
import { formatCounterSet } from '../values.js';
import { AT_REST, OWNER_ON_CPU } from './guards.js';
import { eventName, vcpuName } from './names.js';
import type { Guard, StepKind, StepScript } from './step-kind.js';

/** Else the WRMSR is a #GP. */
const HAS_GUEST_PEBS: Guard = {
  holds: ({ world }, _state, _cpu, target) => {
    const { owner, guestCounter } = world.eventConfigs[target]!;
    const { pebs, adaptive } = world.guestCaps[owner]!;
    return pebs && (adaptive || guestCounter < FIXED_BIT);
  },
  words: 'the WRMSR is a #GP: the guest is shown no PEBS for this counter',
};

const written = { hi: 0, lo: 0 };

function wrmsr(world: World, state: MachineState, vcpu: number, msr: number, value: number): void {
  written.lo = value & GENERAL_PURPOSE;
  written.hi = value >>> FIXED_BIT;
  guestWrmsr(world, state, vcpu, msr, written, noAddress);
}

/** The registers that are flipped hold no addresses. */
function noAddress(): number {
  return 0;
}

function flipPebsEnable(
  { world }: ExploredWorld,
  state: MachineState,
  _cpu: LogicalCpu,
  target: number,
): void {
  const { owner, guestCounter } = world.eventConfigs[target]!;
  const value = state.vcpus[owner]!.pebsEnable ^ (1 << guestCounter);
  wrmsr(world, state, owner, PEBS_ENABLE, value);
}

const FLIP_PEBS_ENABLE: StepKind = {
  actor: 'guest_wrmsr',
  about: 'guest_event',
  when: AT_REST,
  guards: [OWNER_ON_CPU, HAS_GUEST_PEBS],
  effect: flipPebsEnable,
  words: (explored, _state, _cpu, target) =>
    `the guest flips its IA32_PEBS_ENABLE for ${eventName(explored, target)}`,
  by: 'guest',
  script: (script, explored, state, _cpu, target) => {
    const { owner, guestCounter } = explored.world.eventConfigs[target]!;
    const value = state.vcpus[owner]!.pebsEnable ^ (1 << guestCounter);
    writeMsr(script, explored, state, owner, 'IA32_PEBS_ENABLE', value);
  },
};

function flipGlobalCtrl(
  { world }: ExploredWorld,
  state: MachineState,
  _cpu: LogicalCpu,
  target: number,
): void {
  const { owner, guestCounter } = world.eventConfigs[target]!;
  const value = state.vcpus[owner]!.globalCtrl ^ (1 << guestCounter);
  wrmsr(world, state, owner, GLOBAL_CTRL, value);
}

const FLIP_GLOBAL_CTRL: StepKind = {
  actor: 'guest_wrmsr',
  about: 'guest_event',
  when: AT_REST,
  guards: [OWNER_ON_CPU],
  effect: flipGlobalCtrl,
  words: (explored, _state, _cpu, target) =>
    `the guest flips its IA32_PERF_GLOBAL_CTRL for ${eventName(explored, target)}`,
  by: 'guest',
  script: (script, explored, state, _cpu, target) => {
    const { owner, guestCounter } = explored.world.eventConfigs[target]!;
    const value = state.vcpus[owner]!.globalCtrl ^ (1 << guestCounter);
    writeMsr(script, explored, state, owner, 'IA32_PERF_GLOBAL_CTRL', value);
  },
};

function writeMsr(
  script: StepScript,
  explored: ExploredWorld,
  state: MachineState,
  vcpu: number,
  msr: string,
  value: number,
): void {
  script.beginWrmsr(state.vcpus[vcpu]!.cpu, {
    action: 'wrmsr',
    vcpu: vcpuName(explored, vcpu),
    msr,
    value: formatCounterSet(value),
  });
}

export const GUEST_STEPS: readonly StepKind[] = [FLIP_PEBS_ENABLE, FLIP_GLOBAL_CTRL];
