/** Named worlds to explore, with what is known of them. */
import { type Static, Type } from 'typebox';
import { ACTOR_KINDS } from '../src/model/vocabulary.js';
import { VerdictSchema } from './catalogue.js';
import { count, pageOf, prose, ref, SlugSchema, SourcesSchema } from './common.js';
import { ExplorationBoundsSchema } from './exploration.js';
import {
  ExplorationModelSchema,
  ExploredActorSchema,
  ExploredEventSchema,
  ExploredVcpuSchema,
} from './exploration-model.js';
import { ScriptActionSchema } from './script.js';

export const ScenarioExpectationSchema = Type.Object(
  {
    verdict: Type.Optional(ref(VerdictSchema)),
    properties: Type.Optional(
      Type.Record(Type.String({ pattern: "^[A-Za-z0-9_'-]{1,40}$" }), ref(VerdictSchema), {
        maxProperties: 40,
        description: 'the verdict of each property',
      }),
    ),
    distinct_states: Type.Optional(count('how many states exist')),
    total_states: Type.Optional(count('how many states were generated')),
    depth: Type.Optional(count('the longest shortest way to a state, in steps')),
    msr_writes: Type.Optional(
      count(
        'MSR writes of a round trip: WRMSRs by KVM, and loads from the VM-entry and VM-exit areas',
      ),
    ),
    vmcs_field: Type.Optional(count('loads of IA32_PERF_GLOBAL_CTRL by the VMCS a round trip')),
  },
  {
    $id: 'ScenarioExpectation',
    additionalProperties: false,
    description: 'what is known about a scenario beforehand, and tested',
    examples: [{ verdict: 'violated', depth: 11 }],
  },
);

export const ScenarioSchema = Type.Object(
  {
    id: ref(SlugSchema),
    world: ref(
      SlugSchema,
      'its name without CPU model and kernel, by which campaigns show it; the same for all scenarios that differ in nothing else',
    ),
    title: prose('the world in a few words'),
    cpu_model: ref(SlugSchema),
    kernel: ref(SlugSchema),
    events: Type.Array(ref(ExploredEventSchema), { maxItems: 8, description: 'its perf events' }),
    vcpus: Type.Array(ref(ExploredVcpuSchema), { maxItems: 4, description: 'its vCPUs' }),
    actors: Type.Array(ref(ExploredActorSchema), {
      maxItems: ACTOR_KINDS.length,
      description: 'what else happens',
    }),
    bounds: ref(ExplorationBoundsSchema, 'none is needed: the world is finite'),
    expected: ref(ScenarioExpectationSchema),
    sources: Type.Optional(
      ref(SourcesSchema, 'where it was reported, or read; left out for what only follows'),
    ),
    set_up: Type.Optional(
      Type.Array(ref(ScriptActionSchema), {
        maxItems: 32,
        description:
          'of a world to cost: the actions that set it up on a new host of that CPU model and kernel (POST /v1/hosts/{host}/scripts); its writes are those of the third round trip and later',
      }),
    ),
    model: Type.Optional(
      ref(ExplorationModelSchema, 'the whole world, as an exploration takes it'),
    ),
  },
  {
    $id: 'Scenario',
    additionalProperties: false,
    description: 'a named world to explore or to cost',
    examples: [
      {
        id: 'stuck-by-throttle',
        world: 'stuck-by-throttle',
        title: 'An NMI throttles the only host PEBS event before VM-entry',
        cpu_model: 'emerald-rapids',
        kernel: 'linux-7.2.6',
        events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
        vcpus: [{}],
        actors: [{ kind: 'nmi_throttle', budget: 1 }],
        bounds: { seconds: 30 },
        expected: { verdict: 'violated' },
        sources: ['arch/x86/kvm/vmx/vmx.c atomic_switch_perf_msrs()', 'src/pmu/semantics.md §7.2'],
      },
    ],
  },
);
export type Scenario = Static<typeof ScenarioSchema>;

export const ScenarioPageSchema = pageOf('ScenarioPage', ScenarioSchema, 'a page of scenarios');
