/**
 * Named worlds to explore, each with the verdict that is known of it; the counts are in `counts.ts`.
 *
 * The hazards H1 to H9 are those of semantics.md §7.6. A scenario that must be violated is as welcome as one that
 * must hold.
 */
import type { Verdict } from '../../explorer/result.js';
import { reports } from './reports.js';
import {
  actors,
  CLASS_MODELS,
  classModel,
  GUEST_COUNTING,
  GUEST_PEBS,
  HOST_PEBS,
  HOST_PEBS_1,
  type Model,
  type PlatformClass,
  type Scenario,
  scenario,
} from './scenario.js';

export type { Scenario } from './scenario.js';

/** The kernels of the matrix, and on which classes the main race leaves a bit stuck: under prompt NMIs, under late ones. */
const MATRIX: readonly (readonly [string, readonly PlatformClass[], readonly PlatformClass[]])[] = [
  ['linux-7.3.4', ['K1'], ['K1']],
  ['linux-6.18.55', ['K1'], ['K1']],
  ['linux-6.12.117', ['K1'], ['K1']],
  ['linux-6.6.158', ['K1'], ['K1']],
  ['linux-6.1.192', ['K1'], ['K1']],
  ['linux-7.2.6', ['K1', 'K3'], ['K1', 'K3']],
  ['linux-6.12.107', ['K1', 'K3'], ['K1', 'K3']],
  ['linux-6.1.187', ['K1', 'K3'], ['K1', 'K3']],
  ['pebs-v1', ['K1'], ['K1']],
  ['pebs-v2', ['K1'], ['K1']],
  ['zero-global-ctrl-e1', ['K1'], ['K1']],
  ['zero-global-ctrl-e2', [], ['K1']],
  ['zero-global-ctrl-e3', [], []],
  ['post-exit-fixup', [], []],
  ['pebs-handler-guard', ['K1'], ['K1']],
  ['pebs-enable-all-always', ['K1'], ['K1']],
];

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

const matrix: readonly Scenario[] = MATRIX.flatMap(([kernel, prompt, late]) =>
  (Object.keys(CLASS_MODELS) as PlatformClass[]).flatMap((platform) => {
    const cpuModel = classModel(platform, kernel);
    return cpuModel === null
      ? []
      : TIMINGS.map((nmi_timing) => {
          const vulnerable = (nmi_timing === 'prompt' ? prompt : late).includes(platform);
          return scenario(
            `matrix-${kernel}-${platform.toLowerCase()}-${nmi_timing}`,
            `The main race on ${kernel}, ${platform}, ${nmi_timing} NMIs`,
            mainRace(cpuModel, kernel, nmi_timing),
            {
              I1: vulnerable ? 'violated' : 'holds',
              guest_entered: 'witnessed',
              event_throttled: 'witnessed',
            },
          );
        });
  }),
);

/** A world without any guest. */
function hostOnly(kernel: string, more: Partial<Model>): Model {
  return { cpu_model: 'emerald-rapids', kernel, events: [HOST_PEBS], ...more };
}

/** The newest release, one that throttles events alone, and the candidate fixes for the paths that need no guest. */
const HOST_KERNELS = [
  'linux-7.3.4',
  'linux-6.12.117',
  'pebs-handler-guard',
  'pebs-enable-all-always',
  'pebs-enable-all-recheck',
  'pebs-handler-compares-last',
  'host-side-hardened',
] as const;
type HostKernel = (typeof HOST_KERNELS)[number];

/** One scenario a kernel; `holdsOn` are those that do not leave a bit stuck this way. */
function perHostKernel(
  id: string,
  title: string,
  more: Partial<Model>,
  holdsOn: readonly HostKernel[],
): Scenario[] {
  return HOST_KERNELS.map((kernel) =>
    scenario(`${id}-${kernel}`, `${title}, on ${kernel}`, hostOnly(kernel, more), {
      I1: holdsOn.includes(kernel) ? 'holds' : 'violated',
    }),
  );
}

const GROUP: Partial<Model> = {
  events: [
    { name: 'leader', counter: 'PMC1', sample_period: 1000, exclude_guest: true },
    { ...HOST_PEBS, group_leader: 'leader' },
  ],
  actors: actors('nmi_throttle', 'pmu_section'),
};
const TWO_EVENTS: Partial<Model> = {
  events: [HOST_PEBS, HOST_PEBS_1],
  actors: actors('nmi_throttle', 'event_enable', 'event_disable'),
  // Without H3's window, so that H2 is seen by itself.
  nmi_in_e3: false,
};

/** Two fixed counters, of which one runs while the other is switched. */
const FIXED: Partial<Model> = {
  events: [
    { counter: 'FIXED0', sample_period: 100003, exclude_guest: true },
    { counter: 'FIXED1', sample_period: 100003, exclude_guest: true },
  ],
  actors: actors('nmi_throttle', 'event_enable', 'event_disable'),
};
/** Releases and candidate fixes for H11, with the verdicts under prompt and late NMIs. */
const FIXED_KERNELS: readonly (readonly [string, Verdict, Verdict])[] = [
  ['linux-7.3.4', 'holds', 'violated'],
  ['linux-6.12.117', 'holds', 'violated'],
  ['linux-6.1.192', 'holds', 'violated'],
  ['fixed-ctrl-recheck', 'holds', 'holds'],
  ['fixed-ctrl-handler-clears', 'violated', 'violated'],
  ['fixed-ctrl-always', 'holds', 'violated'],
  ['host-side-hardened', 'holds', 'holds'],
];

const hazards: readonly Scenario[] = [
  ...perHostKernel(
    'h1-group-throttle',
    'H1: a plain leader overflows and stops its PEBS sibling',
    GROUP,
    ['linux-6.12.117', 'pebs-handler-compares-last', 'host-side-hardened'],
  ),
  ...perHostKernel(
    'h2-late-pmi',
    'H2: a late PMI inside a section of two PEBS events',
    { ...TWO_EVENTS, nmi_timing: 'late' },
    ['pebs-enable-all-always', 'pebs-enable-all-recheck', 'host-side-hardened'],
  ),
  ...perHostKernel('h2-prompt', 'H2 with prompt NMIs', { ...TWO_EVENTS, nmi_timing: 'prompt' }, [
    'linux-7.3.4',
    'linux-6.12.117',
    'pebs-enable-all-always',
    'pebs-enable-all-recheck',
    'pebs-handler-compares-last',
    'host-side-hardened',
  ]),
  ...perHostKernel(
    'h3-between-read-and-write',
    'H3: a late NMI between the read of pebs_enabled and its write',
    { actors: actors('nmi_throttle', 'pmu_section'), nmi_timing: 'late' },
    ['pebs-enable-all-recheck', 'host-side-hardened'],
  ),
  scenario(
    'h1-plain-sibling-linux-7.3.4',
    'H1 by a plain sibling: it overflows and stops the PEBS leader of its group',
    hostOnly('linux-7.3.4', {
      events: [
        { ...HOST_PEBS, name: 'leader' },
        { counter: 'PMC1', sample_period: 1000, exclude_guest: true, group_leader: 'leader' },
      ],
      actors: actors('nmi_throttle', 'pmu_section'),
    }),
    { I1: 'violated' },
  ),
  ...(['linux-7.3.4', 'pebs-enable-all-recheck'] as const).map((kernel) =>
    scenario(
      `h3-tick-${kernel}`,
      `H3 inside the tick, which disables and re-enables the PMU while an event is in frequency mode, on ${kernel}`,
      hostOnly(kernel, {
        events: [{ counter: 'PMC0', precise_ip: 2, sample_freq: 4000, exclude_guest: true }],
        actors: actors('nmi_throttle', 'tick'),
        nmi_timing: 'late',
      }),
      { I1: kernel === 'linux-7.3.4' ? 'violated' : 'holds' },
    ),
  ),
  ...FIXED_KERNELS.flatMap(([kernel, prompt, late]) =>
    (['prompt', 'late'] as const).map((nmi_timing) =>
      scenario(
        `h11-fixed-ctrl-${kernel}-${nmi_timing}`,
        `H11: an NMI between the read of fixed_ctrl_val and the end of its write, ${nmi_timing} NMIs, on ${kernel}`,
        {
          ...hostOnly(kernel, FIXED),
          nmi_timing,
          ...(kernel === 'linux-6.1.192' ? { cpu_model: 'ice-lake-sp' } : {}),
        },
        { I16: nmi_timing === 'prompt' ? prompt : late },
      ),
    ),
  ),
  ...(['linux-7.3.4', 'linux-6.12.117', 'linux-6.1.192'] as const).map((kernel) =>
    scenario(
      `h12-lost-mark-${kernel}`,
      `H12: two PEBS members of a group throttle in one drain, and the first closes, on ${kernel}`,
      {
        ...hostOnly(kernel, {
          events: [
            { ...HOST_PEBS, name: 'leader' },
            { ...HOST_PEBS_1, group_leader: 'leader' },
          ],
          actors: actors('nmi_throttle', 'event_del', 'tick'),
          nmi_timing: 'late',
          // Without H3's window, which is not what this is about.
          nmi_in_e3: false,
        }),
        ...(kernel === 'linux-6.1.192' ? { cpu_model: 'ice-lake-sp' } : {}),
      },
      {
        I17: kernel === 'linux-7.3.4' ? 'violated' : 'holds',
        I18: kernel === 'linux-6.1.192' ? 'holds' : 'violated',
      },
    ),
  ),
  scenario(
    'h4-counting-without-pebs',
    'H4: an NMI between e2_enabled and e3_pebs_enable turns counters on before their PEBS bits',
    hostOnly('linux-6.12.117', { actors: actors('foreign_nmi', 'pmu_section') }),
    { I13: 'violated', I1: 'holds' },
  ),
  ...(['K1', 'K3'] as const).map((platform) =>
    scenario(
      `h5-vmfail-${platform.toLowerCase()}`,
      `H5: a failed VMLAUNCH loses the bits that were quiesced, ${platform}`,
      {
        cpu_model: CLASS_MODELS[platform],
        kernel: 'linux-7.2.6',
        events: [HOST_PEBS],
        vcpus: [{}],
        actors: actors('vmfail'),
      },
      { I2: 'violated', I1: 'holds' },
    ),
  ),
  scenario(
    'h6-microcode-load',
    'H6: a late microcode load leaves IA32_PEBS_ENABLE in the load areas for ever',
    {
      cpu_model: 'haswell-x',
      kernel: 'linux-7.2.6',
      events: [HOST_PEBS],
      vcpus: [{}],
      actors: actors('microcode_load', 'event_enable', 'event_disable'),
    },
    { I1: 'violated', I8: 'violated' },
  ),
  ...(['pebs-v1', 'pebs-v2', 'linux-6.12.117'] as const).map((kernel) =>
    scenario(
      `h7-migration-${kernel}`,
      `H7: a vCPU that used PEBS migrates, on ${kernel}`,
      {
        cpu_model: 'emerald-rapids',
        kernel,
        cpus: 2,
        vcpus: [GUEST_PEBS],
        actors: [
          { kind: 'migrate', budget: 2 },
          { kind: 'guest_wrmsr', budget: 2 },
        ],
      },
      {
        I5h: kernel === 'pebs-v1' ? 'violated' : 'holds',
        I8: kernel === 'pebs-v1' ? 'violated' : 'holds',
      },
    ),
  ),
  scenario(
    'h9-via-pt-bits-linger',
    'H9: the via-PT bits outlive the last event that wanted them',
    hostOnly('linux-6.12.117', {
      events: [{ ...HOST_PEBS, aux_output: true }, HOST_PEBS_1],
      actors: actors('event_enable', 'event_disable'),
    }),
    { via_pt_bits_linger: 'witnessed', I1: 'holds' },
  ),
  scenario(
    'global-ctrl-in-nmi',
    'An NMI throttles a guest counter: the value of IA32_PERF_GLOBAL_CTRL is wrong, its effect is not (§7.5)',
    {
      cpu_model: 'emerald-rapids',
      kernel: 'linux-6.12.117',
      vcpus: [GUEST_COUNTING],
      actors: actors('nmi_throttle', 'tick'),
      nmi_timing: 'late',
    },
    { I7: 'violated', I7e: 'holds', I1: 'holds' },
  ),
  ...(['zero-global-ctrl-e2', 'zero-global-ctrl-e3'] as const).map((kernel) =>
    scenario(
      `pmu-left-off-${kernel}`,
      `An NMI right after VM-exit finds the PMU off, and IA32_PERF_GLOBAL_CTRL stays 0, on ${kernel}`,
      {
        cpu_model: 'haswell-x',
        kernel,
        events: [HOST_PEBS],
        vcpus: [{}],
        actors: actors('foreign_nmi'),
      },
      { I7e: 'violated', I1: 'holds' },
    ),
  ),
  ...(['bpf_snapshot', 'nmi_throttle'] as const).map((kind) =>
    scenario(
      `quiescence-k1-${kind.replaceAll('_', '-')}`,
      `Quiescence on CPUs without isolation, broken by ${kind}`,
      {
        cpu_model: 'haswell-x',
        kernel: 'linux-6.12.117',
        events: [HOST_PEBS, HOST_PEBS_1],
        vcpus: [{}],
        actors: actors(kind),
        nmi_timing: 'late',
      },
      { I12: 'violated', I3o: 'violated' },
    ),
  ),
  ...(['K1', 'K2', 'K3'] as const).map((platform) =>
    scenario(
      `no-nmi-${platform.toLowerCase()}`,
      `Without NMIs every invariant holds on the landed kernel, ${platform}`,
      {
        cpu_model: CLASS_MODELS[platform],
        kernel: 'linux-6.12.117',
        events: [HOST_PEBS, HOST_PEBS_1],
        vcpus: [{}, {}],
        actors: actors('event_enable', 'event_disable', 'pmu_section', 'fastpath_reenter'),
      },
      Object.fromEntries(
        [
          'I1',
          'I2',
          "I2'",
          'I3',
          'I3o',
          'I3s',
          'I4',
          'I5g',
          'I5h',
          'I6',
          'I7',
          'I7e',
          'I8',
          'I9',
          'I10',
          'I11',
          'I12',
          'I13',
          'I15',
          'I16',
          'I17',
          'I18',
          'I19',
          'I20',
          'I21',
          'I22',
          'I23',
        ].map((id) => [id, 'holds' as const]),
      ),
    ),
  ),
];

export const SCENARIOS: readonly Scenario[] = [...matrix, ...hazards, ...reports];
/** The ids of the matrix kernel × platform class × NMI timing. */
export const MATRIX_SCENARIOS: readonly Scenario[] = matrix;

/** By id; a kernel's alias in the id of a matrix scenario will do. */
export function findScenario(id: string): Scenario | undefined {
  const canonical = canonicalId(id);
  return SCENARIOS.find((known) => known.id === canonical);
}

/** The first scenario of a world: the others differ in CPU model, kernel and verdicts alone. */
export function findWorld(world: string): Scenario | undefined {
  return SCENARIOS.find((known) => known.world === world);
}

/** The id with a kernel's alias resolved. */
export function canonicalId(id: string): string {
  return id.replace(/^matrix-upstream-base-/, 'matrix-linux-7.2.6-');
}
