/** Named worlds to explore, with their known verdicts and counts. */
import { type Static, Type } from 'typebox';
import { ACTOR_KINDS } from '../src/model/vocabulary.js';
import { VerdictSchema } from './catalogue.js';
import { count, pageOf, prose, ref, SlugSchema, SourcesSchema } from './common.js';
import {
  ExplorationModelSchema,
  ExploredActorSchema,
  ExploredEventSchema,
  ExploredVcpuSchema,
} from './exploration-model.js';
import { ExplorationBoundsSchema } from './exploration-request.js';
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
    distinct_states: Type.Optional(count('number of distinct states')),
    total_states: Type.Optional(count('number of generated states')),
    depth: Type.Optional(count('the length of the longest shortest path to a state')),
    msr_writes: Type.Optional(
      count(
        'MSR writes of a round trip: WRMSRs by KVM, and loads from the VM-entry and VM-exit areas',
      ),
    ),
    vmcs_field: Type.Optional(count('VMCS loads of IA32_PERF_GLOBAL_CTRL per round trip')),
  },
  {
    $id: 'ScenarioExpectation',
    additionalProperties: false,
    description:
      'the expected results of a scenario, which are tested; empty while nobody has written down what is to come out of it, as for a kernel that is new in the matrix',
    examples: [{ verdict: 'violated', depth: 11 }],
  },
);

export const ScenarioSchema = Type.Object(
  {
    id: ref(SlugSchema),
    world: ref(
      SlugSchema,
      'its name without CPU model and kernel, as campaigns show it; scenarios that differ only in those share it',
    ),
    title: prose('the world in a few words'),
    cpu_model: ref(SlugSchema),
    kernel: ref(SlugSchema),
    events: Type.Array(ref(ExploredEventSchema), { maxItems: 8, description: 'its perf events' }),
    vcpus: Type.Array(ref(ExploredVcpuSchema), { maxItems: 4, description: 'its vCPUs' }),
    actors: Type.Array(ref(ExploredActorSchema), {
      maxItems: ACTOR_KINDS.length,
      description: 'its actors',
    }),
    bounds: ref(ExplorationBoundsSchema, 'empty if the world is finite'),
    expected: ref(ScenarioExpectationSchema),
    sources: Type.Optional(
      ref(SourcesSchema, 'where it was reported or read; absent if it is only derived'),
    ),
    set_up: Type.Optional(
      Type.Array(ref(ScriptActionSchema), {
        maxItems: 32,
        description:
          'for cost scenarios: the actions that set it up on a new host of this CPU model and kernel (POST /v1/hosts/{host}/scripts); the counts apply from the third round trip on',
      }),
    ),
    model: Type.Optional(
      ref(ExplorationModelSchema, 'the whole world, as an exploration takes it'),
    ),
  },
  {
    $id: 'Scenario',
    additionalProperties: false,
    description: 'a named world to explore, or whose round trips are costed',
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
