/** The other actors of a host: NMIs, ticks, PMU disable and enable, migration, microcode, BPF. */
import { type Static, Type } from 'typebox';
import { CpuNumberSchema, counters, defaulted, ref, U64InputSchema } from './common.js';
import { msrViews, NMI_RESET_FIELD, OPERATION_FIELDS, OUTCOME_FIELDS } from './transition.js';

const cpu = defaulted(
  Type.Integer({
    minimum: 0,
    maximum: 7,
    default: 0,
    description: 'the CPU',
  }),
);

/** Each shared by its route and the script action. */
export const NMI_FIELDS = {
  cpu,
  overflow: Type.Optional(counters('counters that overflow without being throttled')),
  throttle: Type.Optional(counters('counters that overflow and whose events perf throttles')),
  ...NMI_RESET_FIELD,
};
export const OVERFLOW_FIELDS = {
  cpu,
  counters: Type.Unsafe<string[]>({ ...counters('counters that overflow'), minItems: 1 }),
};
export const CPU_ACTION_FIELDS = { cpu, ...OPERATION_FIELDS };
export const MIGRATE_FIELDS = { cpu: ref(CpuNumberSchema, 'the CPU to move to') };
export const MICROCODE_FIELDS = { microcode: ref(U64InputSchema, 'the revision to load') };

export const NmiRequestSchema = Type.Object(NMI_FIELDS, {
  $id: 'NmiRequest',
  additionalProperties: false,
  description: 'an NMI on a CPU; with neither list it is an NMI from another source',
  examples: [{ cpu: 0, throttle: ['PMC0'] }],
});
export type NmiRequest = Static<typeof NmiRequestSchema>;

export const CpuActionRequestSchema = Type.Object(CPU_ACTION_FIELDS, {
  $id: 'CpuActionRequest',
  additionalProperties: false,
  description:
    'a tick, a PMU disable or a PMU enable on a CPU, or the rest of the operation in progress there, with the NMIs that land in it',
  examples: [{ cpu: 0 }, { cpu: 0, micro_steps: 2 }],
});
export type CpuActionRequest = Static<typeof CpuActionRequestSchema>;

export const EventActionRequestSchema = Type.Object(OPERATION_FIELDS, {
  $id: 'EventActionRequest',
  additionalProperties: false,
  description: 'an action on a perf event, with the NMIs that land in it',
  examples: [{}, { inject: [{ at: 'd4', occurrence: 1, nmi: { throttle: ['PMC0'] } }] }],
});
export type EventActionRequest = Static<typeof EventActionRequestSchema>;

export const MigrateRequestSchema = Type.Object(MIGRATE_FIELDS, {
  $id: 'MigrateRequest',
  additionalProperties: false,
  description: 'the CPU a vCPU moves to',
  examples: [{ cpu: 1 }],
});
export type MigrateRequest = Static<typeof MigrateRequestSchema>;

export const ActorOutcomeSchema = Type.Object(
  { cpu: ref(CpuNumberSchema), msrs: msrViews, ...OUTCOME_FIELDS },
  {
    $id: 'ActorOutcome',
    additionalProperties: false,
    description: 'the outcome of an action on a CPU',
    examples: [{ cpu: 0, msrs: [], msr_writes: [], throttles: 0, violations: [] }],
  },
);
export type ActorOutcome = Static<typeof ActorOutcomeSchema>;
