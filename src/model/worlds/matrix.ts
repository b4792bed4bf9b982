/** The matrix: the main race on kernels and platform classes, under prompt and late NMIs. Ids are `matrix-<kernel>-<class>-<timing>`. */
import {
  actors,
  CLASS_MODELS,
  classModel,
  HOST_PEBS,
  type Model,
  type Outcome,
  outcome,
  type PlatformClass,
  type Scenario,
  scenario,
} from './scenario.js';

const TIMINGS = ['prompt', 'late'] as const;

/** The main race (§7.3): one host PEBS event, one vCPU, throttling and foreign NMIs, the tick. */
export function mainRace(cpuModel: string, kernel: string, timing: 'prompt' | 'late'): Model {
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
type Counts = [distinctStates: number, totalStates: number, depth: number];
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
const BEFORE_SERIES = {
  ...LANDED,
  K3: [stuck(327, 660, 60), stuck(404, 922, 62)],
} as const;
/** The first half of the series: IA32_DS_AREA and MSR_PEBS_DATA_CFG are still switched for every vCPU. */
const FIRST_HALF = {
  ...LANDED,
  K3: [clear(174, 359, 41), clear(233, 552, 43)],
} as const;

/** By kernel. */
const KNOWN: Readonly<Record<string, Partial<Record<PlatformClass, Outcomes>>>> = {
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
    // The list has neither IA32_DS_AREA nor MSR_PEBS_DATA_CFG before the guest uses PEBS.
    K3: LANDED.K2,
  },
  'pebs-v2': { ...LANDED, ...ARCH_PEBS },
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
  // Changes to perf's host side leave KVM's stale list as it is.
  'pebs-handler-guard': { ...LANDED, ...ARCH_PEBS },
  'pebs-enable-all-always': { ...LANDED, ...ARCH_PEBS },
};

export const matrix: readonly Scenario[] = Object.entries(KNOWN).flatMap(([kernel, known]) =>
  (Object.keys(CLASS_MODELS) as PlatformClass[]).flatMap((platform) => {
    const cpuModel = classModel(platform, kernel);
    const outcomes = known[platform];
    return cpuModel === null || outcomes === undefined
      ? []
      : TIMINGS.map((timing, at) =>
          scenario(
            `matrix-${kernel}-${platform.toLowerCase()}-${timing}`,
            `The main race on ${kernel}, ${platform}, ${timing} NMIs`,
            mainRace(cpuModel, kernel, timing),
            outcomes[at]!,
          ),
        );
  }),
);
