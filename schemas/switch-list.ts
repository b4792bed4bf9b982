/** The list that perf returns to KVM before VM-entry, calculated for one given state. */
import { type Static, Type } from 'typebox';
import { MsrNameSchema, prose, ref, SlugSchema, U64InputSchema, U64Schema } from './common.js';
import { symbolMeanings } from './invariant.js';

export const CpuTraitsSchema = Type.Object(
  {
    ds_pebs: Type.Boolean({ description: 'PEBS through the DS area (x86_pmu.ds_pebs)' }),
    pebs_no_isolation: Type.Boolean({ description: 'x86_pmu.pebs_no_isolation' }),
    pebs_ept: Type.Boolean({ description: 'x86_pmu.pebs_ept' }),
    pebs_baseline: Type.Boolean({ description: 'x86_pmu.intel_cap.pebs_baseline' }),
    load_perf_global_ctrl: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'whether the VMCS can load IA32_PERF_GLOBAL_CTRL',
      }),
    ),
    pebs_capable: ref(U64InputSchema, 'x86_pmu.pebs_capable, a mask of counters'),
    intel_ctrl: ref(U64InputSchema, 'x86_pmu.intel_ctrl, the counters perf may use'),
  },
  {
    $id: 'CpuTraits',
    additionalProperties: false,
    description: 'a CPU by its traits instead of its model',
    examples: [
      {
        ds_pebs: true,
        pebs_no_isolation: false,
        pebs_ept: true,
        pebs_baseline: true,
        load_perf_global_ctrl: true,
        pebs_capable: '0xffffffffffffffff',
        intel_ctrl: '0x1000f000000ff',
      },
    ],
  },
);
export type CpuTraits = Static<typeof CpuTraitsSchema>;

export const PerfStateSchema = Type.Object(
  {
    intel_ctrl_guest_mask: ref(U64InputSchema, 'active events that count only in the guest'),
    intel_ctrl_host_mask: ref(U64InputSchema, 'active events that count only in the host'),
    pebs_enabled: ref(U64InputSchema, 'the IA32_PEBS_ENABLE that perf wants'),
    active_pebs_data_cfg: ref(U64InputSchema, 'the last value perf wrote to MSR_PEBS_DATA_CFG'),
    ds: ref(U64InputSchema, 'the address of the DS area of this CPU; 0 without one'),
  },
  {
    $id: 'PerfState',
    additionalProperties: false,
    description: "perf's own state of a CPU (struct cpu_hw_events)",
    examples: [
      {
        intel_ctrl_guest_mask: '0x0',
        intel_ctrl_host_mask: '0x1',
        pebs_enabled: '0x1',
        active_pebs_data_cfg: '0x0',
        ds: '0xfffffe0000016000',
      },
    ],
  },
);
export type PerfState = Static<typeof PerfStateSchema>;

const KvmPmuObjectSchema = Type.Object({
  ds_area: ref(U64InputSchema, "the guest's IA32_DS_AREA"),
  pebs_data_cfg: ref(U64InputSchema, "the guest's MSR_PEBS_DATA_CFG"),
  pebs_enable: ref(U64InputSchema, "the guest's IA32_PEBS_ENABLE"),
  host_cross_mapped_mask: ref(
    U64InputSchema,
    'host counters that back a guest counter of another number',
  ),
});

// One schema of two types, because a union gives poor errors.
export const KvmPmuSchema = Type.Unsafe<Static<typeof KvmPmuObjectSchema> | null>({
  $id: 'KvmPmu',
  type: ['object', 'null'],
  required: KvmPmuObjectSchema.required,
  properties: KvmPmuObjectSchema.properties,
  additionalProperties: false,
  description: "the vCPU's PMU as KVM emulates it (struct kvm_pmu), or null for none",
  examples: [
    { ds_area: '0x0', pebs_data_cfg: '0x0', pebs_enable: '0x0', host_cross_mapped_mask: '0x0' },
    null,
  ],
});
export type KvmPmu = Static<typeof KvmPmuSchema>;

/** A CPU is given either by its model or by its traits. */
export const CPU_BY_MODEL_OR_TRAITS = {
  oneOf: [{ required: ['cpu_model'] }, { required: ['cpu'] }],
};

export const SwitchListRequestSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    cpu_model: Type.Optional(ref(SlugSchema)),
    cpu: Type.Optional(ref(CpuTraitsSchema)),
    perf: ref(PerfStateSchema),
    kvm_pmu: Type.Optional(ref(KvmPmuSchema)),
  },
  {
    $id: 'SwitchListRequest',
    additionalProperties: false,
    ...CPU_BY_MODEL_OR_TRAITS,
    description: 'the state in which KVM asks perf for the list',
    examples: [
      {
        kernel: 'linux-7.2.6',
        cpu_model: 'emerald-rapids',
        perf: {
          intel_ctrl_guest_mask: '0x0',
          intel_ctrl_host_mask: '0x1',
          pebs_enabled: '0x1',
          active_pebs_data_cfg: '0x0',
          ds: '0xfffffe0000016000',
        },
        kvm_pmu: null,
      },
    ],
  },
);
export type SwitchListRequest = Static<typeof SwitchListRequestSchema>;

export const SwitchMsrSchema = Type.Object(
  {
    msr: ref(MsrNameSchema),
    host: ref(U64Schema, 'the value for the host'),
    guest: ref(U64Schema, 'the value for the guest'),
    elided: Type.Boolean({ description: 'whether KVM omits it because both values are the same' }),
    why: prose(
      'the rule of the kernel that added it, as the formula host / guest, and what KVM does with it; `symbols` explains the letters',
    ),
  },
  {
    $id: 'SwitchMsr',
    additionalProperties: false,
    description: 'an entry of the list perf returns (struct perf_guest_switch_msr)',
    examples: [
      {
        msr: 'IA32_PEBS_ENABLE',
        host: '0x0000000000000001',
        guest: '0x0000000000000000',
        elided: false,
        why: 'pebs_enabled & ~GM / host PEBS ? 0 : gp; they differ, so KVM loads it at VM-entry and VM-exit',
      },
    ],
  },
);
export type SwitchMsr = Static<typeof SwitchMsrSchema>;

export const SwitchListSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    list: Type.Array(ref(SwitchMsrSchema), {
      maxItems: 64,
      description: 'in the order the kernel returns it',
    }),
    symbols: symbolMeanings('the letters in the formulas of `why`'),
  },
  {
    $id: 'SwitchList',
    additionalProperties: false,
    description: 'the list that perf returns to KVM, and what KVM does with it',
    examples: [
      {
        kernel: 'linux-7.2.6',
        list: [
          {
            msr: 'IA32_PEBS_ENABLE',
            host: '0x0000000000000001',
            guest: '0x0000000000000000',
            elided: false,
            why: 'pebs_enabled & ~GM / host PEBS ? 0 : gp; they differ, so KVM loads it at VM-entry and VM-exit',
          },
        ],
        symbols: [
          {
            symbol: 'GM',
            meaning: 'intel_ctrl_guest_mask: the counters of active events that exclude the host',
          },
        ],
      },
    ],
  },
);
export type SwitchListAnswer = Static<typeof SwitchListSchema>;
