/** The micro-steps of a host and the MSR writes of each, oldest first. */
import { type Static, Type } from 'typebox';
import {
  CpuNumberSchema,
  count,
  defaulted,
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

export const TraceItemSchema = Type.Object(
  {
    index: count('its index in the trace of the host, from 1'),
    cpu: ref(CpuNumberSchema),
    vcpu: Type.Optional(ref(IdSchema)),
    actor: oneOf(['kvm', 'perf', 'nmi', 'cpu', 'guest'], { description: 'the actor' }),
    at: ref(MicroStepNameSchema),
    writes: Type.Array(ref(TraceWriteSchema), { maxItems: 128, description: 'in order' }),
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
    limit: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: 50,
        description: 'the maximum number of items on a page',
        examples: [50],
      }),
    ),
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
    examples: [{ items: [], next_cursor: null, has_more: false }],
  },
);
export type TracePage = Static<typeof TracePageSchema>;
