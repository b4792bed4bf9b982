/**
 * The scenarios whose MSR writes per round trip semantics.md counts (§6), each as the steps that set it up on a
 * machine with one vCPU: what a host and a guest would do, as data, so that whoever counts and whoever redoes it on a
 * live host does the same.
 *
 * Where kernel and model do not offer what a scenario is about, something near it takes its place and a note says so.
 * To the switch function, guest PEBS and an event that the host opened for the guest only (`cycles:ppG`) are the same.
 */
import { FIXED_BIT, fixed, generalPurpose, type U64 } from '../arch/counter-set.js';
import type { CpuModel, PmuCaps } from '../arch/cpu-model.js';
import { DS_AREA, EVENTSEL, GLOBAL_CTRL, PEBS_ENABLE } from '../arch/msr.js';
import type { KernelVariant } from '../kernels/kernel-variant.js';
import { capsOf } from '../kernels/pmu-support.js';
import { DEFAULT_FEATURES, type GuestPmuCaps, guestPmuCaps } from '../kvm/guest-msrs.js';
import type { OpenRequest } from '../perf/open-rules.js';
import { NO_COUNTER, NO_EVENT } from '../perf/perf-event.js';

export interface CostScenario {
  readonly id: string;
  readonly title: string;
  /** The scenario is about KVM raising guest PEBS on PMC0 to precise_ip 3, whatever kernel and model do by themselves. */
  readonly guestPdist?: boolean;
  readonly setUp: (here: Here) => readonly Part[];
}

export type SetUpStep =
  | { readonly kind: 'open'; readonly name: string; readonly event: OpenRequest }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'wrmsr'; readonly msr: number; readonly value: U64 };

export interface SetUp {
  readonly steps: readonly SetUpStep[];
  /** What took the place of something that kernel and model do not offer. */
  readonly notes: readonly string[];
}

/** What a kernel makes of a CPU model. */
interface Here {
  readonly caps: PmuCaps;
  readonly guest: GuestPmuCaps;
}

interface Part {
  readonly steps: readonly SetUpStep[];
  readonly note?: string;
}

const EVENTSEL_ENABLE = { hi: 0, lo: 0x0043003c };
const GUEST_DS_AREA = { hi: 0xffff8880, lo: 0x00049000 };
/** MEMINFO and GP: any data configuration that is not 0. */
const DATA_CFG = 3;
const HOST_PEBS = 'host-pebs';

const CYCLES: OpenRequest = {
  cpu: 0,
  counter: NO_COUNTER,
  preciseIp: 0,
  excludeHost: false,
  excludeGuest: false,
  sampling: 'period',
  largePebs: false,
  auxOutput: false,
  dataCfg: null,
  leader: NO_EVENT,
};

function open(name: string, attributes: Partial<OpenRequest>): SetUpStep {
  return { kind: 'open', name, event: { ...CYCLES, ...attributes } };
}

function wrmsr(msr: number, value: U64): SetUpStep {
  return { kind: 'wrmsr', msr, value };
}

/** The precise_ip asked for or the highest that perf takes here, as the perf tool does for `:P`. */
function atMost(preciseIp: number, { caps }: Here): number {
  return Math.min(preciseIp, caps.precise.max);
}

/** The NMI watchdog's cycles event: it reserves the DS areas and is in no mask. */
function watchdog({ caps }: Here): Part {
  const counter = caps.intelCtrl & fixed(2) ? FIXED_BIT + 1 : NO_COUNTER;
  return { steps: [open('watchdog', { counter })] };
}

function hostPebs(here: Here, adaptive: boolean): Part {
  const { caps } = here;
  const preciseIp = atMost(2, here);
  const dataCfg = adaptive && caps.pebsBaseline ? DATA_CFG : null;
  const steps = [open(HOST_PEBS, { preciseIp, excludeGuest: true, sampling: 'freq', dataCfg })];
  if (preciseIp === 0) {
    return {
      steps,
      note: 'The kernel finds no PEBS on this CPU: the host event is opened without PEBS (cycles:H).',
    };
  }
  if (adaptive && dataCfg === null) {
    return {
      steps,
      note: 'There is no MSR_PEBS_DATA_CFG on this CPU: the host event has no data configuration.',
    };
  }
  return { steps };
}

function guestCounting({ guest }: Here): Part {
  if (guest.vpmu) {
    return {
      steps: [wrmsr(GLOBAL_CTRL, { hi: 0, lo: 1 }), wrmsr(EVENTSEL, EVENTSEL_ENABLE)],
    };
  }
  return {
    steps: [open('for-guest', { excludeHost: true })],
    note: 'KVM offers no vPMU on this CPU: counted with a host event that excludes the host (cycles:G).',
  };
}

/** The guest samples with PEBS on one counter; PMC0 counts beside PMC1, so that PMC1 is backed by the host's PMC1. */
function guestPebs(here: Here, counter: 0 | 1): Part {
  if (!here.guest.pebs) {
    const preciseIp = atMost(counter === 0 ? 3 : 1, here);
    const modifiers = `${'p'.repeat(preciseIp)}G`;
    return {
      steps: [open('for-guest', { preciseIp, excludeHost: true })],
      note:
        preciseIp === 0
          ? `The kernel finds no PEBS on this CPU and KVM offers no guest PEBS: counted with a host event without PEBS that excludes the host (cycles:${modifiers}).`
          : `KVM offers no guest PEBS on this CPU: counted with a host event that excludes the host (cycles:${modifiers}).`,
    };
  }
  return {
    steps: [
      wrmsr(GLOBAL_CTRL, { hi: 0, lo: 0 }),
      wrmsr(DS_AREA, GUEST_DS_AREA),
      wrmsr(PEBS_ENABLE, { hi: 0, lo: 1 << counter }),
      wrmsr(EVENTSEL, EVENTSEL_ENABLE),
      ...(counter === 1 ? [wrmsr(EVENTSEL + 1, EVENTSEL_ENABLE)] : []),
      wrmsr(GLOBAL_CTRL, { hi: 0, lo: counter === 1 ? 3 : 1 }),
    ],
  };
}

function guestPdist(here: Here): Part {
  const { guest } = here;
  const part = guestPebs(here, 0);
  return guest.pebs && !(guest.precise3 & generalPurpose(1))
    ? {
        ...part,
        note: 'KVM does not raise guest PEBS on PMC0 to precise_ip 3 on this CPU: counted as if it did.',
      }
    : part;
}

function guestPebsOff({ guest }: Here): Part {
  return guest.pebs
    ? { steps: [wrmsr(DS_AREA, GUEST_DS_AREA), wrmsr(PEBS_ENABLE, { hi: 0, lo: 1 })] }
    : {
        steps: [],
        note: 'KVM offers no guest PEBS on this CPU: the guest cannot set it up and the row is that of A1.',
      };
}

export const COST_SCENARIOS: readonly CostScenario[] = [
  { id: 'A0', title: 'No hardware perf event on the host', setUp: () => [] },
  {
    id: 'A1',
    title: 'Idle, DS area reserved by the NMI watchdog',
    setUp: (here) => [watchdog(here)],
  },
  {
    id: 'A1c',
    title: 'As A1, a PEBS data configuration left over from an ended session',
    setUp: (here) => [
      watchdog(here),
      hostPebs(here, true),
      { steps: [{ kind: 'close', name: HOST_PEBS }] },
    ],
  },
  {
    id: 'A2',
    title: 'As A1, the guest counts without PEBS',
    setUp: (here) => [watchdog(here), guestCounting(here)],
  },
  {
    id: 'B',
    title: 'Host PEBS with basic records (cycles:pp)',
    setUp: (here) => [hostPebs(here, false)],
  },
  {
    id: 'Bc',
    title: 'Host PEBS with adaptive records',
    setUp: (here) => [hostPebs(here, true)],
  },
  { id: 'C', title: 'Guest PEBS, precise_ip 1', setUp: (here) => [guestPebs(here, 1)] },
  {
    id: 'C3',
    title: 'Guest PEBS on PMC0 at precise_ip 3, as KVM makes it on Sapphire Rapids',
    guestPdist: true,
    setUp: (here) => [guestPdist(here)],
  },
  {
    id: 'D',
    title: 'Host and guest PEBS: the host forces guest PEBS off',
    setUp: (here) => [hostPebs(here, false), guestPebs(here, 1)],
  },
  {
    id: 'E',
    title: 'The guest has set up PEBS but its counter is off',
    setUp: (here) => [watchdog(here), guestPebsOff(here)],
  },
];

/** How a scenario is set up on a machine of the model under the kernel. */
export function setUpOf(scenario: CostScenario, model: CpuModel, kernel: KernelVariant): SetUp {
  const parts = scenario.setUp({
    caps: capsOf(kernel, model),
    guest: guestPmuCaps(kernel, model, DEFAULT_FEATURES),
  });
  return {
    steps: parts.flatMap(({ steps }) => steps),
    notes: parts.flatMap(({ note }) => (note === undefined ? [] : [note])),
  };
}
