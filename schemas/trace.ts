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
        description: 'the row of src/pmu/semantics.md (§3 to §5) that the write follows',
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
    index: count('its place in the trace of the host, counted from 1'),
    cpu: ref(CpuNumberSchema),
    vcpu: Type.Optional(ref(IdSchema)),
    actor: oneOf(['kvm', 'perf', 'nmi', 'cpu', 'guest'], { description: 'who made the step' }),
    at: ref(MicroStepNameSchema),
    writes: Type.Array(ref(TraceWriteSchema), { maxItems: 128, description: 'in order' }),
    note: Type.Optional(prose('what else there is to say')),
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
        description: 'the index after which to begin; the oldest kept when left out',
        examples: [17],
      }),
    ),
    limit: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: 50,
        description: 'how many items a page has at most',
        examples: [50],
      }),
    ),
  },
  {
    $id: 'TraceQuery',
    additionalProperties: false,
    description: 'which part of the trace is wanted',
    examples: [{ limit: 50 }],
  },
);
export type TraceQuery = Static<typeof TraceQuerySchema>;

export const TracePageSchema = Type.Object(
  {
    items: Type.Array(ref(TraceItemSchema), { maxItems: 1000, description: 'oldest first' }),
    next_cursor: nullable(
      Type.String({ minLength: 1, maxLength: 20, pattern: '^[0-9]+$' }),
      'the `after` of the next page; null when there is none yet',
    ),
    has_more: Type.Boolean({ description: 'whether a next page exists' }),
  },
  {
    $id: 'TracePage',
    additionalProperties: false,
    description: 'a page of the trace',
    examples: [{ items: [], next_cursor: null, has_more: false }],
  },
);
export type TracePage = Static<typeof TracePageSchema>;
