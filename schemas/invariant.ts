/** Invariants, and the letters of their predicates. */
import { type Static, Type } from 'typebox';
import { pageOf, prose, ref, SourcesSchema } from './common.js';

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

export const InvariantPageSchema = pageOf('InvariantPage', InvariantSchema, 'a page of invariants');
