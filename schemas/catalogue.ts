/** The rest of the static catalogue: micro-steps, coverage goals, verdicts. */
import { type Static, Type } from 'typebox';
import { VERDICTS } from '../src/explorer/verdicts.js';
import {
  MicroStepNameSchema,
  oneOf,
  pageOf,
  prose,
  ref,
  SlugSchema,
  SourcesSchema,
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
