/** What the guests themselves do: they flip the bit of a counter in one of their registers, or write what the world says. */
import { FIXED_BIT, GENERAL_PURPOSE } from '../../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, msrName, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import { writeGuestMsr } from '../../pmu/kvm/guest-msrs.js';
import { VcpuPmu } from '../../pmu/kvm/vcpu-pmu.js';
import { guestWrmsr, guestWrmsrOfEnables } from '../../pmu/machine/actions.js';
import { refuseAbsentThread } from '../../pmu/machine/guards.js';
import type { MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld, GuestWrite } from '../explored-world.js';
import { formatCounterSet, formatU64 } from '../values.js';
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
const FLIP = {
  actor: 'guest_wrmsr',
  about: 'guest_event',
  isIn: ({ guestWrites }: ExploredWorld) => guestWrites.length === 0,
  when: AT_REST,
  by: 'guest',
} as const;

/** What a flip writes, as a value of its own. */
function writes(msr: number): NonNullable<StepKind['guestWrite']> {
  return (explored, state, _cpu, target) => {
    const value = flipped(explored, state, target, msr);
    return {
      vcpu: explored.world.eventConfigs[target]!.owner,
      msr,
      value: { hi: value >>> FIXED_BIT, lo: value & GENERAL_PURPOSE },
    };
  };
}

const FLIP_PEBS_ENABLE: StepKind = {
  ...FLIP,
  guards: [OWNER_ON_CPU, HAS_GUEST_PEBS],
  effect: (explored, state, _cpu, target) => flip(explored, state, target, PEBS_ENABLE),
  guestWrite: writes(PEBS_ENABLE),
  words: (explored, _state, _cpu, target) =>
    `the guest flips its IA32_PEBS_ENABLE for ${eventName(explored, target)}`,
  script: (script, explored, state, _cpu, target) =>
    writeFlip(script, explored, state, target, PEBS_ENABLE),
};

const FLIP_GLOBAL_CTRL: StepKind = {
  ...FLIP,
  guards: [OWNER_ON_CPU],
  effect: (explored, state, _cpu, target) => flip(explored, state, target, GLOBAL_CTRL),
  guestWrite: writes(GLOBAL_CTRL),
  words: (explored, _state, _cpu, target) =>
    `the guest flips its IA32_PERF_GLOBAL_CTRL for ${eventName(explored, target)}`,
  script: (script, explored, state, _cpu, target) =>
    writeFlip(script, explored, state, target, GLOBAL_CTRL),
};

/** The write that a step is about. */
function writeOf({ guestWrites }: ExploredWorld, target: number): GuestWrite {
  return guestWrites[target]!;
}

const WRITER_ON_CPU: Guard = {
  holds: (explored, _state, cpu, target) =>
    refuseAbsentThread(cpu, writeOf(explored, target).vcpu) === null,
  words: (explored, _state, cpu, target) =>
    refuseAbsentThread(cpu, writeOf(explored, target).vcpu) ?? '',
};

const tried = new VcpuPmu();

function faultOf(explored: ExploredWorld, state: MachineState, target: number) {
  const { vcpu, msr, value } = writeOf(explored, target);
  tried.copyFrom(state.vcpus[vcpu]!);
  return writeGuestMsr(explored.world.guestCaps[vcpu]!, tried, msr, value, noAddress);
}

const TAKES_WRITE: Guard = {
  holds: (explored, state, _cpu, target) => faultOf(explored, state, target) === null,
  words: (explored, state, _cpu, target) =>
    `the WRMSR is a #GP: ${faultOf(explored, state, target) ?? ''}`,
};

function writeAsked(explored: ExploredWorld, state: MachineState, target: number): void {
  const { vcpu, msr, value } = writeOf(explored, target);
  guestWrmsrOfEnables(explored.world, state, vcpu, msr, value, noAddress);
}

/** Only recordings have it: a search of one's own flips bits. */
export const GUEST_WRITE: StepKind = {
  actor: 'guest_wrmsr',
  about: 'guest_write',
  isIn: ({ guestWrites }) => guestWrites.length > 0,
  when: AT_REST,
  guards: [WRITER_ON_CPU, TAKES_WRITE],
  effect: (explored, state, _cpu, target) => writeAsked(explored, state, target),
  words: (explored, _state, _cpu, target) => {
    const { msr, value } = writeOf(explored, target);
    return `the guest writes ${formatU64(value)} to its ${msrName(msr)}`;
  },
  by: 'guest',
  guestWrite: (explored, _state, _cpu, target) => writeOf(explored, target),
  script: (script, explored, _state, _cpu, target) => {
    const { vcpu, msr, value } = writeOf(explored, target);
    script.act({
      action: 'wrmsr',
      vcpu: vcpuName(explored, vcpu),
      msr: msrName(msr),
      value: formatU64(value),
      reprogram: false,
    });
  },
};

export const GUEST_STEPS: readonly StepKind[] = [FLIP_PEBS_ENABLE, FLIP_GLOBAL_CTRL];
