/** One script on several kernels, step beside step. */
import { type Static, Type } from 'typebox';
import { VerdictSchema } from './catalogue.js';
import {
  CpuNumberSchema,
  count,
  MicroStepNameSchema,
  nullable,
  oneOf,
  PmuMsrNameSchema,
  prose,
  ref,
  SlugSchema,
  U64InputSchema,
  U64Schema,
} from './common.js';
import { InvariantIdSchema } from './invariant.js';
import { HostOptionsSchema } from './kernel.js';
import { ScriptActionSchema } from './script.js';
import { registersBefore, TraceWriteSchema } from './trace.js';

const SIDES_MAX = 8;
const STEPS_MAX = 1000;
const DIFFERENCES_MAX = 1000;

export const RunComparisonRequestSchema = Type.Object(
  {
    kernels: Type.Array(ref(SlugSchema), {
      minItems: 2,
      maxItems: SIDES_MAX,
      uniqueItems: true,
      description: 'the kernels; each runs the script on a host of its own',
    }),
    cpu_model: ref(SlugSchema),
    microcode: Type.Optional(ref(U64InputSchema, 'the microcode revision of every CPU')),
    stepping: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 15, description: 'the stepping of the CPU' }),
    ),
    cpus: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 8, description: 'the number of CPUs' }),
    ),
    options: Type.Optional(ref(HostOptionsSchema)),
    script: Type.Array(ref(ScriptActionSchema), {
      minItems: 1,
      maxItems: 1000,
      description: 'the actions, as of a counterexample',
    }),
  },
  {
    $id: 'RunComparisonRequest',
    additionalProperties: false,
    description: 'one script for several kernels',
    examples: [
      {
        kernels: ['linux-7.2.6', 'linux-7.3.4'],
        cpu_model: 'emerald-rapids',
        script: [
          { action: 'open_event', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
          { action: 'add_vcpu', name: 'guest' },
        ],
      },
    ],
  },
);
export type RunComparisonRequest = Static<typeof RunComparisonRequestSchema>;

const actor = oneOf(['kvm', 'perf', 'nmi', 'cpu', 'guest', 'host'], { description: 'the actor' });
const action = count('which action of the script, from 0; always 0 in a schedule of a search');

export const RunStepSchema = Type.Object(
  {
    action,
    actor,
    cpu: ref(CpuNumberSchema),
    at: ref(MicroStepNameSchema),
    writes: Type.Array(ref(TraceWriteSchema), { maxItems: 128, description: 'in order' }),
    violated: Type.Array(ref(InvariantIdSchema), {
      maxItems: 64,
      description: 'invariants violated on the CPU after it',
    }),
    changed: Type.Optional(
      Type.Array(
        Type.Object(
          {
            cpu: ref(CpuNumberSchema),
            msr: ref(PmuMsrNameSchema),
            value: ref(U64Schema, 'the hardware value after it'),
            desired: ref(U64Schema, 'the value perf wants after it'),
          },
          { additionalProperties: false },
        ),
        {
          maxItems: 128,
          description:
            'the registers that hold another value than after the previous step, or in which perf wants another; absent in searches of earlier versions',
        },
      ),
    ),
  },
  {
    $id: 'RunStep',
    additionalProperties: false,
    description: 'a step of a run',
    examples: [{ action: 2, actor: 'kvm', cpu: 0, at: 'k0_irq_off', writes: [], violated: [] }],
  },
);
export type RunStep = Static<typeof RunStepSchema>;

export const RunDifferenceSchema = Type.Object(
  {
    kind: oneOf(['control', 'write', 'state', 'verdict'], {
      description:
        'control: a step that is not on every side; write: the same step writes something else; state: a register, what perf wants in it or what a vCPU loads differs after it, and did not before; verdict: other invariants are violated',
    }),
    action,
    actor: nullable(actor, 'null if no side made a step'),
    cpu: nullable(ref(CpuNumberSchema), 'null if no side made a step'),
    at: nullable(ref(MicroStepNameSchema), 'null if no side made a step'),
    index: Type.Array(nullable(count('the number of the step, from 0'), 'null if there is none'), {
      maxItems: SIDES_MAX,
      description: 'side by side',
    }),
    refused: Type.Optional(
      Type.Object(
        {
          side: count('which side'),
          detail: prose('the guard or rule that refuses the action'),
        },
        {
          additionalProperties: false,
          description: 'the side that stops here, and is no longer compared',
        },
      ),
    ),
    registers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            msr: ref(PmuMsrNameSchema),
            field: oneOf(['value', 'desired', 'vm_entry_load', 'vm_exit_load'], {
              description: 'as in MsrView',
            }),
            values: Type.Array(nullable(ref(U64Schema), 'null if there is none'), {
              maxItems: SIDES_MAX,
              description: 'side by side',
            }),
          },
          { additionalProperties: false },
        ),
        { maxItems: 64, description: 'state: what differs on the CPU now' },
      ),
    ),
    violated: Type.Optional(
      Type.Array(Type.Array(ref(InvariantIdSchema), { maxItems: 64 }), {
        maxItems: SIDES_MAX,
        description: 'verdict: the violated invariants, side by side',
      }),
    ),
  },
  {
    $id: 'RunDifference',
    additionalProperties: false,
    description: 'where runs differ',
    examples: [
      {
        kind: 'control',
        action: 2,
        actor: 'kvm',
        cpu: 0,
        at: 'k5_switch:IA32_PEBS_ENABLE',
        index: [22, null],
      },
    ],
  },
);
export type RunDifference = Static<typeof RunDifferenceSchema>;

const firstIndex = nullable(
  Type.Array(nullable(count('the number of the step, from 0'), 'null if there is none'), {
    maxItems: SIDES_MAX,
  }),
  'the step on each side; null if there is no such difference',
);

export const FirstDifferencesSchema = Type.Object(
  { control: firstIndex, write: firstIndex, state: firstIndex, verdict: firstIndex },
  {
    $id: 'FirstDifferences',
    additionalProperties: false,
    description: 'the first difference of each kind',
    examples: [{ control: [22, null], write: [29, 28], state: [22, 22], verdict: [34, 33] }],
  },
);

export const RunSideSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    verdict: ref(VerdictSchema, 'violated if an invariant was at any step, else holds'),
    registers_before: Type.Optional(
      registersBefore('the registers before the first step; absent as `changed` is'),
    ),
    steps: Type.Array(ref(RunStepSchema), {
      maxItems: STEPS_MAX,
      description: 'the steps; of an action with many transitions, those of the last ones',
    }),
    refused: nullable(
      Type.Object(
        { action, detail: prose('the guard or rule that refuses it') },
        { additionalProperties: false },
      ),
      'the action at which the run stopped; null if it came to its end',
    ),
  },
  {
    $id: 'RunSide',
    additionalProperties: false,
    description: 'the run on one kernel',
    examples: [{ kernel: 'linux-7.2.6', verdict: 'violated', steps: [], refused: null }],
  },
);

export const RUN_DIFFERENCES = {
  sides: Type.Array(ref(RunSideSchema), { maxItems: SIDES_MAX, description: 'kernel by kernel' }),
  first: ref(FirstDifferencesSchema),
  differences: Type.Array(ref(RunDifferenceSchema), {
    maxItems: DIFFERENCES_MAX,
    description: 'in the order of the run; the first 1,000',
  }),
};

export const RunComparisonSchema = Type.Object(RUN_DIFFERENCES, {
  $id: 'RunComparison',
  additionalProperties: false,
  description:
    'one script on several kernels. Steps of the same action, actor, CPU and micro-step belong together',
  examples: [
    {
      sides: [],
      first: { control: null, write: null, state: null, verdict: null },
      differences: [],
    },
  ],
});
export type RunComparison = Static<typeof RunComparisonSchema>;
