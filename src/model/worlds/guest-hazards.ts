/**
 * Hazards around VM-entry and VM-exit other than the main race: H5 to H7 of semantics.md §7.6, what NMIs do to
 * IA32_PERF_GLOBAL_CTRL and to quiescence, the warning example `never-switch-pebs-enable`, and what holds without NMIs.
 */
import { INVARIANTS } from '../../pmu/invariants/index.js';
import {
  actors,
  GUEST_COUNTING,
  GUEST_PEBS,
  HOST_PEBS,
  HOST_PEBS_1,
  onClasses,
  onKernels,
  outcome,
  type Scenario,
  scenario,
} from './scenario.js';

const lostBits = onClasses(
  'h5-vmfail',
  'H5: a failed VMLAUNCH loses the bits that were quiesced',
  { kernel: 'linux-7.2.6', events: [HOST_PEBS], vcpus: [{}], actors: actors('vmfail') },
  {
    K1: outcome({ I2: 'violated', I1: 'holds' }, 40, 41, 29),
    K3: outcome({ I2: 'violated', I1: 'holds' }, 46, 47, 33),
  },
);

const microcode: readonly Scenario[] = [
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
    outcome({ I1: 'violated', I8: 'violated' }, 363, 499, 82),
  ),
];

const migration = onKernels(
  'h7-migration',
  'H7: a vCPU that used PEBS migrates',
  {
    cpu_model: 'emerald-rapids',
    cpus: 2,
    vcpus: [GUEST_PEBS],
    actors: [
      { kind: 'migrate', budget: 2 },
      { kind: 'guest_wrmsr', budget: 2 },
    ],
  },
  {
    'pebs-v1': outcome({ I5h: 'violated', I8: 'violated' }, 3716, 3874, 156),
    'pebs-v2': outcome({ I5h: 'holds', I8: 'holds' }, 2596, 2719, 119),
    'linux-6.12.117': outcome({ I5h: 'holds', I8: 'holds' }, 2596, 2719, 119),
  },
);

const globalCtrl: readonly Scenario[] = [
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
    outcome({ I7: 'violated', I7e: 'holds', I1: 'holds' }, 549, 758, 116),
  ),
  ...onKernels(
    'pmu-left-off',
    'An NMI right after VM-exit finds the PMU off, and IA32_PERF_GLOBAL_CTRL stays 0',
    { cpu_model: 'haswell-x', events: [HOST_PEBS], vcpus: [{}], actors: actors('foreign_nmi') },
    {
      'zero-global-ctrl-e2': outcome({ I7e: 'violated', I1: 'holds' }, 49, 87, 32),
      'zero-global-ctrl-e3': outcome({ I7e: 'violated', I1: 'holds' }, 51, 91, 34),
    },
  ),
];

const quiescence: readonly Scenario[] = (
  [
    ['bpf_snapshot', outcome({ I12: 'violated', I3o: 'violated' }, 39, 65, 29)],
    ['nmi_throttle', outcome({ I12: 'violated', I3o: 'violated' }, 1049, 1795, 55)],
  ] as const
).map(([kind, known]) =>
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
    known,
  ),
);

/** PEBS is not switched off without isolation: host records may be written in the guest. */
const noQuiesce = onClasses(
  'no-quiesce',
  'IA32_PEBS_ENABLE is never switched',
  { kernel: 'never-switch-pebs-enable', events: [HOST_PEBS], vcpus: [{}] },
  {
    K1: outcome({ I3o: 'violated', I3: 'violated' }, 28, 28, 27),
    K2: outcome({ I3o: 'holds', I3: 'holds' }, 28, 28, 27),
    K3: outcome({ I3o: 'holds', I3: 'holds' }, 30, 30, 29),
  },
  [
    'arch/x86/events/intel/core.c intel_guest_get_msrs(), the branch without isolation',
    'src/pmu/semantics.md §1.5',
  ],
);

const ALL_HOLD = Object.fromEntries(INVARIANTS.map(({ id }) => [id, 'holds' as const]));

const withoutNmis = onClasses(
  'no-nmi',
  'Without NMIs every invariant holds on the landed kernel',
  {
    kernel: 'linux-6.12.117',
    events: [HOST_PEBS, HOST_PEBS_1],
    vcpus: [{}, {}],
    actors: actors('event_enable', 'event_disable', 'pmu_section', 'fastpath_reenter'),
  },
  {
    K1: outcome(ALL_HOLD, 5398, 5958, 109),
    K2: outcome(ALL_HOLD, 5270, 5830, 107),
    K3: outcome(ALL_HOLD, 5334, 5894, 111),
  },
);

export const guestHazards: readonly Scenario[] = [
  ...lostBits,
  ...microcode,
  ...migration,
  ...globalCtrl,
  ...quiescence,
  ...noQuiesce,
  ...withoutNmis,
];
