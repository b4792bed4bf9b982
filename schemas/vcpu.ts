/** A vCPU of a simulated host, and its guest's writes to the PMU. */
import { type Static, Type } from 'typebox';
import {
  CounterSchema,
  CpuNumberSchema,
  count,
  GlobalCtrlFieldSchema,
  IdOrNameSchema,
  MicroStepNameSchema,
  msrValues,
  NameSchema,
  nullable,
  PmuMsrSchema,
  pageOf,
  prose,
  ref,
  U64InputSchema,
  U64Schema,
} from './common.js';
import { hostReference } from './host.js';

export const VcpuIdSchema = Type.String({
  $id: 'VcpuId',
  pattern: '^vcpu_[0-9a-z]{1,26}$',
  minLength: 6,
  maxLength: 31,
  description: 'the id of a vCPU',
  examples: ['vcpu_2'],
});

export const VcpuParamsSchema = Type.Object(
  {
    host: hostReference,
    vcpu: ref(IdOrNameSchema, 'the id of a vCPU, or its name if that is unique on the host'),
  },
  {
    $id: 'VcpuParams',
    additionalProperties: false,
    description: 'the vCPU',
    examples: [{ host: 'host_1a', vcpu: 'vcpu_2' }],
  },
);

const vpmu = Type.Boolean({ description: 'whether the guest sees a PMU' });
const pebs = Type.Boolean({
  description: 'whether IA32_PERF_CAPABILITIES of the vCPU shows PEBS (only if KVM supports it)',
});
const rtm = Type.Boolean({
  description:
    'whether the CPUID of the vCPU shows RTM, so that its guest may set IN_TX, and on PMC2 IN_TXCP; the host is assumed to have it too',
});

/** Shared by the route and the script action. */
export const VCPU_CREATE_FIELDS = {
  name: Type.Optional(ref(NameSchema)),
  vpmu: Type.Optional(vpmu),
  pebs: Type.Optional(pebs),
  rtm: Type.Optional(rtm),
  cpu: Type.Optional(ref(CpuNumberSchema)),
};

export const VcpuCreateSchema = Type.Object(VCPU_CREATE_FIELDS, {
  $id: 'VcpuCreate',
  additionalProperties: false,
  description: 'a vCPU to add; by default with a vPMU and PEBS, without RTM, on CPU 0',
  examples: [{ name: 'guest-a', vpmu: true, cpu: 0 }],
});
export type VcpuCreate = Static<typeof VcpuCreateSchema>;

export const GuestCounterSchema = Type.Object(
  {
    counter: ref(CounterSchema, 'the counter as the guest sees it'),
    host_counter: nullable(ref(CounterSchema), 'the host counter that backs it; null if none does'),
    precise_ip: Type.Integer({
      minimum: 0,
      maximum: 3,
      description: 'the precise_ip of the event that KVM opened for it',
    }),
  },
  {
    $id: 'GuestCounter',
    additionalProperties: false,
    description: 'a guest counter and what backs it',
    examples: [{ counter: 'PMC0', host_counter: 'PMC1', precise_ip: 1 }],
  },
);

const GUEST_PMU_EXAMPLE = {
  global_ctrl: '0x0000000000000001',
  global_status: '0x4000000000000000',
  pmi_pending: true,
  pebs_enable: '0x0000000000000001',
  ds_area: '0xffff888000049000',
  pebs_data_cfg: '0x0000000000000000',
  fixed_ctr_ctrl: '0x0000000000000000',
  eventsel: ['0x0000000000430076'],
  host_cross_mapped_mask: '0x0000000000000000',
  counters: [{ counter: 'PMC0', host_counter: 'PMC0', precise_ip: 1 }],
};

export const GuestPmuSchema = Type.Object(
  {
    global_ctrl: ref(U64Schema, 'IA32_PERF_GLOBAL_CTRL'),
    global_status: ref(
      U64Schema,
      'IA32_PERF_GLOBAL_STATUS; bit 62 after a PEBS counter overflowed in the guest',
    ),
    pmi_pending: Type.Boolean({
      description: 'whether a PMI is pending for the next VM-entry of the vCPU',
    }),
    pebs_enable: ref(U64Schema, 'IA32_PEBS_ENABLE'),
    ds_area: ref(U64Schema, 'IA32_DS_AREA'),
    pebs_data_cfg: ref(U64Schema, 'MSR_PEBS_DATA_CFG'),
    fixed_ctr_ctrl: ref(U64Schema, 'IA32_FIXED_CTR_CTRL'),
    eventsel: Type.Array(ref(U64Schema), {
      maxItems: 16,
      description: 'IA32_PERFEVTSEL0 and on',
    }),
    host_cross_mapped_mask: ref(
      U64Schema,
      'host counters that back a guest counter of another number',
    ),
    counters: Type.Array(ref(GuestCounterSchema), {
      maxItems: 32,
      description: 'the guest counters in use',
    }),
  },
  {
    $id: 'GuestPmu',
    additionalProperties: false,
    description: 'the PMU the guest sees, as KVM emulates it',
    examples: [GUEST_PMU_EXAMPLE],
  },
);
export type GuestPmu = Static<typeof GuestPmuSchema>;

export const VcpuSchema = Type.Object(
  {
    id: ref(VcpuIdSchema),
    name: Type.Optional(ref(NameSchema)),
    cpu: ref(CpuNumberSchema),
    vpmu,
    pebs,
    rtm,
    position: ref(MicroStepNameSchema, 'host, guest, or the micro-step it has reached in its run'),
    runs: count('number of VM-entries'),
    pmis: count('number of PMIs injected into its guest'),
    pmu: ref(GuestPmuSchema),
    vm_entry_msr_load: msrValues('its VM-entry MSR-load area'),
    vm_exit_msr_load: msrValues('its VM-exit MSR-load area'),
    global_ctrl_field: nullable(
      ref(GlobalCtrlFieldSchema),
      'its VMCS fields; null if they load nothing',
    ),
  },
  {
    $id: 'Vcpu',
    additionalProperties: false,
    description: 'a vCPU',
    examples: [
      {
        id: 'vcpu_2',
        cpu: 0,
        vpmu: true,
        pebs: true,
        rtm: false,
        position: 'host',
        runs: 0,
        pmis: 0,
        pmu: GUEST_PMU_EXAMPLE,
        vm_entry_msr_load: [],
        vm_exit_msr_load: [],
        global_ctrl_field: null,
      },
    ],
  },
);
export type Vcpu = Static<typeof VcpuSchema>;

export const VcpuPageSchema = pageOf('VcpuPage', VcpuSchema, 'a page of vCPUs');
export type VcpuPage = Static<typeof VcpuPageSchema>;

/** What a WRMSR is, also in an explored world. */
export const WRMSR_FIELDS = {
  msr: ref(PmuMsrSchema),
  value: ref(U64InputSchema, 'the value the guest writes'),
};

/** Shared by the route and the script action. */
export const WRMSR_ACTION_FIELDS = {
  ...WRMSR_FIELDS,
  reprogram: Type.Optional(
    Type.Boolean({
      description:
        'whether KVM reprograms the counters at once, as by default; otherwise advance does it, one operation each time',
    }),
  ),
};

export const WrmsrRequestSchema = Type.Object(WRMSR_ACTION_FIELDS, {
  $id: 'WrmsrRequest',
  additionalProperties: false,
  description: 'a WRMSR executed by the guest',
  examples: [{ msr: 'IA32_PEBS_ENABLE', value: '0x1' }],
});
export type WrmsrRequest = Static<typeof WrmsrRequestSchema>;

export const WrmsrSchema = Type.Object(
  {
    gp: Type.Boolean({ description: 'whether the guest takes a #GP instead' }),
    reason: Type.Optional(prose('why it takes the #GP')),
    pmu: ref(GuestPmuSchema, 'the PMU the guest sees afterwards'),
  },
  {
    $id: 'Wrmsr',
    additionalProperties: false,
    description: 'the outcome of a WRMSR by the guest',
    examples: [{ gp: false, pmu: GUEST_PMU_EXAMPLE }],
  },
);
export type Wrmsr = Static<typeof WrmsrSchema>;
