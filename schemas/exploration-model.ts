/** A world to explore: its parts, and how often each actor may act. */
import { type Static, Type } from 'typebox';
import { ACTOR_ACTS, ACTOR_KINDS, NMI_TIMINGS } from '../src/model/vocabulary.js';
import { oneOf, ref, SlugSchema, U64InputSchema } from './common.js';
import { HostOptionsSchema } from './kernel.js';
import { EVENT_CREATE_FIELDS } from './perf-event.js';
import { VCPU_CREATE_FIELDS, WRMSR_FIELDS } from './vcpu.js';

export const ExploredActorSchema = Type.Object(
  {
    kind: oneOf(ACTOR_KINDS, {
      description: `what the actor does: ${ACTOR_KINDS.map((kind) => `${kind}, ${ACTOR_ACTS[kind]}`).join('; ')}`,
    }),
    budget: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 15,
        description: 'how many times at most, over all CPUs; unlimited by default',
      }),
    ),
  },
  {
    $id: 'ExploredActor',
    additionalProperties: false,
    description: 'an actor, enabled whenever the machine permits its action',
    examples: [{ kind: 'nmi_throttle', budget: 1 }],
  },
);
export type ExploredActor = Static<typeof ExploredActorSchema>;

export const ExploredEventSchema = Type.Object(EVENT_CREATE_FIELDS, {
  $id: 'ExploredEvent',
  additionalProperties: false,
  description: 'a perf event that is open when the search begins',
  examples: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
});

export const ExploredWrmsrSchema = Type.Object(WRMSR_FIELDS, {
  $id: 'ExploredWrmsr',
  additionalProperties: false,
  description: 'a WRMSR that the guest executed before the search begins',
  examples: [{ msr: 'IA32_PEBS_ENABLE', value: '0x1' }],
});

export const ExploredVcpuSchema = Type.Object(
  {
    ...VCPU_CREATE_FIELDS,
    wrmsr: Type.Optional(
      Type.Array(ref(ExploredWrmsrSchema), {
        maxItems: 16,
        description: 'WRMSRs its guest has executed before the search begins',
      }),
    ),
  },
  {
    $id: 'ExploredVcpu',
    additionalProperties: false,
    description: 'a vCPU running in a loop of VM-entries and VM-exits',
    examples: [{ cpu: 0 }],
  },
);

export const ExplorationModelSchema = Type.Object(
  {
    cpu_model: ref(SlugSchema),
    kernel: ref(SlugSchema),
    microcode: Type.Optional(ref(U64InputSchema, 'the microcode revision')),
    stepping: Type.Optional(Type.Integer({ minimum: 0, maximum: 15, description: 'the stepping' })),
    cpus: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2, description: 'the number of CPUs' }),
    ),
    events: Type.Optional(
      Type.Array(ref(ExploredEventSchema), { maxItems: 8, description: 'the perf events' }),
    ),
    vcpus: Type.Optional(
      Type.Array(ref(ExploredVcpuSchema), { maxItems: 4, description: 'the vCPUs' }),
    ),
    actors: Type.Optional(
      Type.Array(ref(ExploredActorSchema), {
        maxItems: ACTOR_KINDS.length,
        description: 'the actors',
      }),
    ),
    nmi_timing: Type.Optional(
      oneOf(NMI_TIMINGS, {
        description:
          'prompt: an overflow and its NMI are one step, possible while the counter counts; late: the overflow is latched and its NMI arrives any number of micro-steps later',
      }),
    ),
    nmi_in_e3: Type.Optional(
      Type.Boolean({
        description:
          'whether an NMI may land between the load of pebs_enabled and the WRMSR in PMU enable; true by default',
      }),
    ),
    options: Type.Optional(ref(HostOptionsSchema)),
  },
  {
    $id: 'ExplorationModel',
    additionalProperties: false,
    description: 'a world to explore',
    examples: [
      {
        cpu_model: 'emerald-rapids',
        kernel: 'linux-7.2.6',
        cpus: 1,
        events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
        vcpus: [{}],
        actors: [{ kind: 'nmi_throttle', budget: 1 }],
      },
    ],
  },
);
export type ExplorationModel = Static<typeof ExplorationModelSchema>;
