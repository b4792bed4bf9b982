/** Shared schemas: 64-bit values, names of registers and counters, ids, paging. */

import { type Static, type TSchema, type TUnsafe, Type } from 'typebox';
import { CPUS_MAX, VIA_NAMES } from '../src/pmu/vocabulary.js';

/** A schema with its own name in `components/schemas`. */
export type NamedSchema = TSchema & { $id: string };

/**
 * Refers to a named schema instead of copying it: the document, both validators and the serialiser
 * each hold one copy, and its type is kept.
 */
export function ref<S extends TSchema>(schema: S, description?: string): TUnsafe<Static<S>> {
  const { $id } = schema as { $id?: string };
  if ($id === undefined) throw new Error('Only a schema with an $id can be referred to.');
  return Type.Unsafe<Static<S>>(
    description === undefined ? { $ref: `${$id}#` } : { $ref: `${$id}#`, description },
  );
}

/** A value or null; only for answers, because a union gives poor errors in requests. */
export function nullable<S extends TSchema>(
  schema: S,
  description: string,
): TUnsafe<Static<S> | null> {
  return Type.Unsafe<Static<S> | null>({ anyOf: [schema, { type: 'null' }], description });
}

/** A string from a closed list, as JSON Schema's `enum`, so that errors list the choices. */
export function oneOf<const T extends readonly string[]>(
  values: T,
  options: Record<string, unknown> = {},
): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options });
}

/**
 * A union whose branch is chosen by one field, so that the validator reports the errors of that
 * branch alone. The branches are named schemas with a constant in the field `tag`.
 */
export function tagged<const S extends readonly TSchema[]>(
  tag: string,
  branches: S,
  options: Record<string, unknown>,
): TUnsafe<Static<S[number]>> {
  const values = branches.map((branch) => constantOf(branch, tag));
  return Type.Unsafe<Static<S[number]>>({
    type: 'object',
    properties: { [tag]: { type: 'string', enum: values, description: 'the kind' } },
    discriminator: { propertyName: tag },
    required: [tag],
    oneOf: branches.map((branch) => ref(branch)),
    ...options,
  });
}

function constantOf(branch: TSchema, tag: string): unknown {
  const { properties } = branch as { properties?: Record<string, { const?: unknown }> };
  return properties?.[tag]?.const;
}

/**
 * An optional field that a handler always finds: the validator fills in the default before it
 * checks for missing fields.
 */
export function defaulted<S extends TSchema>(schema: S & { default?: unknown }): S {
  return Type.Optional(schema) as unknown as S;
}

const SAFE_MAX = Number.MAX_SAFE_INTEGER;

/** A count: never negative, and exact in every client. */
export function count(description: string): ReturnType<typeof Type.Integer> {
  return Type.Integer({ minimum: 0, maximum: SAFE_MAX, description });
}

/** Text for people, bounded so that no answer grows without limit. */
export function prose(
  description: string,
  options: Record<string, unknown> = {},
): ReturnType<typeof Type.String> {
  return Type.String({ minLength: 1, maxLength: 2000, description, ...options });
}

/** For texts of clients that are stored: the database takes no NUL, and no half of a surrogate pair. */
export const STORABLE_TEXT = '^[^\\u0000\\ud800-\\udfff]*$';

export const U64InputSchema = Type.Unsafe<string | number>({
  $id: 'U64Input',
  type: ['string', 'integer'],
  pattern: '^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$',
  maxLength: 20,
  minimum: 0,
  description:
    'a 64-bit value: a hex string of 0x and 1 to 16 digits, a decimal string, or a JSON integer up to 2^53-1',
  examples: ['0x00000001', '4294967297', 255],
});
export type U64Input = Static<typeof U64InputSchema>;

export const U64Schema = Type.String({
  $id: 'U64',
  pattern: '^0x[0-9a-f]{16}$',
  minLength: 18,
  maxLength: 18,
  description: 'a 64-bit value as 0x and 16 lower-case hex digits',
  examples: ['0x0001000f000000ff'],
});
export type U64 = Static<typeof U64Schema>;

export const MsrIndexSchema = Type.String({
  $id: 'MsrIndex',
  pattern: '^0x[0-9a-f]{1,4}$',
  minLength: 3,
  maxLength: 6,
  description: 'the number of an MSR in hex',
  examples: ['0x3f1'],
});

export const MSR_NAMES = [
  'IA32_PERF_GLOBAL_CTRL',
  'IA32_PEBS_ENABLE',
  'IA32_DS_AREA',
  'MSR_PEBS_DATA_CFG',
] as const;

export const MsrNameSchema = oneOf(MSR_NAMES, {
  $id: 'MsrName',
  description: 'an MSR that KVM switches between host and guest, by its SDM name',
  examples: ['IA32_PEBS_ENABLE'],
});
export type MsrName = Static<typeof MsrNameSchema>;

const PMU_MSR_NAME =
  'IA32_PERF_GLOBAL_CTRL|IA32_PEBS_ENABLE|IA32_DS_AREA|MSR_PEBS_DATA_CFG|IA32_FIXED_CTR_CTRL|IA32_PERF_GLOBAL_STATUS(_RESET)?|IA32_(PERFEVTSEL|PMC)([0-9]|1[0-5])|IA32_FIXED_CTR([0-9]|1[01])';

export const PmuMsrNameSchema = Type.String({
  $id: 'PmuMsrName',
  pattern: `^(${PMU_MSR_NAME})$`,
  minLength: 9,
  maxLength: 32,
  description: 'any PMU MSR in the model, by its SDM name',
  examples: ['IA32_PERFEVTSEL0', 'IA32_FIXED_CTR_CTRL'],
});

/** The indices of the same MSRs. */
const PMU_MSR_INDEX =
  '38[d-fD-F]|390|3[fF][12]|600|18[6-9a-fA-F]|19[0-5]|[cC][1-9a-fA-F]|[dD]0|30[9a-fA-F]|31[0-4]';

export const PmuMsrSchema = Type.String({
  $id: 'PmuMsr',
  pattern: `^(${PMU_MSR_NAME}|0[xX]0{0,5}(${PMU_MSR_INDEX}))$`,
  minLength: 4,
  maxLength: 32,
  description: 'any PMU MSR in the model, by its SDM name or its index; answers have the name',
  examples: ['IA32_PEBS_ENABLE', '0x3f1'],
});

export const CounterSchema = Type.String({
  $id: 'Counter',
  pattern: '^(PMC([0-9]|1[0-5])|FIXED([0-9]|10)|VLBR|PERF_METRICS)$',
  minLength: 4,
  maxLength: 12,
  description:
    'a counter: PMC0 to PMC15 (general purpose) or FIXED0 to FIXED10; VLBR and PERF_METRICS are pseudo counters, which no CPU has but perf schedules events on',
  examples: ['PMC0', 'FIXED1'],
});
export type Counter = Static<typeof CounterSchema>;

/** A set of counters; no model has more than 32. */
export function counters(description: string): TUnsafe<string[]> {
  return Type.Unsafe<string[]>(
    Type.Array(ref(CounterSchema), { maxItems: 32, uniqueItems: true, description }),
  );
}

export const BitNameSchema = Type.String({
  $id: 'BitName',
  pattern: '^[A-Z][A-Z0-9_]{0,31}$',
  minLength: 1,
  maxLength: 32,
  description: 'a set bit of an MSR: a counter, or the name of a bit that belongs to no counter',
  examples: ['PMC0', 'FIXED0', 'PERF_METRICS'],
});

export const NameSchema = Type.String({
  $id: 'Name',
  pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$',
  minLength: 1,
  maxLength: 63,
  description: 'a name for people: 1 to 63 letters, digits, spaces, dots, underscores or dashes',
  examples: ['web-1'],
});

export const SlugSchema = Type.String({
  $id: 'Slug',
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
  minLength: 1,
  maxLength: 63,
  description: 'the id of an entry of the catalogue',
  examples: ['emerald-rapids', 'pebs-v2-1of4'],
});

export const IdSchema = Type.String({
  $id: 'Id',
  pattern: '^(host|vcpu|ev|exp)_[0-9a-z]{1,26}$',
  minLength: 4,
  maxLength: 31,
  description: 'an opaque id; its prefix tells the kind of resource',
  examples: ['host_1a', 'vcpu_2', 'ev_3'],
});

export const IdOrNameSchema = Type.String({
  $id: 'IdOrName',
  pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$',
  minLength: 1,
  maxLength: 63,
  description: 'the id of a resource, or its name if that is unique',
  examples: ['ev_3', 'cycles'],
});

export const SecondsLeftSchema = Type.Array(Type.Number({ minimum: 0, maximum: 1e12 }), {
  $id: 'SecondsLeft',
  minItems: 3,
  maxItems: 3,
  description:
    'how long it still takes (low, likely, high); absent until something can be said: for a search when its levels have clearly begun to shrink, for a campaign from a twentieth of its walks on',
  examples: [[4, 6, 12]],
});

export const TimestampSchema = Type.String({
  $id: 'Timestamp',
  format: 'date-time',
  minLength: 20,
  maxLength: 30,
  description: 'a time in UTC (RFC 3339)',
  examples: ['2026-11-23T12:00:00.000Z'],
});

export const CpuNumberSchema = Type.Integer({
  $id: 'CpuNumber',
  minimum: 0,
  maximum: CPUS_MAX - 1,
  description: 'a CPU of the host, counted from 0',
  examples: [0],
});

export const MicroStepNameSchema = Type.String({
  $id: 'MicroStepName',
  pattern: '^[a-z][a-z0-9_]*(:[A-Z0-9_]+)?$',
  minLength: 1,
  maxLength: 48,
  description: 'a micro-step; k5_switch includes the MSR it switches',
  examples: ['k4_list_build', 'k5_switch:IA32_PEBS_ENABLE', 'guest'],
});

export const WriteViaSchema = oneOf(VIA_NAMES, {
  $id: 'WriteVia',
  description: 'how a value was written to an MSR',
  examples: ['kvm_wrmsr'],
});

export const MsrValueSchema = Type.Object(
  { msr: ref(MsrNameSchema), value: ref(U64Schema) },
  {
    $id: 'MsrValue',
    additionalProperties: false,
    description: 'an MSR and the value to load',
    examples: [{ msr: 'IA32_PEBS_ENABLE', value: '0x0000000000000000' }],
  },
);

/** An entry or exit list holds at most the 8 slots KVM has. */
export function msrValues(description: string): TUnsafe<Static<typeof MsrValueSchema>[]> {
  return Type.Unsafe<Static<typeof MsrValueSchema>[]>(
    Type.Array(ref(MsrValueSchema), { maxItems: 8, description }),
  );
}

export const GlobalCtrlFieldSchema = Type.Object(
  { guest: ref(U64Schema), host: ref(U64Schema) },
  {
    $id: 'GlobalCtrlField',
    additionalProperties: false,
    description: 'the VMCS fields that load IA32_PERF_GLOBAL_CTRL at VM-entry and at VM-exit',
    examples: [{ guest: '0x0001000f000000fe', host: '0x0001000f000000ff' }],
  },
);

export const SourceSchema = Type.String({
  $id: 'Source',
  minLength: 1,
  maxLength: 300,
  description:
    'where a fact was read: a kernel file and function, a section of the SDM, a posting, or a section of src/pmu/semantics.md',
  examples: ['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §5d'],
});

export const SourcesSchema = Type.Array(ref(SourceSchema), {
  $id: 'Sources',
  minItems: 1,
  maxItems: 50,
  description:
    'where the entry was read: kernel file and function first, the section of src/pmu/semantics.md last',
  examples: [['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §5d']],
});

export const PageQuerySchema = Type.Object(
  {
    limit: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: 50,
        description: 'the maximum number of items on a page',
        examples: [50],
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        pattern: '^[A-Za-z0-9_-]+$',
        description: 'the next_cursor of the previous page',
        examples: ['NTA'],
      }),
    ),
  },
  {
    $id: 'PageQuery',
    additionalProperties: false,
    description: 'the page of a list',
    examples: [{ limit: 50 }],
  },
);
export type PageQuery = Static<typeof PageQuerySchema>;

/** The query of a list of hosts, explorations, campaigns or explanations. */
export const LIST_QUERY = {
  ...PageQuerySchema.properties,
  sort: defaulted(
    oneOf(['newest', 'oldest'], { default: 'newest', description: 'which come first' }),
  ),
  kernel: Type.Optional(ref(SlugSchema, 'only those with this kernel, or an alias of it')),
};

export interface ListQuery extends PageQuery {
  readonly sort: 'newest' | 'oldest';
  readonly kernel?: string;
}

export interface WorkQuery extends ListQuery {
  readonly state?: string;
  readonly verdict?: string;
  readonly scenario?: string;
  readonly name?: string;
  readonly observation?: string;
}

/** The envelope of every list; only the item type differs. */
export function pageOf<S extends TSchema>(
  $id: string,
  item: S,
  description: string,
): TUnsafe<{ items: Static<S>[]; next_cursor: string | null; has_more: boolean }> {
  const cursor = Type.String({ minLength: 1, maxLength: 512 });
  return Type.Unsafe<{ items: Static<S>[]; next_cursor: string | null; has_more: boolean }>(
    Type.Object(
      {
        items: Type.Array(ref(item), { maxItems: 1000, description: 'the items of this page' }),
        next_cursor: nullable(cursor, 'the cursor of the next page; null on the last page'),
        has_more: Type.Boolean({ description: 'whether there is a next page' }),
      },
      {
        $id,
        additionalProperties: false,
        description,
        examples: [{ items: [], next_cursor: null, has_more: false }],
      },
    ),
  );
}

export const NothingSchema = Type.Null({
  $id: 'Nothing',
  description: 'no body',
  examples: [null],
});

export const NoQuerySchema = Type.Object(
  {},
  {
    $id: 'NoQuery',
    additionalProperties: false,
    description: 'this route has no query parameters',
    examples: [{}],
  },
);
