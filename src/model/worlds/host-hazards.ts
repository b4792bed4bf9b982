/**
 * Hazards of perf's host side, which need no guest: H1 to H4, H9, H11 and H12 of semantics.md §7.6, on releases and on the
 * candidate fixes; and the reset after 100 loops (§3.3).
 */

import type { WorldSpec } from '../world-spec.js';
import {
  actors,
  type Counts,
  HOST_PEBS,
  HOST_PEBS_1,
  type Outcome,
  onKernels,
  outcome,
  type Scenario,
  scenario,
} from './scenario.js';

/** A world without any guest. */
const HOST_ONLY = { cpu_model: 'emerald-rapids', events: [HOST_PEBS] };

/** What comes out where only I1 is asked for: a bit is left stuck, or none is. */
const stuck = (...counts: Counts): Outcome => outcome({ I1: 'violated' }, ...counts);
const clear = (...counts: Counts): Outcome => outcome({ I1: 'holds' }, ...counts);

const GROUP: Omit<WorldSpec, 'kernel'> = {
  ...HOST_ONLY,
  events: [
    { name: 'leader', counter: 'PMC1', sample_period: 1000, exclude_guest: true },
    { ...HOST_PEBS, group_leader: 'leader' },
  ],
  actors: actors('nmi_throttle', 'pmu_section'),
};
const TWO_EVENTS: Omit<WorldSpec, 'kernel'> = {
  ...HOST_ONLY,
  events: [HOST_PEBS, HOST_PEBS_1],
  actors: actors('nmi_throttle', 'event_enable', 'event_disable'),
  // Without H3's window, so that H2 is seen by itself.
  nmi_in_e3: false,
};

/** The newest release, one that throttles events alone, and the candidate fixes for the paths that need no guest. */
type HostKernel =
  | 'linux-7.3.4'
  | 'linux-6.12.117'
  | 'pebs-handler-guard'
  | 'pebs-enable-all-always'
  | 'pebs-enable-all-recheck'
  | 'pebs-handler-compares-last'
  | 'host-side-hardened';

const stuckBits: readonly Scenario[] = [
  ...onKernels<HostKernel>(
    'h1-group-throttle',
    'H1: a plain leader overflows and stops its PEBS sibling',
    GROUP,
    {
      'linux-7.3.4': stuck(29, 33, 9),
      'linux-6.12.117': clear(39, 47, 10),
      'pebs-handler-guard': stuck(28, 32, 9),
      'pebs-enable-all-always': stuck(26, 30, 9),
      'pebs-enable-all-recheck': stuck(26, 30, 9),
      'pebs-handler-compares-last': clear(19, 23, 9),
      'host-side-hardened': clear(23, 27, 9),
    },
  ),
  ...onKernels<HostKernel>(
    'h2-late-pmi',
    'H2: a late PMI inside a section of two PEBS events',
    { ...TWO_EVENTS, nmi_timing: 'late' },
    {
      'linux-7.3.4': stuck(737, 1349, 33),
      'linux-6.12.117': stuck(737, 1349, 33),
      'pebs-handler-guard': stuck(868, 1485, 33),
      'pebs-enable-all-always': clear(661, 1269, 33),
      'pebs-enable-all-recheck': clear(661, 1269, 33),
      'pebs-handler-compares-last': stuck(737, 1349, 33),
      'host-side-hardened': clear(713, 1321, 33),
    },
  ),
  ...onKernels<HostKernel>(
    'h2-prompt',
    'H2 with prompt NMIs',
    { ...TWO_EVENTS, nmi_timing: 'prompt' },
    {
      'linux-7.3.4': clear(143, 170, 30),
      'linux-6.12.117': clear(143, 170, 30),
      'pebs-handler-guard': stuck(291, 324, 30),
      'pebs-enable-all-always': clear(143, 170, 30),
      'pebs-enable-all-recheck': clear(143, 170, 30),
      'pebs-handler-compares-last': clear(143, 170, 30),
      'host-side-hardened': clear(197, 224, 30),
    },
  ),
  ...onKernels<HostKernel>(
    'h3-between-read-and-write',
    'H3: a late NMI between the read of pebs_enabled and its write',
    { ...HOST_ONLY, actors: actors('nmi_throttle', 'pmu_section'), nmi_timing: 'late' },
    {
      'linux-7.3.4': stuck(55, 84, 19),
      'linux-6.12.117': stuck(55, 84, 19),
      'pebs-handler-guard': stuck(55, 84, 12),
      'pebs-enable-all-always': stuck(52, 81, 16),
      'pebs-enable-all-recheck': clear(45, 74, 11),
      'pebs-handler-compares-last': stuck(55, 84, 19),
      'host-side-hardened': clear(49, 78, 11),
    },
  ),
  scenario(
    'h1-plain-sibling-linux-7.3.4',
    'H1 by a plain sibling: it overflows and stops the PEBS leader of its group',
    {
      ...HOST_ONLY,
      kernel: 'linux-7.3.4',
      events: [
        { ...HOST_PEBS, name: 'leader' },
        { counter: 'PMC1', sample_period: 1000, exclude_guest: true, group_leader: 'leader' },
      ],
      actors: actors('nmi_throttle', 'pmu_section'),
    },
    stuck(29, 33, 9),
  ),
  ...onKernels(
    'h3-tick',
    'H3 inside the tick, which disables and re-enables the PMU while an event is in frequency mode',
    {
      ...HOST_ONLY,
      events: [{ counter: 'PMC0', precise_ip: 2, sample_freq: 4000, exclude_guest: true }],
      actors: actors('nmi_throttle', 'tick'),
      nmi_timing: 'late',
    },
    { 'linux-7.3.4': stuck(67, 101, 18), 'pebs-enable-all-recheck': clear(59, 93, 13) },
  ),
];

/** Two fixed counters, of which one runs while the other is switched. */
const FIXED: Partial<WorldSpec> = {
  events: [
    { counter: 'FIXED0', sample_period: 100003, exclude_guest: true },
    { counter: 'FIXED1', sample_period: 100003, exclude_guest: true },
  ],
  actors: actors('nmi_throttle', 'event_enable', 'event_disable'),
};
const fixedStuck = (...counts: Counts): Outcome => outcome({ I16: 'violated' }, ...counts);
const fixedClear = (...counts: Counts): Outcome => outcome({ I16: 'holds' }, ...counts);

/** Releases and candidate fixes for H11: under prompt NMIs, and under late ones. */
const FIXED_KERNELS: Readonly<Record<string, readonly [prompt: Outcome, late: Outcome]>> = {
  'linux-7.3.4': [fixedClear(257, 284, 34), fixedStuck(1399, 2571, 60)],
  'linux-6.12.117': [fixedClear(257, 284, 34), fixedStuck(1399, 2571, 60)],
  'linux-6.1.192': [fixedClear(257, 284, 34), fixedStuck(1399, 2571, 60)],
  'fixed-ctrl-recheck': [fixedClear(257, 284, 34), fixedClear(1096, 2141, 40)],
  'fixed-ctrl-handler-clears': [fixedStuck(439, 476, 33), fixedStuck(2113, 4045, 64)],
  'fixed-ctrl-always': [fixedClear(269, 296, 36), fixedStuck(1265, 2359, 40)],
  'host-side-hardened': [fixedClear(257, 284, 34), fixedClear(1096, 2141, 40)],
};

const stuckFixed: readonly Scenario[] = Object.entries(FIXED_KERNELS).flatMap(
  ([kernel, outcomes]) =>
    (['prompt', 'late'] as const).map((nmi_timing, at) =>
      scenario(
        `h11-fixed-ctrl-${kernel}-${nmi_timing}`,
        `H11: an NMI between the read of fixed_ctrl_val and the end of its write, ${nmi_timing} NMIs, on ${kernel}`,
        { ...HOST_ONLY, ...FIXED, kernel, nmi_timing, ...cpuModelOf61(kernel) },
        outcomes[at]!,
      ),
    ),
);

/** On 6.1 the one model of class K3 is Ice Lake-SP. */
function cpuModelOf61(kernel: string): Partial<WorldSpec> {
  return kernel === 'linux-6.1.192' ? { cpu_model: 'ice-lake-sp' } : {};
}

const lostMarks: readonly Scenario[] = Object.entries({
  'linux-7.3.4': outcome({ I17: 'violated', I18: 'violated' }, 307, 517, 25),
  'linux-6.12.117': outcome({ I17: 'holds', I18: 'violated' }, 733, 1288, 25),
  'linux-6.1.192': outcome({ I17: 'holds', I18: 'holds' }, 922, 1772, 37),
}).map(([kernel, known]) =>
  scenario(
    `h12-lost-mark-${kernel}`,
    `H12: two PEBS members of a group throttle in one drain, and the first closes, on ${kernel}`,
    {
      ...HOST_ONLY,
      kernel,
      events: [
        { ...HOST_PEBS, name: 'leader' },
        { ...HOST_PEBS_1, group_leader: 'leader' },
      ],
      actors: actors('nmi_throttle', 'event_del', 'tick'),
      nmi_timing: 'late',
      // Without H3's window, which is not what this is about.
      nmi_in_e3: false,
      ...cpuModelOf61(kernel),
    },
    known,
  ),
);

const others: readonly Scenario[] = [
  scenario(
    'h4-counting-without-pebs',
    'H4: an NMI between e2_enabled and e3_pebs_enable turns counters on before their PEBS bits',
    { ...HOST_ONLY, kernel: 'linux-6.12.117', actors: actors('foreign_nmi', 'pmu_section') },
    outcome({ I13: 'violated', I1: 'holds' }, 15, 30, 9),
  ),
  scenario(
    'h9-via-pt-bits-linger',
    'H9: the via-PT bits outlive the last event that wanted them',
    {
      ...HOST_ONLY,
      kernel: 'linux-6.12.117',
      events: [{ ...HOST_PEBS, aux_output: true }, HOST_PEBS_1],
      actors: actors('event_enable', 'event_disable'),
    },
    outcome({ via_pt_bits_linger: 'witnessed', I1: 'holds' }, 117, 123, 40),
  ),
  scenario(
    'reset-after-100-loops',
    'A status that never clears: the NMI handler resets the PMU, and events that perf counts as active stand still until they are scheduled again',
    {
      ...HOST_ONLY,
      kernel: 'linux-7.3.4',
      actors: [
        { kind: 'nmi_reset', budget: 1 },
        ...actors('tick', 'event_enable', 'event_disable'),
      ],
    },
    outcome({ I17: 'violated', I1: 'holds', I2: 'holds' }, 64, 85, 25),
    ['arch/x86/events/intel/core.c intel_pmu_reset()', 'src/pmu/semantics.md §3.3'],
  ),
];

export const hostHazards: readonly Scenario[] = [
  ...stuckBits,
  ...stuckFixed,
  ...lostMarks,
  ...others,
];
