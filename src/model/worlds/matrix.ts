/**
 * The matrix: the main race on every kernel of the registry, on every platform class that the kernel knows, under prompt and
 * under late NMIs. Ids are `matrix-<kernel>-<class>-<timing>`.
 *
 * Only what is known of them is written by hand. A kernel that has nothing written down takes part all the same; tests
 * print what comes out.
 */
import { findCpuModel } from '../../pmu/arch/cpu-models.js';
import { KERNELS } from '../../pmu/kernels/index.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { modelOnKernel } from '../../pmu/kernels/pmu-support.js';
import type { WorldSpec } from '../world-spec.js';
import {
  actors,
  CLASS_MODELS,
  type Counts,
  HOST_PEBS,
  newScenario,
  type Outcome,
  outcome,
  type PlatformClass,
  type Scenario,
  scenario,
} from './scenario.js';

const TIMINGS = ['prompt', 'late'] as const;
const PROPERTIES = ['I1', 'guest_entered', 'event_throttled'];

/** The main race (§7.3): one host PEBS event, one vCPU, throttling and foreign NMIs, the tick. */
export function mainRace(cpuModel: string, kernel: string, timing: 'prompt' | 'late'): WorldSpec {
  return {
    cpu_model: cpuModel,
    kernel,
    events: [HOST_PEBS],
    vcpus: [{}],
    actors: actors('nmi_throttle', 'foreign_nmi', 'tick'),
    nmi_timing: timing,
  };
}

/** What the main race comes to: a bit is left stuck (I1), or none is; under prompt NMIs, and under late ones. */
type Outcomes = readonly [prompt: Outcome, late: Outcome];
const RACED = { guest_entered: 'witnessed', event_throttled: 'witnessed' } as const;
const stuck = (...counts: Counts): Outcome => outcome({ I1: 'violated', ...RACED }, ...counts);
const clear = (...counts: Counts): Outcome => outcome({ I1: 'holds', ...RACED }, ...counts);

/** The landed series; on K1 it changes nothing. */
const LANDED = {
  K1: [stuck(288, 571, 56), stuck(354, 789, 58)],
  K2: [clear(151, 304, 33), clear(201, 461, 35)],
  K3: [clear(157, 318, 35), clear(209, 483, 37)],
} as const;
/** Architectural PEBS came with 7.x: before, perf takes no precise event on K4. */
const ARCH_PEBS = { K4: [clear(160, 328, 33), clear(216, 509, 35)] } as const;
/** IA32_PEBS_ENABLE is in the list on K3. */
const BEFORE_SERIES = { ...LANDED, K3: [stuck(327, 660, 60), stuck(404, 922, 62)] } as const;
/** The first half of the series: IA32_DS_AREA and MSR_PEBS_DATA_CFG are still switched for every vCPU. */
const FIRST_HALF = { ...LANDED, K3: [clear(174, 359, 41), clear(233, 552, 43)] } as const;

/** From 6.0 to 6.14.5 whatever is not the host's alone counts as guest PEBS: other values, and the race is as open. */
const ANY_GUEST_PEBS = { K3: [stuck(339, 687, 60), stuck(419, 961, 62)] } as const;
/** And up to 6.6 host-only counters run in the guest (OR for AND). */
const OR_FOR_AND = {
  K1: [stuck(233, 461, 56), stuck(289, 639, 58)],
  K2: [clear(154, 310, 33), clear(204, 467, 35)],
  ...ANY_GUEST_PEBS,
} as const;
/** Rechecking IA32_PEBS_ENABLE closes H3 in the tick that follows a stuck bit, and so a few states less. */
const RECHECKED = { K1: [stuck(286, 567, 55), stuck(352, 785, 57)] } as const;

/** By kernel and class. */
export const MATRIX_OUTCOMES: Readonly<Record<string, Partial<Record<PlatformClass, Outcomes>>>> = {
  'linux-7.3.4': { ...LANDED, ...ARCH_PEBS },
  'linux-6.18.55': LANDED,
  'linux-6.12.117': LANDED,
  'linux-6.6.158': LANDED,
  'linux-6.1.192': FIRST_HALF,
  'linux-7.2.6': { ...BEFORE_SERIES, ...ARCH_PEBS },
  'linux-6.12.107': BEFORE_SERIES,
  'linux-6.1.187': BEFORE_SERIES,
  'pebs-v1': {
    ...LANDED,
    ...ARCH_PEBS,
    // As on K2: no vCPU that uses no PEBS has entries.
    K3: LANDED.K2,
  },
  'pebs-v2-1of4': { ...FIRST_HALF, ...ARCH_PEBS },
  'pebs-v2-2of4': { ...LANDED, ...ARCH_PEBS },
  'pebs-v2-3of4': { ...LANDED, ...ARCH_PEBS },
  'pebs-v2-4of4': { ...LANDED, ...ARCH_PEBS },
  // An NMI turns the PMU on again, and the race is open as before.
  'zero-global-ctrl-e1': {
    K1: [stuck(364, 730, 59), stuck(459, 1061, 60)],
    K2: [clear(199, 407, 42), clear(272, 653, 43)],
    K3: [clear(209, 429, 44), clear(286, 691, 45)],
    K4: [clear(208, 431, 42), clear(287, 701, 43)],
  },
  // Open to a PMI that was pending already, which is what late NMIs are.
  'zero-global-ctrl-e2': {
    K1: [clear(181, 375, 42), stuck(453, 1017, 62)],
    K2: [clear(177, 367, 41), clear(265, 613, 44)],
    K3: [clear(181, 375, 43), clear(273, 633, 46)],
    K4: [clear(186, 391, 41), clear(280, 661, 44)],
  },
  'zero-global-ctrl-e3': {
    K1: [clear(187, 387, 44), clear(222, 520, 45)],
    K2: [clear(183, 379, 43), clear(220, 516, 44)],
    K3: [clear(187, 387, 45), clear(224, 524, 46)],
    K4: [clear(192, 403, 43), clear(235, 564, 44)],
  },
  'post-exit-fixup': {
    K1: [clear(227, 456, 41), clear(291, 666, 43)],
    K2: [clear(157, 318, 34), clear(209, 483, 36)],
    K3: [clear(163, 332, 36), clear(217, 505, 38)],
    K4: [clear(166, 342, 34), clear(224, 531, 36)],
  },
  // The list has no IA32_PEBS_ENABLE that could become stale, on K1 either; what is wrong there is I3.
  'never-switch-pebs-enable': { ...LANDED, ...ARCH_PEBS, K1: LANDED.K2 },
  'linux-6.12.27': { ...BEFORE_SERIES, ...ANY_GUEST_PEBS },
  'linux-6.6': OR_FOR_AND,
  'linux-6.4-rc2': OR_FOR_AND,
  'linux-6.1': OR_FOR_AND,
  // Not by the list but in the tick, on any class, and under prompt NMIs too: an NMI in PMU enable switches counters and PEBS
  // on, so that the event may overflow and be throttled before the value that perf has loaded is written (H3). No class K3.
  'linux-5.6': {
    K1: [stuck(340, 675, 41), stuck(423, 941, 43)],
    K2: [stuck(226, 452, 40), stuck(282, 633, 42)],
  },
  'linux-6.19': { ...BEFORE_SERIES, ...ARCH_PEBS },
  'linux-6.16': BEFORE_SERIES,
  // No guest PEBS, so no K3.
  'linux-5.11': { K1: LANDED.K1, K2: LANDED.K2 },
  'metrics-never-precise': { ...LANDED, ...ARCH_PEBS },
  // Changes to perf's host side leave KVM's stale list as it is.
  'pebs-handler-guard': { ...LANDED, ...ARCH_PEBS },
  'pebs-handler-compares-last': { ...LANDED, ...ARCH_PEBS },
  'pebs-enable-all-always': { ...LANDED, ...ARCH_PEBS },
  'pebs-enable-all-recheck': { ...LANDED, ...ARCH_PEBS, ...RECHECKED },
  'host-side-hardened': { ...LANDED, ...ARCH_PEBS, ...RECHECKED },
  'fixed-ctrl-recheck': { ...LANDED, ...ARCH_PEBS },
  'fixed-ctrl-handler-clears': { ...LANDED, ...ARCH_PEBS },
  // More steps: the read and the write of IA32_FIXED_CTR_CTRL in every PMU enable.
  'fixed-ctrl-always': {
    K1: [stuck(316, 635, 58), stuck(390, 885, 60)],
    K2: [clear(169, 346, 35), clear(225, 527, 37)],
    K3: [clear(175, 360, 37), clear(233, 549, 39)],
    K4: [clear(178, 370, 35), clear(240, 575, 37)],
  },
};

/** Before Linux 6.3 the one model of class K3 is Ice Lake-SP; elsewhere the usual model of the class comes first. */
const MODELS = [...Object.values(CLASS_MODELS), 'ice-lake-sp'].map((id) => findCpuModel(id)!);

/** The model that stands for a class on a kernel; none where perf takes no precise event on any. */
function classModel(platform: PlatformClass, kernel: KernelVariant): string | undefined {
  return MODELS.find((model) => {
    const { platformClass, caps } = modelOnKernel(kernel, model);
    return platformClass === platform && caps.precise.max > 0;
  })?.id;
}

function scenariosOf(kernel: KernelVariant, platform: PlatformClass): Scenario[] {
  const cpuModel = classModel(platform, kernel);
  if (cpuModel === undefined) return [];
  return TIMINGS.map((timing, at) => {
    const id = `matrix-${kernel.id}-${platform.toLowerCase()}-${timing}`;
    const title = `The main race on ${kernel.id}, ${platform}, ${timing} NMIs`;
    const model = mainRace(cpuModel, kernel.id, timing);
    const known = MATRIX_OUTCOMES[kernel.id]?.[platform]?.[at];
    return known === undefined
      ? newScenario(id, title, model, PROPERTIES)
      : scenario(id, title, model, known);
  });
}

export const matrix: readonly Scenario[] = KERNELS.flatMap((kernel) =>
  (Object.keys(CLASS_MODELS) as PlatformClass[]).flatMap((platform) =>
    scenariosOf(kernel, platform),
  ),
);
