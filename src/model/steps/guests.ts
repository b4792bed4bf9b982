/** What the guests themselves do: they flip the bit of a counter in one of their registers, or write what the world says. */
import { FIXED_BIT, GENERAL_PURPOSE, toU64 } from '../../pmu/arch/counter-set.js';
import { GLOBAL_CTRL, msrName, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import { writeGuestMsr } from '../../pmu/kvm/guest-msrs.js';
import { VcpuPmu } from '../../pmu/kvm/vcpu-pmu.js';
import { guestWrmsr, guestWrmsrOfEnables } from '../../pmu/machine/actions.js';
import { refuseAbsentThread } from '../../pmu/machine/guards.js';
import type { MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld, GuestWrite } from '../explored-world.js';
import { formatU64 } from '../values.js';
import { AT_REST, OWNER_ON_CPU } from './guards.js';
import { eventName, vcpuName } from './names.js';
import type { Ask, Guard, StepKind } from './step-kind.js';

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

/** What all WRMSRs of guests have in common; `written` is what they write. */
function guestStep(written: Ask<GuestWrite>) {
  return {
    actor: 'guest_wrmsr',
    when: AT_REST,
    by: 'guest',
    guestWrite: written,
    script: (script, explored, state, cpu, target) => {
      const { vcpu, msr, value } = written(explored, state, cpu, target);
      script.act({
        action: 'wrmsr',
        vcpu: vcpuName(explored, vcpu),
        msr: msrName(msr),
        value: formatU64(value),
        reprogram: false,
      });
    },
  } as const satisfies Partial<StepKind>;
}

function flipOf(msr: number, ...guards: readonly Guard[]): StepKind {
  return {
    ...guestStep((explored, state, _cpu, target) => ({
      vcpu: explored.world.eventConfigs[target]!.owner,
      msr,
      value: toU64(flipped(explored, state, target, msr)),
    })),
    about: 'guest_event',
    isIn: ({ guestWrites }) => guestWrites.length === 0,
    guards: [OWNER_ON_CPU, ...guards],
    effect: (explored, state, _cpu, target) => flip(explored, state, target, msr),
    words: (explored, _state, _cpu, target) =>
      `the guest flips its ${msrName(msr)} for ${eventName(explored, target)}`,
  };
}

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

/** Tries it on a copy of the vCPU. */
function faultOf({ world }: ExploredWorld, state: MachineState, write: GuestWrite) {
  const { vcpu, msr, value } = write;
  tried.copyFrom(state.vcpus[vcpu]!);
  return writeGuestMsr(world.guestCaps[vcpu]!, tried, msr, value, noAddress);
}

const TAKES_WRITE: Guard = {
  holds: (explored, state, _cpu, target) =>
    faultOf(explored, state, writeOf(explored, target)) === null,
  words: (explored, state, _cpu, target) =>
    `the WRMSR is a #GP: ${faultOf(explored, state, writeOf(explored, target)) ?? ''}`,
};

/** Whether a register of a guest may hold a value, as far as states keep it: to write it would change nothing. */
export function mayHold(explored: ExploredWorld, state: MachineState, write: GuestWrite): boolean {
  if (faultOf(explored, state, write) !== null) return false;
  const { globalCtrl, pebsEnable, counterEnable } = state.vcpus[write.vcpu]!;
  const other =
    (tried.globalCtrl ^ globalCtrl) |
    (tried.pebsEnable ^ pebsEnable) |
    (tried.counterEnable ^ counterEnable);
  return (other & explored.guestCounters) === 0;
}

function writeAsked(explored: ExploredWorld, state: MachineState, target: number): void {
  const { vcpu, msr, value } = writeOf(explored, target);
  guestWrmsrOfEnables(explored.world, state, vcpu, msr, value, noAddress);
}

type Wrmsr = Pick<GuestWrite, 'msr' | 'value'>;

export function toldWrmsr({ msr, value }: Wrmsr, refused = false): string {
  const fault = refused ? ', and takes a #GP' : '';
  return `the guest writes ${formatU64(value)} to its ${msrName(msr)}${fault}`;
}

/** Only recordings have it: a search of one's own flips bits. */
export const GUEST_WRITE: StepKind = {
  ...guestStep((explored, _state, _cpu, target) => writeOf(explored, target)),
  about: 'guest_write',
  isIn: ({ guestWrites }) => guestWrites.length > 0,
  guards: [WRITER_ON_CPU, TAKES_WRITE],
  effect: (explored, state, _cpu, target) => writeAsked(explored, state, target),
  words: (explored, _state, _cpu, target) => toldWrmsr(writeOf(explored, target)),
};

export const GUEST_STEPS: readonly StepKind[] = [
  flipOf(PEBS_ENABLE, HAS_GUEST_PEBS),
  flipOf(GLOBAL_CTRL),
];
