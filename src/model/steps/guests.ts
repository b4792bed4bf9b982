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
import { AT_REST, OWNER_ON_CPU, unless } from './guards.js';
import { eventName, vcpuName } from './names.js';
import type { Ask, Candidate, Guard, StepKind } from './step-kind.js';

/** Else the WRMSR is a #GP. */
const HAS_GUEST_PEBS: Guard = {
  holds: ({ world, target }) => {
    const { owner, guestCounter } = world.eventConfigs[target]!;
    const { pebs, adaptive } = world.guestCaps[owner]!;
    return pebs && (adaptive || guestCounter < FIXED_BIT);
  },
  words: 'the WRMSR is a #GP: the guest is shown no PEBS for this counter',
};

/** The register with the counter's bit the other way. */
function flipped({ world, state, target }: Candidate, msr: number): number {
  const { owner, guestCounter } = world.eventConfigs[target]!;
  const { pebsEnable, globalCtrl } = state.vcpus[owner]!;
  return (msr === PEBS_ENABLE ? pebsEnable : globalCtrl) ^ (1 << guestCounter);
}

const written = { hi: 0, lo: 0 };

function flip(candidate: Candidate, msr: number): void {
  const { world, state, target } = candidate;
  const value = flipped(candidate, msr);
  written.lo = value & GENERAL_PURPOSE;
  written.hi = value >>> FIXED_BIT;
  guestWrmsr(world, state, world.eventConfigs[target]!.owner, msr, written, noAddress);
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
    script: (candidate) => {
      const { vcpu, msr, value } = written(candidate);
      const write = { msr: msrName(msr), value: formatU64(value), reprogram: false };
      return { act: { action: 'wrmsr', vcpu: vcpuName(candidate.explored, vcpu), ...write } };
    },
  } as const satisfies Partial<StepKind>;
}

function flipOf(msr: number, ...guards: readonly Guard[]): StepKind {
  return {
    ...guestStep((candidate) => ({
      vcpu: candidate.world.eventConfigs[candidate.target]!.owner,
      msr,
      value: toU64(flipped(candidate, msr)),
    })),
    about: 'guest_event',
    isIn: ({ guestWrites }) => guestWrites.length === 0,
    guards: [OWNER_ON_CPU, ...guards],
    effect: (candidate) => flip(candidate, msr),
    words: ({ explored, target }) =>
      `the guest flips its ${msrName(msr)} for ${eventName(explored, target)}`,
  };
}

/** The write that a step is about. */
function writeOf({ explored, target }: Candidate): GuestWrite {
  return explored.guestWrites[target]!;
}

const WRITER_ON_CPU = unless((candidate) =>
  refuseAbsentThread(candidate.cpu, writeOf(candidate).vcpu),
);

const tried = new VcpuPmu();

/** Tries it on a copy of the vCPU. */
function faultOf({ world, state }: Pick<Candidate, 'world' | 'state'>, write: GuestWrite) {
  const { vcpu, msr, value } = write;
  tried.copyFrom(state.vcpus[vcpu]!);
  return writeGuestMsr(world.guestCaps[vcpu]!, tried, msr, value, noAddress);
}

const TAKES_WRITE = unless((candidate) => {
  const fault = faultOf(candidate, writeOf(candidate));
  return fault === null ? null : `the WRMSR is a #GP: ${fault}`;
});

/** Whether a register of a guest may hold a value, as far as states keep it: to write it would change nothing. */
export function mayHold(explored: ExploredWorld, state: MachineState, write: GuestWrite): boolean {
  if (faultOf({ world: explored.world, state }, write) !== null) return false;
  const { globalCtrl, pebsEnable, counterEnable } = state.vcpus[write.vcpu]!;
  const other =
    (tried.globalCtrl ^ globalCtrl) |
    (tried.pebsEnable ^ pebsEnable) |
    (tried.counterEnable ^ counterEnable);
  return (other & explored.guestCounters) === 0;
}

type Wrmsr = Pick<GuestWrite, 'msr' | 'value'>;

export function toldWrmsr({ msr, value }: Wrmsr, refused = false): string {
  const fault = refused ? ', and takes a #GP' : '';
  return `the guest writes ${formatU64(value)} to its ${msrName(msr)}${fault}`;
}

/** Only recordings have it: a search of one's own flips bits. */
export const GUEST_WRITE: StepKind = {
  ...guestStep(writeOf),
  about: 'guest_write',
  isIn: ({ guestWrites }) => guestWrites.length > 0,
  guards: [WRITER_ON_CPU, TAKES_WRITE],
  effect: (candidate) => {
    const { vcpu, msr, value } = writeOf(candidate);
    guestWrmsrOfEnables(candidate.world, candidate.state, vcpu, msr, value, noAddress);
  },
  words: (candidate) => toldWrmsr(writeOf(candidate)),
};

export const GUEST_STEPS: readonly StepKind[] = [
  flipOf(PEBS_ENABLE, HAS_GUEST_PEBS),
  flipOf(GLOBAL_CTRL),
];
