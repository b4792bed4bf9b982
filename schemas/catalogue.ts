/** The static catalogue: CPU models, kernels, invariants, micro-steps, coverage goals. */
import { type Static, Type } from 'typebox';
import { VERDICTS } from '../src/explorer/verdicts.js';
import { PLATFORM_CLASSES } from '../src/pmu/vocabulary.js';
import {
  MicroStepNameSchema,
  nullable,
  oneOf,
  pageOf,
  prose,
  ref,
  SlugSchema,
  SourcesSchema,
  U64Schema,
} from './common.js';

export const CatalogueParamsSchema = Type.Object(
  { id: ref(SlugSchema) },
  {
    $id: 'CatalogueParams',
    additionalProperties: false,
    description: 'an entry of the catalogue',
    examples: [{ id: 'emerald-rapids' }],
  },
);

export const PlatformClassSchema = oneOf(PLATFORM_CLASSES, {
  $id: 'PlatformClass',
  description:
    'the class that decides about the switch list. K1: no PEBS isolation, so a counter that is off may still write a record after VM-entry. K2: isolation, and no PEBS for guests. K3: isolation, and EPT-friendly PEBS, so guests may use it. K4: no PEBS through the DS area: architectural PEBS, or none',
  examples: ['K3'],
});
export type PlatformClass = Static<typeof PlatformClassSchema>;

export const MicrocodeRowSchema = Type.Object(
  {
    stepping: Type.Integer({ minimum: 0, maximum: 15, description: 'the stepping of the CPU' }),
    revision: ref(U64Schema, 'the first microcode revision with PEBS isolation'),
  },
  {
    $id: 'MicrocodeRow',
    additionalProperties: false,
    description: 'the microcode revision from which a stepping isolates PEBS',
    examples: [{ stepping: 2, revision: '0x0000000000000037' }],
  },
);

export const PebsTraitsSchema = Type.Object(
  {
    format: nullable(
      Type.Integer({ minimum: 0, maximum: 15 }),
      'the PEBS record format; null if it does not apply or is not known',
    ),
    kind: oneOf(['ds', 'arch', 'none'], {
      description: 'through the DS area, architectural PEBS, or none',
    }),
    baseline: Type.Boolean({ description: 'adaptive PEBS on every counter (PEBS_BASELINE)' }),
    ept: Type.Boolean({ description: 'whether perf lets KVM expose PEBS to guests' }),
    capable: ref(U64Schema, 'the counters that can do PEBS, as a mask'),
  },
  {
    $id: 'PebsTraits',
    additionalProperties: false,
    description: 'the PEBS features of a CPU model',
    examples: [{ format: 4, kind: 'ds', baseline: true, ept: true, capable: '0xffffffffffffffff' }],
  },
);

export const IsolationTraitsSchema = Type.Object(
  {
    default: Type.Boolean({ description: 'whether PEBS is isolated regardless of the microcode' }),
    microcode: Type.Array(ref(MicrocodeRowSchema), {
      maxItems: 32,
      description: 'the microcode that isolates PEBS, if the model alone does not',
    }),
  },
  {
    $id: 'IsolationTraits',
    additionalProperties: false,
    description: 'whether a disabled counter writes no PEBS record across VM-entry',
    examples: [{ default: true, microcode: [] }],
  },
);

export const CounterCountsSchema = Type.Object(
  {
    general_purpose: Type.Integer({ minimum: 0, maximum: 16, description: 'PMC0 and on' }),
    fixed: Type.Integer({ minimum: 0, maximum: 16, description: 'FIXED0 and on' }),
  },
  {
    $id: 'CounterCounts',
    additionalProperties: false,
    description: 'the number of counters',
    examples: [{ general_purpose: 8, fixed: 4 }],
  },
);

export const CpuModelSchema = Type.Object(
  {
    id: ref(SlugSchema),
    title: prose('the common name'),
    family: Type.Integer({ minimum: 0, maximum: 255, description: 'CPUID family' }),
    model: Type.Integer({ minimum: 0, maximum: 255, description: 'CPUID model' }),
    perfmon_version: Type.Integer({ minimum: 0, maximum: 15, description: 'CPUID 0AH version' }),
    counters: ref(CounterCountsSchema),
    intel_ctrl: ref(U64Schema, 'all counters perf may use, as IA32_PERF_GLOBAL_CTRL has them'),
    pebs: ref(PebsTraitsSchema),
    isolation: ref(IsolationTraitsSchema),
    load_perf_global_ctrl: Type.Boolean({
      description: 'whether the VMCS can load IA32_PERF_GLOBAL_CTRL',
    }),
    platform_class: ref(
      PlatformClassSchema,
      'its class on the newest release; GET /v1/kernels/{id} lists the classes of all models on a kernel',
    ),
    sources: ref(SourcesSchema),
  },
  {
    $id: 'CpuModel',
    additionalProperties: false,
    description: 'a CPU model, with the flags that linux-7.3.4 sets for it',
    examples: [
      {
        id: 'emerald-rapids',
        title: 'Emerald Rapids',
        family: 6,
        model: 207,
        perfmon_version: 5,
        counters: { general_purpose: 8, fixed: 4 },
        intel_ctrl: '0x0001000f000000ff',
        pebs: { format: 4, kind: 'ds', baseline: true, ept: true, capable: '0xffffffffffffffff' },
        isolation: { default: true, microcode: [] },
        load_perf_global_ctrl: true,
        platform_class: 'K3',
        sources: ['Linux 6.12.117 arch/x86/events/intel/core.c intel_pmu_init()'],
      },
    ],
  },
);
export type CpuModel = Static<typeof CpuModelSchema>;

export const KernelPatchSchema = Type.Object(
  {
    n: Type.Integer({ minimum: 1, maximum: 100, description: 'its number in the series' }),
    title: prose('the subject of the patch'),
    behavioural: Type.Boolean({ description: 'whether it changes any MSR write' }),
  },
  {
    $id: 'KernelPatch',
    additionalProperties: false,
    description: 'a patch of a kernel variant on top of its base',
    examples: [{ n: 1, title: "Don't write PEBS_ENABLED", behavioural: true }],
  },
);

export const HostOptionsSchema = Type.Object(
  {
    group_throttle: Type.Optional(
      Type.Boolean({ description: 'throttling stops the whole group, as in 6.16 and later' }),
    ),
    autoload_slots_taken: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 8,
        description:
          'slots of each MSR-load area, out of 8, that are taken by other users than perf',
      }),
    ),
  },
  {
    $id: 'HostOptions',
    additionalProperties: false,
    description: 'settings that override the kernel or fill the MSR-load areas',
    examples: [{ group_throttle: false, autoload_slots_taken: 0 }],
  },
);
export type HostOptions = Static<typeof HostOptionsSchema>;

export const KernelOptionsSchema = Type.Object(
  {
    group_throttle: Type.Boolean({ description: 'throttling stops the whole group' }),
    nmi_writes_pebs_only_if_on: Type.Boolean({
      description: 'the NMI handler writes IA32_PEBS_ENABLE only while the PMU is enabled',
    }),
    enable_all_always_writes_pebs: Type.Boolean({
      description: 'enabling the PMU writes IA32_PEBS_ENABLE even if pebs_enabled is 0',
    }),
    nmi_switches_pebs: Type.Boolean({
      description:
        'the NMI handler writes 0 to IA32_PEBS_ENABLE on entry and pebs_enabled on exit, each only if pebs_enabled is not 0 then, as in 5.6 and earlier',
    }),
    removal_narrows_data_cfg: Type.Boolean({
      description:
        'removing the second to last PEBS event loses the MSR_PEBS_DATA_CFG that perf wants, as in 6.4 to 6.8',
    }),
    throttles_idle_members: Type.Boolean({
      description:
        'throttling and the tick also stop and start group members that are off, as in 6.16.0',
    }),
    loses_moved_events: Type.Boolean({
      description:
        'the NMI handler does not find an event that was throttled when it moved to another counter, as in 6.19.0',
    }),
    zero_global_ctrl: oneOf(['no', 'write', 'pmu_off', 'drained'], {
      description: 'how IA32_PERF_GLOBAL_CTRL is zeroed before the list is built',
    }),
    post_exit_fixup: Type.Boolean({
      description: 'a stale IA32_PEBS_ENABLE is rewritten after the VM-exit loads',
    }),
  },
  {
    $id: 'KernelOptions',
    additionalProperties: false,
    description: 'the behaviour of a kernel variant where kernels differ',
    examples: [
      {
        group_throttle: false,
        nmi_writes_pebs_only_if_on: false,
        enable_all_always_writes_pebs: false,
        nmi_switches_pebs: false,
        removal_narrows_data_cfg: false,
        throttles_idle_members: false,
        loses_moved_events: false,
        zero_global_ctrl: 'no',
        post_exit_fixup: false,
      },
    ],
  },
);

export const CERTAINTIES = ['read', 'derived'] as const;

export const ModelOnKernelSchema = Type.Object(
  {
    cpu_model: ref(SlugSchema),
    platform_class: ref(PlatformClassSchema),
    known: Type.Boolean({
      description:
        'whether the kernel has a case for the model; otherwise it uses the generic branch',
    }),
    pebs: oneOf(['ds', 'arch', 'none'], {
      description: 'the kind of PEBS that the kernel detects; none if it does not know the format',
    }),
    pebs_ept: Type.Boolean({ description: 'whether perf lets KVM expose DS-based PEBS to guests' }),
    precise_ip_max: Type.Integer({
      minimum: 0,
      maximum: 3,
      description: 'the highest precise_ip; perf rejects higher ones with EOPNOTSUPP',
    }),
    certainty: oneOf(CERTAINTIES, {
      description: 'whether this was read in the source of the release or derived',
    }),
    source: prose('where it was read, or what it was derived from'),
  },
  {
    $id: 'ModelOnKernel',
    additionalProperties: false,
    description: 'how a kernel treats a CPU model',
    examples: [
      {
        cpu_model: 'emerald-rapids',
        platform_class: 'K2',
        known: true,
        pebs: 'ds',
        pebs_ept: false,
        precise_ip_max: 3,
        certainty: 'read',
        source: 'Linux 6.1.192 arch/x86/events/intel/core.c:6516',
      },
    ],
  },
);
export type ModelOnKernel = Static<typeof ModelOnKernelSchema>;

export const KernelSchema = Type.Object(
  {
    id: ref(SlugSchema),
    title: prose('the kernel in a few words'),
    summary: prose('what it does at VM-entry and VM-exit'),
    date: Type.String({
      pattern: '^[0-9]{4}(-[0-9]{2}){0,2}$',
      maxLength: 10,
      description: 'the date of the posting or release: a year, a month or a day',
      examples: ['2026-04-23'],
    }),
    base: Type.Optional(ref(SlugSchema, 'the kernel it changes')),
    patches: Type.Array(ref(KernelPatchSchema), { maxItems: 100, description: 'oldest first' }),
    certainty: oneOf(CERTAINTIES, {
      description: 'whether its code was read, or its behaviour was derived from descriptions',
    }),
    options: ref(KernelOptionsSchema, 'the options it sets'),
    cpu_models: Type.Array(ref(ModelOnKernelSchema), {
      maxItems: 64,
      description: 'how it treats each CPU model of the catalogue',
    }),
    guest_global_ctrl_at_reset: oneOf(['zero', 'general_purpose'], {
      description:
        "a new vCPU's IA32_PERF_GLOBAL_CTRL: 0, or the bits of all its general-purpose counters",
    }),
    sources: ref(SourcesSchema),
  },
  {
    $id: 'Kernel',
    additionalProperties: false,
    description: 'a kernel at a named commit or posting',
    examples: [
      {
        id: 'pebs-v2-1of4',
        title: 'Series v2, first patch',
        summary: 'Leaves IA32_PEBS_ENABLE out of the lists where PEBS is isolated.',
        date: '2026-04-23',
        base: 'linux-7.2.6',
        patches: [{ n: 1, title: "Don't write PEBS_ENABLED", behavioural: true }],
        certainty: 'derived',
        options: {
          group_throttle: true,
          nmi_writes_pebs_only_if_on: false,
          enable_all_always_writes_pebs: false,
          nmi_switches_pebs: false,
          removal_narrows_data_cfg: false,
          throttles_idle_members: false,
          loses_moved_events: false,
          zero_global_ctrl: 'no',
          post_exit_fixup: false,
        },
        cpu_models: [],
        guest_global_ctrl_at_reset: 'general_purpose',
        sources: [
          'arch/x86/events/intel/core.c intel_guest_get_msrs()',
          'v2 cover letter, 23 Apr 2026, lkml.iu.edu/2604.2/11058',
          'src/pmu/semantics.md §5c',
        ],
      },
    ],
  },
);
export type Kernel = Static<typeof KernelSchema>;

export const InvariantIdSchema = Type.String({
  $id: 'InvariantId',
  pattern: "^[A-Z][A-Za-z0-9_-]{0,15}'?$",
  minLength: 1,
  maxLength: 17,
  description: 'the id of an invariant',
  examples: ['I1', 'I3s'],
});

export const InvariantParamsSchema = Type.Object(
  { id: ref(InvariantIdSchema) },
  {
    $id: 'InvariantParams',
    additionalProperties: false,
    description: 'the invariant',
    examples: [{ id: 'I1' }],
  },
);

export const SymbolMeaningSchema = Type.Object(
  {
    symbol: Type.String({
      minLength: 1,
      maxLength: 16,
      description: 'the letters, as in the predicate or formula',
    }),
    meaning: prose('the register, field or set they stand for'),
  },
  {
    $id: 'SymbolMeaning',
    additionalProperties: false,
    description: 'the meaning of letters in a predicate or formula',
    examples: [{ symbol: 'PE', meaning: 'IA32_PEBS_ENABLE' }],
  },
);

/** The letters of the predicate or formulas beside it. */
export function symbolMeanings(description: string) {
  return Type.Array(ref(SymbolMeaningSchema), { maxItems: 64, description });
}

export const InvariantSchema = Type.Object(
  {
    id: ref(InvariantIdSchema),
    statement: prose('the invariant in words'),
    predicate: prose('the invariant as a formula'),
    symbols: symbolMeanings('the letters in the predicate'),
    where: prose('where it is checked'),
    sources: ref(SourcesSchema),
  },
  {
    $id: 'Invariant',
    additionalProperties: false,
    description: 'a condition that every state must satisfy where it is checked',
    examples: [
      {
        id: 'I1',
        statement: 'No bit of IA32_PEBS_ENABLE is set that perf does not want.',
        predicate: 'PE & ~P == 0',
        symbols: [
          { symbol: 'PE', meaning: 'IA32_PEBS_ENABLE' },
          {
            symbol: 'P',
            meaning:
              'pebs_enabled: what perf wants in IA32_PEBS_ENABLE, host and guest events alike',
          },
        ],
        where: 'at rest in the host',
        sources: [
          'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all()',
          'src/pmu/semantics.md §7.7',
        ],
      },
    ],
  },
);
export type Invariant = Static<typeof InvariantSchema>;

export const MicroStepParamsSchema = Type.Object(
  { id: ref(MicroStepNameSchema) },
  {
    $id: 'MicroStepParams',
    additionalProperties: false,
    description: 'the micro-step',
    examples: [{ id: 'k4_list_build' }],
  },
);

export const MicroStepSchema = Type.Object(
  {
    id: ref(MicroStepNameSchema),
    statement: prose('what happens'),
    nmi_may_land_after: Type.Boolean({
      description: 'whether an NMI may land right after it; an NMI in the guest causes a VM-exit',
    }),
    sources: ref(SourcesSchema),
  },
  {
    $id: 'MicroStep',
    additionalProperties: false,
    description: 'one indivisible step; NMIs land between micro-steps',
    examples: [
      {
        id: 'k4_list_build',
        statement: 'perf completes the list.',
        nmi_may_land_after: true,
        sources: ['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §4'],
      },
    ],
  },
);
export type MicroStep = Static<typeof MicroStepSchema>;

export const CoverageGoalSchema = Type.Object(
  {
    id: ref(SlugSchema),
    statement: prose('the condition that a state must satisfy'),
  },
  {
    $id: 'CoverageGoal',
    additionalProperties: false,
    description:
      'a kind of state that a search should reach, as a guard against vacuous verdicts: witnessed or unreachable',
    examples: [{ id: 'guest_entered', statement: 'A vCPU is in the guest.' }],
  },
);
export type CoverageGoal = Static<typeof CoverageGoalSchema>;

export const VerdictSchema = oneOf(VERDICTS, {
  $id: 'Verdict',
  description: 'the result of a search; undecided if a bound was reached first',
  examples: ['violated'],
});

export const CpuModelPageSchema = pageOf('CpuModelPage', CpuModelSchema, 'a page of CPU models');
export const KernelPageSchema = pageOf('KernelPage', KernelSchema, 'a page of kernels');
export const InvariantPageSchema = pageOf('InvariantPage', InvariantSchema, 'a page of invariants');
export const MicroStepPageSchema = pageOf(
  'MicroStepPage',
  MicroStepSchema,
  'a page of micro-steps',
);
export const CoverageGoalPageSchema = pageOf(
  'CoverageGoalPage',
  CoverageGoalSchema,
  'a page of coverage goals',
);
