/** What a round trip costs under several kernels, CPU models and scenarios, side by side. */
import { type Static, Type } from 'typebox';
import { VerdictSchema } from './catalogue.js';
import { count, oneOf, prose, ref, SlugSchema } from './common.js';

export const COST_SCENARIOS = ['A0', 'A1', 'A1c', 'A2', 'B', 'Bc', 'C', 'C3', 'D', 'E'] as const;

export const CostScenarioSchema = oneOf(COST_SCENARIOS, {
  $id: 'CostScenario',
  description: 'a state of host and guest in which a round trip is costed',
  examples: ['Bc'],
});
export type CostScenario = Static<typeof CostScenarioSchema>;

export const ComparisonRequestSchema = Type.Object(
  {
    kernels: Type.Array(ref(SlugSchema), {
      minItems: 1,
      maxItems: 64,
      uniqueItems: true,
      description: 'the kernels; savings are relative to the first',
    }),
    cpu_models: Type.Array(ref(SlugSchema), {
      minItems: 1,
      maxItems: 16,
      uniqueItems: true,
      description: 'the CPU models',
    }),
    scenarios: Type.Optional(
      Type.Array(ref(CostScenarioSchema), {
        minItems: 1,
        maxItems: 16,
        uniqueItems: true,
        description: 'the scenarios; all by default',
      }),
    ),
    verdicts: Type.Optional(
      Type.Boolean({
        description:
          'also explore the main race on each kernel and CPU model, under prompt and late NMIs',
      }),
    ),
  },
  {
    $id: 'ComparisonRequest',
    additionalProperties: false,
    description: 'what to compare',
    examples: [
      { kernels: ['linux-7.2.6', 'pebs-v2'], cpu_models: ['emerald-rapids'], scenarios: ['Bc'] },
    ],
  },
);
export type ComparisonRequest = Static<typeof ComparisonRequestSchema>;

export const RoundTripCostSchema = Type.Object(
  {
    kvm_wrmsr: count('explicit WRMSRs by KVM (X)'),
    vm_entry_load: count('loads from the VM-entry MSR-load area (E)'),
    vm_exit_load: count('loads from the VM-exit MSR-load area (L)'),
    vmcs_field: count('loads of IA32_PERF_GLOBAL_CTRL from VMCS fields (F)'),
    msr_writes: count('kvm_wrmsr, vm_entry_load and vm_exit_load together'),
  },
  {
    $id: 'RoundTripCost',
    additionalProperties: false,
    description: 'the MSR writes of a round trip in the steady state',
    examples: [{ kvm_wrmsr: 1, vm_entry_load: 3, vm_exit_load: 3, vmcs_field: 2, msr_writes: 7 }],
  },
);

export const RaceVerdictSchema = Type.Object(
  {
    prompt: ref(VerdictSchema, 'with NMIs that arrive with the overflow'),
    late: ref(VerdictSchema, 'with NMIs that arrive any number of micro-steps later'),
  },
  {
    $id: 'RaceVerdict',
    additionalProperties: false,
    description:
      'whether the main race leaves a bit of IA32_PEBS_ENABLE stuck; unreachable if perf accepts no precise event',
    examples: [{ prompt: 'violated', late: 'violated' }],
  },
);
export type RaceVerdict = Static<typeof RaceVerdictSchema>;

export const ComparisonRowSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    cpu_model: ref(SlugSchema),
    scenario: ref(CostScenarioSchema),
    per_round_trip: ref(RoundTripCostSchema),
    saved_against_first: Type.Integer({
      minimum: -1000,
      maximum: 1000,
      description: 'MSR writes saved relative to the first kernel; negative if it writes more',
    }),
    estimated_cycles: Type.Number({
      minimum: 0,
      maximum: 1e9,
      description: 'the estimated cost in cycles',
    }),
    race: Type.Optional(ref(RaceVerdictSchema)),
    note: Type.Optional(
      prose('what was counted instead, if kernel and CPU model lack the feature of the scenario'),
    ),
  },
  {
    $id: 'ComparisonRow',
    additionalProperties: false,
    description: 'one kernel on one CPU model in one scenario',
    examples: [
      {
        kernel: 'linux-7.2.6',
        cpu_model: 'emerald-rapids',
        scenario: 'Bc',
        per_round_trip: {
          kvm_wrmsr: 1,
          vm_entry_load: 3,
          vm_exit_load: 3,
          vmcs_field: 2,
          msr_writes: 7,
        },
        saved_against_first: 0,
        estimated_cycles: 550,
      },
    ],
  },
);
export type ComparisonRow = Static<typeof ComparisonRowSchema>;

export const ComparisonSchema = Type.Object(
  {
    rows: Type.Array(ref(ComparisonRowSchema), {
      maxItems: 10240,
      description: 'by kernel, then CPU model, then scenario, in the order of the request',
    }),
  },
  {
    $id: 'Comparison',
    additionalProperties: false,
    description: 'the table',
    examples: [{ rows: [] }],
  },
);
export type Comparison = Static<typeof ComparisonSchema>;

export const ComparisonTextSchema = Type.String({
  $id: 'ComparisonText',
  maxLength: 1_000_000,
  description: 'the same table as CSV or Markdown',
  examples: ['kernel,cpu_model,scenario,kvm_wrmsr,vm_entry_load,vm_exit_load\n'],
});
