/** The micro-steps of a host and the MSR writes of each, oldest first. */
import { type Static, Type } from 'typebox';
import { CPUS_MAX } from '../src/pmu/vocabulary.js';
import {
  CpuNumberSchema,
  count,
  IdSchema,
  MicroStepNameSchema,
  nullable,
  oneOf,
  PmuMsrNameSchema,
  prose,
  ref,
  U64Schema,
  WriteViaSchema,
} from './common.js';
import { exportFields } from './export.js';
import { InvariantIdSchema } from './invariant.js';

export const TraceWriteSchema = Type.Object(
  {
    msr: ref(PmuMsrNameSchema),
    via: ref(WriteViaSchema),
    value: ref(U64Schema),
    row: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 16,
        pattern: "^[A-Za-z0-9_]+'?$",
        description: 'the row of src/pmu/semantics.md (§3 to §5) that describes the write',
        examples: ['e6'],
      }),
    ),
  },
  {
    $id: 'TraceWrite',
    additionalProperties: false,
    description: 'one write of an MSR',
    examples: [
      { msr: 'IA32_PEBS_ENABLE', via: 'kvm_wrmsr', value: '0x0000000000000000', row: 'k5' },
    ],
  },
);
export type TraceWrite = Static<typeof TraceWriteSchema>;

const violatedList = Type.Array(ref(InvariantIdSchema), {
  maxItems: 64,
  description: 'the invariants that are violated on this CPU then',
});

export const RegistersBeforeSchema = Type.Object(
  {
    cpu: ref(CpuNumberSchema),
    msrs: Type.Array(
      Type.Object(
        {
          msr: ref(PmuMsrNameSchema),
          value: ref(U64Schema, 'the hardware value'),
          desired: ref(U64Schema, 'the value perf wants while the host runs'),
        },
        { additionalProperties: false },
      ),
      { maxItems: 16, description: 'the switched MSRs, and IA32_FIXED_CTR_CTRL' },
    ),
    violated: violatedList,
  },
  {
    $id: 'RegistersBefore',
    additionalProperties: false,
    description: 'the registers of a CPU at one moment',
    examples: [
      {
        cpu: 0,
        msrs: [
          {
            msr: 'IA32_PEBS_ENABLE',
            value: '0x0000000000000001',
            desired: '0x0000000000000001',
          },
        ],
        violated: [],
      },
    ],
  },
);

export const registersBefore = (description: string) =>
  Type.Array(ref(RegistersBeforeSchema), { maxItems: CPUS_MAX, description });

export const DesiredValueSchema = Type.Object(
  {
    cpu: ref(CpuNumberSchema),
    msr: ref(PmuMsrNameSchema),
    value: ref(U64Schema, 'the value perf wants from now on'),
  },
  {
    $id: 'DesiredValue',
    additionalProperties: false,
    description: 'a register in which perf now wants another value',
    examples: [{ cpu: 0, msr: 'IA32_PEBS_ENABLE', value: '0x0000000000000000' }],
  },
);

/** What a step of a trace or of a counterexample says of the registers besides its writes. */
export const stepMarks = {
  desired: Type.Array(ref(DesiredValueSchema), {
    maxItems: 64,
    description: 'where the value that perf wants changed',
  }),
  violated: violatedList,
};

export const GuestWriteSchema = Type.Object(
  {
    msr: ref(PmuMsrNameSchema),
    value: ref(U64Schema),
    gp: Type.Boolean({ description: 'whether it takes a #GP; the register stays as it is then' }),
  },
  {
    $id: 'GuestWrite',
    additionalProperties: false,
    description: 'a WRMSR that the guest executes',
    examples: [{ msr: 'IA32_PEBS_ENABLE', value: '0x0000000000000002', gp: false }],
  },
);
export type GuestWriteItem = Static<typeof GuestWriteSchema>;

export const TraceItemSchema = Type.Object(
  {
    index: count('its index in the trace of the host, from 1'),
    cpu: ref(CpuNumberSchema),
    vcpu: Type.Optional(ref(IdSchema)),
    actor: oneOf(['kvm', 'perf', 'nmi', 'cpu', 'guest'], { description: 'the actor' }),
    at: ref(MicroStepNameSchema),
    registers_before: Type.Optional(
      registersBefore(
        'the registers before it, if something changed since the previous item in steps that were not traced',
      ),
    ),
    writes: Type.Array(ref(TraceWriteSchema), { maxItems: 128, description: 'in order' }),
    guest_write: Type.Optional(ref(GuestWriteSchema)),
    ...stepMarks,
    note: Type.Optional(prose('further details')),
  },
  {
    $id: 'TraceItem',
    additionalProperties: false,
    description: 'one micro-step',
    examples: [
      {
        index: 17,
        cpu: 0,
        vcpu: 'vcpu_2',
        actor: 'kvm',
        at: 'k5_switch:IA32_PEBS_ENABLE',
        writes: [
          { msr: 'IA32_PEBS_ENABLE', via: 'kvm_wrmsr', value: '0x0000000000000000', row: 'k5' },
        ],
        desired: [],
        violated: [],
      },
    ],
  },
);
export type TraceItem = Static<typeof TraceItemSchema>;

export const TraceQuerySchema = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'begin after this index; by default with the oldest stored',
        examples: [17],
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description:
          'the maximum number of items; by default 50 on a page of JSON, and 1000 in files',
        examples: [50],
      }),
    ),
    ...exportFields,
  },
  {
    $id: 'TraceQuery',
    additionalProperties: false,
    description: 'the part of the trace to return',
    examples: [{ limit: 50 }],
  },
);
export type TraceQuery = Static<typeof TraceQuerySchema>;

export const TracePageSchema = Type.Object(
  {
    registers_before: nullable(
      registersBefore('CPU by CPU'),
      'the registers before the first item; null if an earlier version of the service stored the trace',
    ),
    items: Type.Array(ref(TraceItemSchema), { maxItems: 1000, description: 'oldest first' }),
    next_cursor: nullable(
      Type.String({ minLength: 1, maxLength: 20, pattern: '^[0-9]+$' }),
      'the `after` of the next page; null if there is none yet',
    ),
    has_more: Type.Boolean({ description: 'whether there is a next page' }),
  },
  {
    $id: 'TracePage',
    additionalProperties: false,
    description: 'a page of the trace',
    examples: [{ registers_before: [], items: [], next_cursor: null, has_more: false }],
  },
);
export type TracePage = Static<typeof TracePageSchema>;
