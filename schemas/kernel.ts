/** Kernel variants: their patches and options, and what each makes of each CPU model. */
import { type Static, Type } from 'typebox';
import { oneOf, pageOf, prose, ref, SlugSchema, SourcesSchema } from './common.js';
import { PlatformClassSchema } from './cpu-model.js';

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

export const KernelPageSchema = pageOf('KernelPage', KernelSchema, 'a page of kernels');
