/** What the guests themselves do: they flip the bit of a counter in one of their registers. */
import { FIXED_BIT, GENERAL_PURPOSE } from '../../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, msrName, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import { guestWrmsr } from '../../pmu/machine/actions.js';
import type { MachineState } from '../../pmu/machine/state.js';
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

/** The register with the counter's bit the other way. */
function flipped({ world }: ExploredWorld, state: MachineState, at: number, msr: number): number {
  const { owner, guestCounter } = world.eventConfigs[at]!;
  const { pebsEnable, globalCtrl } = state.vcpus[owner]!;
  return (msr === PEBS_ENABLE ? pebsEnable : globalCtrl) ^ (1 << guestCounter);
}

const written = { hi: 0, lo: 0 };

function flip(explored: ExploredWorld, state: MachineState, at: number, msr: number): void {
  const value = flipped(explored, state, at, msr);
  written.lo = value & GENERAL_PURPOSE;
  written.hi = value >>> FIXED_BIT;
  const { owner } = explored.world.eventConfigs[at]!;
  guestWrmsr(explored.world, state, owner, msr, written, noAddress);
}

/** The registers that are flipped hold no addresses. */
function noAddress(): number {
  return 0;
}

function writeFlip(
  script: StepScript,
  explored: ExploredWorld,
  state: MachineState,
  at: number,
  msr: number,
): void {
  const { owner } = explored.world.eventConfigs[at]!;
  script.act({
    action: 'wrmsr',
    vcpu: vcpuName(explored, owner),
    msr: msrName(msr),
    value: formatCounterSet(flipped(explored, state, at, msr)),
    reprogram: false,
  });
}

/** What both flips have in common. */
const FLIP = { actor: 'guest_wrmsr', about: 'guest_event', when: AT_REST, by: 'guest' } as const;

const FLIP_PEBS_ENABLE: StepKind = {
  ...FLIP,
  guards: [OWNER_ON_CPU, HAS_GUEST_PEBS],
  effect: (explored, state, _cpu, target) => flip(explored, state, target, PEBS_ENABLE),
  words: (explored, _state, _cpu, target) =>
    `the guest flips its IA32_PEBS_ENABLE for ${eventName(explored, target)}`,
  script: (script, explored, state, _cpu, target) =>
    writeFlip(script, explored, state, target, PEBS_ENABLE),
};

const FLIP_GLOBAL_CTRL: StepKind = {
  ...FLIP,
  guards: [OWNER_ON_CPU],
  effect: (explored, state, _cpu, target) => flip(explored, state, target, GLOBAL_CTRL),
  words: (explored, _state, _cpu, target) =>
    `the guest flips its IA32_PERF_GLOBAL_CTRL for ${eventName(explored, target)}`,
  script: (script, explored, state, _cpu, target) =>
    writeFlip(script, explored, state, target, GLOBAL_CTRL),
};

export const GUEST_STEPS: readonly StepKind[] = [FLIP_PEBS_ENABLE, FLIP_GLOBAL_CTRL];
