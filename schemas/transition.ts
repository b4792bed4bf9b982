/** Moves a vCPU between host and guest, with NMIs landing at micro-steps that the client chooses. */

import { type Static, Type } from 'typebox';
import { EXIT_REASONS } from '../src/pmu/vocabulary.js';
import { count, counters, defaulted, MicroStepNameSchema, oneOf, ref } from './common.js';
import { MsrViewSchema, msrWriteCounts, violationList } from './msr.js';
import { TraceItemSchema } from './trace.js';

/** Shared by an injected NMI and the NMI action. */
export const NMI_RESET_FIELD = {
  reset: Type.Optional(
    Type.Boolean({
      description:
        'its status never clears, and after 100 loops the handler resets the PMU: selectors and counters to 0, IA32_PEBS_ENABLE as it was',
    }),
  ),
};

export const NmiSchema = Type.Object(
  {
    overflow: Type.Optional(counters('counters that overflow without being throttled')),
    throttle: Type.Optional(counters('counters that overflow and whose events perf throttles')),
    ...NMI_RESET_FIELD,
    bpf_snapshot: Type.Optional(
      Type.Boolean({
        description: 'a BPF program takes a branch snapshot; the NMI does nothing else',
      }),
    ),
  },
  {
    $id: 'Nmi',
    additionalProperties: false,
    description: 'the causes of an NMI; with neither list it is an NMI from another source',
    examples: [{ throttle: ['PMC0'] }],
  },
);
export type Nmi = Static<typeof NmiSchema>;

const INJECTION_EXAMPLE = {
  at: 'k5_switch:IA32_PEBS_ENABLE',
  occurrence: 1,
  nmi: { throttle: ['PMC0'] },
};

export const InjectionSchema = Type.Object(
  {
    at: ref(MicroStepNameSchema),
    occurrence: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 10_000_000,
        default: 1,
        description: 'the pass over the micro-step within this request, from 1',
      }),
    ),
    nmi: Type.Optional(ref(NmiSchema)),
    overflow: Type.Optional(
      Type.Unsafe<string[]>({
        ...counters('instead of an NMI: counters that overflow, with their NMI to come later'),
        minItems: 1,
      }),
    ),
  },
  {
    $id: 'Injection',
    additionalProperties: false,
    oneOf: [{ required: ['nmi'] }, { required: ['overflow'] }],
    description:
      'an NMI or an overflow whose NMI is late, right after a micro-step; exactly one of the two',
    examples: [INJECTION_EXAMPLE, { at: 'k9_vmlaunch', occurrence: 1, overflow: ['PMC0'] }],
  },
);
export type Injection = Static<typeof InjectionSchema>;

/** Shared by every action during which an NMI can land. */
export const INJECT_FIELD = {
  inject: Type.Optional(
    Type.Array(ref(InjectionSchema), {
      maxItems: 64,
      description: 'the NMIs and late overflows to inject',
    }),
  ),
};

/** Shared by every action that starts an operation of the host or continues one. */
export const OPERATION_FIELDS = {
  ...INJECT_FIELD,
  micro_steps: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description: 'leave the operation after this many micro-steps; advance makes the rest',
    }),
  ),
};

export const TRANSITION_KINDS = ['vm_entry', 'vm_exit', 'round_trip', 'micro_step'] as const;

/** Shared by the route and the script action. */
export const TRANSITION_FIELDS = {
  kind: oneOf(TRANSITION_KINDS, { description: 'the extent of each transition' }),
  count: defaulted(
    Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 1,
      description: 'number of transitions',
    }),
  ),
  exit_reason: defaulted(
    oneOf(EXIT_REASONS, {
      default: 'external_interrupt',
      description: 'the reason of the VM-exit, or of the failed VM-entry',
    }),
  ),
  ...INJECT_FIELD,
  trace: defaulted(
    Type.Boolean({ default: false, description: 'whether to return the micro-steps' }),
  ),
};

export const TransitionRequestSchema = Type.Object(TRANSITION_FIELDS, {
  $id: 'TransitionRequest',
  additionalProperties: false,
  description: 'transitions of one vCPU',
  examples: [
    { kind: 'round_trip', count: 1000, exit_reason: 'external_interrupt', trace: false },
    {
      kind: 'round_trip',
      count: 1,
      exit_reason: 'external_interrupt',
      inject: [INJECTION_EXAMPLE],
      trace: true,
    },
  ],
});
export type TransitionRequest = Static<typeof TransitionRequestSchema>;

/** Counts over an action. */
export const OUTCOME_FIELDS = {
  msr_writes: msrWriteCounts,
  throttles: count('number of throttled events'),
  violations: violationList,
};

/** The registers of a CPU after an action. */
export const msrViews = Type.Array(ref(MsrViewSchema), {
  maxItems: 16,
  description: 'the switched MSRs afterwards',
});

export const TransitionSchema = Type.Object(
  {
    transitions: count('number of transitions'),
    micro_steps: count('number of micro-steps'),
    position: ref(MicroStepNameSchema, 'the position of the vCPU'),
    msrs: msrViews,
    ...OUTCOME_FIELDS,
    trace: Type.Optional(
      Type.Array(ref(TraceItemSchema), {
        maxItems: 10_000,
        description: 'the micro-steps, oldest first; only the last ones if there are too many',
      }),
    ),
  },
  {
    $id: 'Transition',
    additionalProperties: false,
    description: 'the outcome of the transitions',
    examples: [
      {
        transitions: 1,
        micro_steps: 22,
        position: 'host',
        msrs: [],
        msr_writes: [{ msr: 'IA32_PEBS_ENABLE', via: 'kvm_wrmsr', count: 1 }],
        throttles: 1,
        violations: [],
      },
    ],
  },
);
export type Transition = Static<typeof TransitionSchema>;
