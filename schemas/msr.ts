/** The registers of a CPU: the values they hold, the values perf wants, and the writes. */
import { type Static, Type } from 'typebox';
import {
  BitNameSchema,
  CpuNumberSchema,
  count,
  defaulted,
  IdSchema,
  MicroStepNameSchema,
  MsrIndexSchema,
  nullable,
  oneOf,
  PmuMsrNameSchema,
  ref,
  U64Schema,
  WriteViaSchema,
} from './common.js';
import { InvariantIdSchema } from './invariant.js';

const bits = (description: string) => Type.Array(ref(BitNameSchema), { maxItems: 64, description });

const VIEW_EXAMPLE = {
  name: 'IA32_PEBS_ENABLE',
  index: '0x3f1',
  value: '0x0000000000000001',
  bits: ['PMC0'],
  desired: '0x0000000000000000',
  stuck: ['PMC0'],
  lost: [],
  vm_entry_load: '0x0000000000000000',
  vm_exit_load: '0x0000000000000001',
};

export const MsrViewSchema = Type.Object(
  {
    name: ref(PmuMsrNameSchema),
    index: ref(MsrIndexSchema),
    value: ref(U64Schema, 'the hardware value'),
    bits: bits('the counters whose bit or field is set'),
    desired: ref(U64Schema, 'the value perf wants'),
    stuck: bits('set bits that perf no longer wants'),
    lost: bits('clear bits that perf wants set'),
    vm_entry_load: Type.Optional(ref(U64Schema, 'the value the current vCPU loads at VM-entry')),
    vm_exit_load: Type.Optional(ref(U64Schema, 'the value the current vCPU loads at VM-exit')),
  },
  {
    $id: 'MsrView',
    additionalProperties: false,
    description:
      'an MSR of a CPU: the hardware value, the value perf wants, and the values in the load areas',
    examples: [VIEW_EXAMPLE],
  },
);
export type MsrView = Static<typeof MsrViewSchema>;

export const MsrQuerySchema = Type.Object(
  {
    cpu: defaulted(
      Type.Integer({
        minimum: 0,
        maximum: 7,
        default: 0,
        description: 'which CPU of the host',
        examples: [0],
      }),
    ),
  },
  {
    $id: 'MsrQuery',
    additionalProperties: false,
    description: 'the CPU to read',
    examples: [{ cpu: 0 }],
  },
);

export const MsrsSchema = Type.Object(
  {
    cpu: ref(CpuNumberSchema),
    mode: oneOf(['host', 'guest', 'shut_down'], {
      description: 'host or guest mode; shut_down after a VMX abort, until a reset',
    }),
    running_vcpu: nullable(ref(IdSchema), 'the vCPU in its run loop on this CPU, or null'),
    msrs: Type.Array(ref(MsrViewSchema), { maxItems: 16, description: 'register by register' }),
  },
  {
    $id: 'Msrs',
    additionalProperties: false,
    description: 'the switched MSRs of a CPU, and IA32_FIXED_CTR_CTRL',
    examples: [{ cpu: 0, mode: 'host', running_vcpu: null, msrs: [VIEW_EXAMPLE] }],
  },
);
export type Msrs = Static<typeof MsrsSchema>;

export const MsrWriteCountSchema = Type.Object(
  {
    msr: ref(PmuMsrNameSchema),
    via: ref(WriteViaSchema),
    count: count('number of writes'),
  },
  {
    $id: 'MsrWriteCount',
    additionalProperties: false,
    description: 'the writes of an MSR by one mechanism',
    examples: [{ msr: 'IA32_PEBS_ENABLE', via: 'vm_exit_load', count: 1 }],
  },
);
export type MsrWriteCount = Static<typeof MsrWriteCountSchema>;

export const msrWriteCounts = Type.Array(ref(MsrWriteCountSchema), {
  maxItems: 500,
  description: 'the MSR writes by register and mechanism',
});

export const ViolationPointSchema = Type.Object(
  {
    micro_step_index: count('its place in the trace of the host'),
    cpu: ref(CpuNumberSchema),
    vcpu: Type.Optional(ref(IdSchema)),
    at: ref(MicroStepNameSchema),
  },
  {
    $id: 'ViolationPoint',
    additionalProperties: false,
    description: 'the first occurrence',
    examples: [{ micro_step_index: 42, cpu: 0, vcpu: 'vcpu_2', at: 'k11_host' }],
  },
);

export const ViolationSchema = Type.Object(
  {
    invariant: ref(InvariantIdSchema),
    count: count('number of episodes: transitions from holding to violated on a CPU'),
    first_at: ref(ViolationPointSchema),
  },
  {
    $id: 'Violation',
    additionalProperties: false,
    description:
      'a violated invariant, the number of episodes, and the first; independent of how the steps are divided into requests',
    examples: [
      {
        invariant: 'I1',
        count: 1,
        first_at: { micro_step_index: 42, cpu: 0, vcpu: 'vcpu_2', at: 'k11_host' },
      },
    ],
  },
);
export type Violation = Static<typeof ViolationSchema>;

export const violationList = Type.Array(ref(ViolationSchema), {
  maxItems: 64,
  description: 'the violated invariants',
});
