/**
 * The scenarios whose MSR writes per round trip the semantics sheet counts (§6), and the count itself.
 *
 * Each is set up on a real machine by the operations a host and a guest would carry out; the counts come from running it.
 * Where KVM offers a guest no PEBS (no EPT-friendly PEBS, or no vPMU), "guest PEBS" is an event that the host opened for
 * the guest only (`cycles:ppG`): to the switch function it is the same.
 */
import { FIXED_BIT, fixed } from '../arch/counter-set.js';
import type { CpuModel } from '../arch/cpu-model.js';
import {
  DS_AREA,
  EVENTSEL,
  GLOBAL_CTRL,
  KVM_WRMSR,
  PEBS_ENABLE,
  VM_ENTRY_LOAD,
  VM_EXIT_LOAD,
  VMCS_FIELD,
} from '../arch/msr.js';
import type { KernelVariant } from '../kernels/kernel-variant.js';
import { capsOf, isIsolatedOn } from '../kernels/pmu-support.js';
import { DEFAULT_FEATURES, guestPmuCaps } from '../kvm/guest-msrs.js';
import { addVcpu, closeEvent, guestWrmsr, openHostEvent } from '../live/operations.js';
import { Run } from '../live/run.js';
import { EXIT_EXTERNAL_INTERRUPT } from '../machine/state.js';
import { createState, createWorld } from '../machine/world.js';
import { type OpenRequest, planOpen } from '../perf/open-rules.js';
import { NO_COUNTER, NO_EVENT } from '../perf/perf-event.js';

export interface CostScenario {
  readonly id: string;
  readonly title: string;
  /** The scenario is about KVM raising guest PEBS on PMC0 to precise_ip 3, whatever kernel and model do by themselves. */
  readonly guestPdist?: boolean;
  setUp(run: Run): void;
}

/** An identity for the guest's DS area that no CPU's has. */
const GUEST_DS_AREA = 9;
const EVENTSEL_ENABLE = { hi: 0, lo: 0x0043003c };
/** MEMINFO and GP: any data configuration that is not 0. */
const DATA_CFG = 3;

const COUNTING: OpenRequest = {
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

/** Opens an event with the precise_ip asked for or the highest that perf takes here, as the perf tool does for `:P`. */
function open(run: Run, attributes: Partial<OpenRequest>): number {
  const { caps } = run.world;
  const preciseIp = Math.min(attributes.preciseIp ?? 0, caps.precise.max);
  const plan = planOpen(caps, { ...COUNTING, ...attributes, preciseIp });
  if ('errno' in plan) {
    throw new RangeError(`a cost scenario cannot open its event: ${plan.reason}`);
  }
  return openHostEvent(run, plan, false);
}

/** The NMI watchdog's cycles event: it reserves the DS areas and is in no mask. */
function watchdog(run: Run): void {
  const cycles = FIXED_BIT + 1;
  open(run, { counter: run.world.caps.intelCtrl & fixed(2) ? cycles : NO_COUNTER });
}

function hostPebs(run: Run, adaptive: boolean): number {
  const { caps } = run.world;
  const dataCfg = adaptive && caps.pebsBaseline ? DATA_CFG : null;
  return open(run, { preciseIp: 2, excludeGuest: true, sampling: 'freq', dataCfg });
}

function guestWrites(
  run: Run,
  writes: readonly (readonly [number, { hi: number; lo: number }])[],
): void {
  for (const [msr, value] of writes) {
    guestWrmsr(run, 0, msr, value, () => GUEST_DS_AREA);
  }
}

function offersGuestPmu(run: Run): { vpmu: boolean; pebs: boolean } {
  return guestPmuCaps(run.world.kernel, run.world.model!, DEFAULT_FEATURES);
}

function guestCounting(run: Run): void {
  if (offersGuestPmu(run).vpmu) {
    guestWrites(run, [
      [GLOBAL_CTRL, { hi: 0, lo: 1 }],
      [EVENTSEL, EVENTSEL_ENABLE],
    ]);
  } else {
    open(run, { excludeHost: true });
  }
}

/** The guest samples with PEBS on one counter; PMC0 counts beside PMC1, so that PMC1 is backed by the host's PMC1. */
function guestPebs(run: Run, counter: 0 | 1): void {
  if (!offersGuestPmu(run).pebs) {
    open(run, { preciseIp: counter === 0 ? 3 : 1, excludeHost: true });
    return;
  }
  guestWrites(run, [
    [GLOBAL_CTRL, { hi: 0, lo: 0 }],
    [DS_AREA, { hi: 0xffff8880, lo: 0x00049000 }],
    [PEBS_ENABLE, { hi: 0, lo: 1 << counter }],
    [EVENTSEL, EVENTSEL_ENABLE],
    ...(counter === 1 ? [[EVENTSEL + 1, EVENTSEL_ENABLE] as const] : []),
    [GLOBAL_CTRL, { hi: 0, lo: counter === 1 ? 3 : 1 }],
  ]);
}

export const COST_SCENARIOS: readonly CostScenario[] = [
  { id: 'A0', title: 'No hardware perf event on the host', setUp: () => {} },
  { id: 'A1', title: 'Idle, DS area reserved by the NMI watchdog', setUp: watchdog },
  {
    id: 'A1c',
    title: 'As A1, a PEBS data configuration left over from an ended session',
    setUp: (run) => {
      watchdog(run);
      closeEvent(run, hostPebs(run, true));
    },
  },
  {
    id: 'A2',
    title: 'As A1, the guest counts without PEBS',
    setUp: (run) => {
      watchdog(run);
      guestCounting(run);
    },
  },
  {
    id: 'B',
    title: 'Host PEBS with basic records (cycles:pp)',
    setUp: (run) => {
      hostPebs(run, false);
    },
  },
  {
    id: 'Bc',
    title: 'Host PEBS with adaptive records',
    setUp: (run) => {
      hostPebs(run, true);
    },
  },
  { id: 'C', title: 'Guest PEBS, precise_ip 1', setUp: (run) => guestPebs(run, 1) },
  {
    id: 'C3',
    title: 'Guest PEBS on PMC0 at precise_ip 3, as KVM makes it on Sapphire Rapids',
    guestPdist: true,
    setUp: (run) => guestPebs(run, 0),
  },
  {
    id: 'D',
    title: 'Host and guest PEBS: the host forces guest PEBS off',
    setUp: (run) => {
      hostPebs(run, false);
      guestPebs(run, 1);
    },
  },
  {
    id: 'E',
    title: 'The guest has set up PEBS but its counter is off',
    setUp: (run) => {
      watchdog(run);
      guestWrites(run, [
        [DS_AREA, { hi: 0xffff8880, lo: 0x00049000 }],
        [PEBS_ENABLE, { hi: 0, lo: 1 }],
      ]);
    },
  },
];

/** Writes of one round trip in the steady state. */
export interface RoundTripWrites {
  readonly kvmWrmsr: number;
  readonly vmEntryLoad: number;
  readonly vmExitLoad: number;
  readonly vmcsField: number;
}

/** Round trips before the count: enough for every list to have settled. */
const SETTLING = 2;

/** Sets the scenario up and counts the writes of one round trip. `microcode` and `stepping` decide isolation. */
export function measureWrites(
  scenario: CostScenario,
  model: CpuModel,
  asReleased: KernelVariant,
  microcode = 0,
  stepping = model.defaultStepping,
): RoundTripWrites {
  const kernel = scenario.guestPdist ? withGuestPdist(asReleased, model) : asReleased;
  const world = createWorld({ model, caps: capsOf(kernel, model), kernel });
  const state = createState(world, 1, !isIsolatedOn(kernel, model, stepping, microcode));
  const setUp = new Run(world, state);
  addVcpu(setUp, 0, DEFAULT_FEATURES);
  scenario.setUp(setUp);
  for (let trip = 0; trip < SETTLING; trip += 1) {
    setUp.roundTrip(0, EXIT_EXTERNAL_INTERRUPT);
  }
  const measured = new Run(world, state);
  measured.roundTrip(0, EXIT_EXTERNAL_INTERRUPT);
  const { sink } = measured.tally;
  return {
    kvmWrmsr: sink.total(KVM_WRMSR),
    vmEntryLoad: sink.total(VM_ENTRY_LOAD),
    vmExitLoad: sink.total(VM_EXIT_LOAD),
    vmcsField: sink.total(VMCS_FIELD),
  };
}

/** The kernel with a KVM that raises guest PEBS on PMC0 to precise_ip 3 on the model. */
function withGuestPdist(kernel: KernelVariant, model: CpuModel): KernelVariant {
  const { support } = kernel;
  const guestPrecise3 = { ...support.guestPrecise3, pmc0: [model.id] };
  return { ...kernel, support: { ...support, guestPrecise3 } };
}

/** X+E+L of §6: what the cover letters call MSR writes. */
export function msrWrites(writes: RoundTripWrites): number {
  return writes.kvmWrmsr + writes.vmEntryLoad + writes.vmExitLoad;
}
