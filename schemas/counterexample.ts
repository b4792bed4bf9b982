/** The findings of an exploration step by step: counterexamples, and the states on a walk. */
import { type Static, Type } from 'typebox';
import { STORY_ACTORS } from '../src/model/vocabulary.js';
import {
  CpuNumberSchema,
  count,
  MicroStepNameSchema,
  nullable,
  oneOf,
  pageOf,
  prose,
  ref,
} from './common.js';
import { ExplorationIdSchema, pointOfNoReturn } from './exploration.js';
import {
  CpuRegistersSchema,
  judgedBy,
  NeighbourhoodSchema,
  region,
  regionsUnknown,
  StateIdSchema,
  stepsToViolation,
} from './exploration-graph.js';
import { propertyId } from './exploration-request.js';
import { HostCreateSchema } from './host.js';
import { EndValueSchema, whose } from './kernel-difference.js';
import { ScriptActionSchema } from './script.js';
import { registersBefore, stepMarks, TraceWriteSchema } from './trace.js';

export const CounterexampleParamsSchema = Type.Object(
  {
    exploration: ref(ExplorationIdSchema),
    counterexample: Type.String({
      pattern: "^[A-Za-z0-9_']{1,40}(-[0-9]{1,3})?$",
      minLength: 1,
      maxLength: 44,
      description:
        'the id of a counterexample: its property and its number; `I1` means `I1-0`, its first',
    }),
  },
  {
    $id: 'CounterexampleParams',
    additionalProperties: false,
    description: 'the counterexample',
    examples: [{ exploration: 'exp_1a', counterexample: 'I1-0' }],
  },
);

export const StateParamsSchema = Type.Object(
  {
    exploration: ref(ExplorationIdSchema),
    '*': Type.String({ maxLength: 15_000, description: 'the path of the state, as in 0/3/1' }),
  },
  {
    $id: 'StateParams',
    additionalProperties: false,
    description: 'a state of an exploration',
    examples: [{ exploration: 'exp_1a', '*': '0/3/1' }],
  },
);

export const CounterexampleItemSchema = Type.Object(
  {
    id: Type.String({ minLength: 3, maxLength: 44, description: 'its id' }),
    property: propertyId,
    steps: count('number of steps'),
    symmetric: count('number of symmetric violating states it stands for'),
    paths: nullable(count('number of shortest paths to them'), 'null if too many to count'),
    point_of_no_return: Type.Optional(pointOfNoReturn),
  },
  {
    $id: 'CounterexampleItem',
    additionalProperties: false,
    description: 'a counterexample in a list',
    examples: [{ id: 'I1-0', property: 'I1', steps: 3, symmetric: 1, paths: 1 }],
  },
);
export type CounterexampleItem = Static<typeof CounterexampleItemSchema>;

export const CounterexamplePageSchema = pageOf(
  'CounterexamplePage',
  CounterexampleItemSchema,
  'a page of counterexamples',
);

export const FieldChangeSchema = Type.Object(
  {
    of: whose,
    field: Type.String({ maxLength: 80, description: 'as the kernel or the SDM calls it' }),
    before: prose('its value before'),
    after: prose('its value after'),
    bits: Type.Optional(prose('of a set, if a few bits changed: those')),
  },
  {
    $id: 'FieldChange',
    additionalProperties: false,
    description: 'a field that changes',
    examples: [{ of: 'cpu0', field: 'pebs_enabled', before: 'PMC0', after: '0', bits: '-PMC0' }],
  },
);

export const CounterexampleStepSchema = Type.Object(
  {
    actor: oneOf(STORY_ACTORS, { description: 'the actor' }),
    cpu: ref(CpuNumberSchema),
    action: prose('what happens'),
    micro_step: Type.Optional(ref(MicroStepNameSchema)),
    source: Type.String({
      maxLength: 200,
      description: 'the kernel file and function, or the SDM',
    }),
    msr_writes: Type.Array(ref(TraceWriteSchema), { maxItems: 128, description: 'in order' }),
    ...stepMarks,
    state_change: Type.Array(prose('a field and its values'), {
      maxItems: 64,
      description: 'the changed fields, as text',
    }),
    changes: Type.Array(ref(FieldChangeSchema), {
      maxItems: 64,
      description: 'the changed fields, as data',
    }),
    decisions: Type.Array(prose('a reason, and the omitted action'), {
      maxItems: 8,
      description: 'decisions of the step not to act',
    }),
    folded: Type.Boolean({
      description: 'whether the step writes and changes nothing',
    }),
  },
  {
    $id: 'CounterexampleStep',
    additionalProperties: false,
    description: 'a step of a counterexample',
    examples: [
      {
        actor: 'kvm',
        cpu: 0,
        action: 'v0 runs',
        micro_step: 'k0_irq_off',
        source: 'arch/x86/kvm/x86.c vcpu_enter_guest()',
        msr_writes: [],
        desired: [],
        violated: [],
        state_change: ['vCPU thread: none -> v0'],
        changes: [{ of: 'cpu0', field: 'vCPU thread', before: 'none', after: 'v0' }],
        decisions: [],
        folded: false,
      },
    ],
  },
);
export type CounterexampleStep = Static<typeof CounterexampleStepSchema>;

export const CounterexampleSchema = Type.Object(
  {
    id: Type.String({ minLength: 3, maxLength: 44, description: 'its id' }),
    property: propertyId,
    summary: Type.String({
      maxLength: 4000,
      description:
        'what is wrong, which step wrote it, the origin of the value, and the changes since',
    }),
    path: Type.String({ maxLength: 400_000, description: 'indices of successors, as in 0/3/1' }),
    registers_before: registersBefore('the registers before the first step'),
    point_of_no_return: Type.Optional(pointOfNoReturn),
    steps: Type.Array(ref(CounterexampleStepSchema), {
      maxItems: 100_000,
      description: 'in order',
    }),
    end: Type.Array(ref(EndValueSchema), {
      maxItems: 64,
      description: 'the fields that are wrong at the end; none for a coverage goal',
    }),
    host: ref(HostCreateSchema, 'the host to replay it on: POST /v1/hosts'),
    script: Type.Array(ref(ScriptActionSchema), {
      maxItems: 1000,
      description: 'the actions: POST /v1/hosts/{host}/scripts',
    }),
  },
  {
    $id: 'Counterexample',
    additionalProperties: false,
    description: 'a shortest path to a violation',
    examples: [
      {
        id: 'I1-0',
        property: 'I1',
        summary: 'PMC0 is stuck in IA32_PEBS_ENABLE: the NMI (step 1) wrote PMC0.',
        path: '0',
        registers_before: [],
        steps: [],
        end: [],
        host: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' },
        script: [],
      },
    ],
  },
);
export type Counterexample = Static<typeof CounterexampleSchema>;

/** By part of the machine, the fields that differ from those of a new one. */
function partsOf(description: string, maxItems: number) {
  return Type.Array(Type.Array(prose('a field and its value'), { maxItems: 128 }), {
    maxItems,
    description: `${description}: the fields that are not as at boot`,
  });
}

export const WalkStateSchema = Type.Object(
  {
    id: ref(StateIdSchema),
    path: Type.String({ maxLength: 400_000, description: 'the path to this state' }),
    property: judgedBy,
    region,
    steps_to_violation: stepsToViolation,
    regions_unknown: Type.Optional(regionsUnknown),
    violated: Type.Array(propertyId, { maxItems: 24, description: 'invariants violated here' }),
    witnessed: Type.Array(propertyId, { maxItems: 24, description: 'coverage goals reached here' }),
    machine: Type.Array(prose('a field and its value'), {
      maxItems: 8,
      description: 'what belongs to no part',
    }),
    cpus: partsOf('CPU by CPU', 8),
    vcpus: partsOf('vCPU by vCPU', 16),
    events: partsOf('event by event', 64),
    registers: Type.Array(ref(CpuRegistersSchema), {
      maxItems: 8,
      description: 'CPU by CPU: where it is, and its registers as data',
    }),
    enabled: Type.Array(
      Type.Object(
        {
          path: Type.String({ maxLength: 400_000, description: 'the path after it' }),
          id: ref(StateIdSchema, 'the state after it; this one for a step that changes nothing'),
          actor: oneOf(STORY_ACTORS, { description: 'the actor' }),
          action: prose('what happens'),
          micro_step: Type.Optional(ref(MicroStepNameSchema, 'the one it executes, if any')),
          violates: Type.Array(propertyId, {
            maxItems: 24,
            description: 'invariants violated after it',
          }),
          region,
          steps_to_violation: stepsToViolation,
        },
        { additionalProperties: false },
      ),
      { maxItems: 128, description: 'the enabled actions' },
    ),
    refused: Type.Array(
      Type.Object(
        {
          action: prose('the action'),
          guards: Type.Array(prose('a guard that is false'), { maxItems: 8 }),
        },
        { additionalProperties: false },
      ),
      { maxItems: 512, description: 'the actions that are not enabled, and why' },
    ),
    neighbourhood: Type.Optional(ref(NeighbourhoodSchema, 'if asked for by `depth`')),
  },
  {
    $id: 'WalkState',
    additionalProperties: false,
    description: 'a state on the walk through a world',
    examples: [
      {
        id: '5f0c8e1b2a3d4e6f',
        path: '',
        property: 'I1',
        region: 'avoidable',
        steps_to_violation: 24,
        violated: [],
        witnessed: [],
        machine: [],
        cpus: [['IA32_PERF_GLOBAL_CTRL 0x0001000f000000ff']],
        vcpus: [],
        events: [],
        registers: [],
        enabled: [],
        refused: [],
      },
    ],
  },
);
export type WalkState = Static<typeof WalkStateSchema>;
