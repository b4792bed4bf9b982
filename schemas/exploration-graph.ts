/** The graph of an exploration: where its states stand, the map of all of them, and what lies around one. */
import { type Static, Type } from 'typebox';
import { REGIONS } from '../src/explorer/verdicts.js';
import {
  AUT_STATES_MAX,
  GRAPH_FORMATS,
  GRAPH_STATES_MAX,
  MAP_NODES_MAX,
  NEIGHBOURS_MAX,
  STORY_ACTORS,
} from '../src/model/vocabulary.js';
import { OPERATION_NAMES } from '../src/pmu/vocabulary.js';
import {
  CpuNumberSchema,
  count,
  MicroStepNameSchema,
  nullable,
  oneOf,
  prose,
  ref,
} from './common.js';
import { propertyId } from './exploration-request.js';
import { exportFields } from './export.js';
import { MsrViewSchema } from './msr.js';

/** No state has more than 96 successors. */
const NEIGHBOUR_EDGES_MAX = NEIGHBOURS_MAX * 96;
const PATH = Type.String({ maxLength: 400_000, description: 'the path to it' });

export const StateIdSchema = Type.String({
  $id: 'StateId',
  pattern: '^[0-9a-f]{16}$',
  minLength: 16,
  maxLength: 16,
  description:
    'the fingerprint of a state: equal for equal states of the same world, on every path and every instance',
  examples: ['5f0c8e1b2a3d4e6f'],
});

export const RegionSchema = oneOf(REGIONS, {
  $id: 'Region',
  description:
    'avoidable: some run from here never comes to a violation, because it ends or goes on for ever through other states; doomed: every run does; violating: here it is. Repeating a step that changes nothing does not count as avoiding, unless nothing else can be done; a longer circle does, also one in which a CPU never gets its turn',
  examples: ['doomed'],
});

export const region = nullable(ref(RegionSchema), 'null if unknown');
export const stepsToViolation = nullable(
  count('the steps of the shortest run to a violation'),
  'null if there is none, or if unknown',
);

export const judgedBy = nullable(
  { ...propertyId },
  'the invariant whose violation the regions are about; null if no invariant is checked',
);
export const regionsUnknown = prose(
  `why regions are unknown: only the graphs of complete searches of up to ${GRAPH_STATES_MAX} states are judged, and of large ones only after a while`,
);

export const microStep = ref(
  MicroStepNameSchema,
  'the micro-step that the CPU executed last; rest between operations',
);
export const operation = oneOf(OPERATION_NAMES, { description: 'what the CPU is doing' });

export const CpuRegistersSchema = Type.Object(
  {
    cpu: ref(CpuNumberSchema),
    micro_step: microStep,
    operation,
    mode: oneOf(['host', 'guest', 'shut_down'], {
      description: 'host or guest mode; shut_down after a VMX abort, until a reset',
    }),
    msrs: Type.Array(ref(MsrViewSchema), { maxItems: 16, description: 'register by register' }),
  },
  {
    $id: 'CpuRegisters',
    additionalProperties: false,
    description: 'a CPU in a state: where it is, and its registers',
    examples: [{ cpu: 0, micro_step: 'rest', operation: 'idle', mode: 'host', msrs: [] }],
  },
);

export const NeighbourSchema = Type.Object(
  {
    id: ref(StateIdSchema),
    path: PATH,
    distance: count('the number of steps from the state that was asked for'),
    cpus: Type.Array(
      Type.Object({ micro_step: microStep, operation }, { additionalProperties: false }),
      { maxItems: 8, description: 'where each CPU is' },
    ),
    violated: Type.Array(propertyId, { maxItems: 24, description: 'invariants violated here' }),
    region,
    steps_to_violation: stepsToViolation,
  },
  {
    $id: 'Neighbour',
    additionalProperties: false,
    description: 'a state near another',
    examples: [
      {
        id: '5f0c8e1b2a3d4e6f',
        path: '0',
        distance: 1,
        cpus: [{ micro_step: 'k0_irq_off', operation: 'run_vcpu' }],
        violated: [],
        region: 'avoidable',
        steps_to_violation: 23,
      },
    ],
  },
);

export const NeighbourhoodSchema = Type.Object(
  {
    nodes: Type.Array(ref(NeighbourSchema), {
      maxItems: NEIGHBOURS_MAX,
      description: 'each state once, nearest first',
    }),
    edges: Type.Array(
      Type.Object(
        {
          from: ref(StateIdSchema),
          to: ref(StateIdSchema, 'the same for a step that changes nothing'),
          actor: oneOf(STORY_ACTORS, { description: 'the actor' }),
          action: prose('what happens'),
        },
        { additionalProperties: false },
      ),
      { maxItems: NEIGHBOUR_EDGES_MAX, description: 'the steps between them' },
    ),
    complete: Type.Boolean({ description: 'whether these are all states within the depth' }),
  },
  {
    $id: 'Neighbourhood',
    additionalProperties: false,
    description: 'the states within a few steps',
    examples: [{ nodes: [], edges: [], complete: true }],
  },
);
export type Neighbourhood = Static<typeof NeighbourhoodSchema>;

const property = Type.Optional({
  ...propertyId,
  description: 'the invariant the regions are about; by default the first that is violated',
});

export const StateQuerySchema = Type.Object(
  {
    depth: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3,
        description: 'also list the states within so many steps',
      }),
    ),
    property,
    ...exportFields,
  },
  {
    $id: 'StateQuery',
    additionalProperties: false,
    description: 'what else to say about a state',
    examples: [{ depth: 2 }],
  },
);
export type StateQuery = Static<typeof StateQuerySchema>;

export const GraphQuerySchema = Type.Object(
  {
    format: Type.Optional(
      oneOf(['json', ...GRAPH_FORMATS], {
        description: `instead of the Accept header: aut (every state and transition, for mCRL2 and CADP; of complete searches of up to ${AUT_STATES_MAX} states), dot (the map, for Graphviz), graphml (the map, for Gephi, yEd and Cytoscape)`,
        examples: ['aut'],
      }),
    ),
    cpu: Type.Optional(ref(CpuNumberSchema, 'whose micro-steps the map is of; 0 by default')),
    property,
  },
  {
    $id: 'GraphQuery',
    additionalProperties: false,
    description: 'the exploration, or its graph as a file',
    examples: [{ format: 'aut' }],
  },
);

export const MapQuerySchema = Type.Object(
  {
    cpu: Type.Optional(ref(CpuNumberSchema, 'whose micro-steps the map is of; 0 by default')),
    property,
  },
  {
    $id: 'MapQuery',
    additionalProperties: false,
    description: 'which map',
    examples: [{ cpu: 0 }],
  },
);

export const MapNodeSchema = Type.Object(
  {
    micro_step: microStep,
    operation,
    states: count('states in which the CPU is here'),
    doomed: nullable(count('those that are doomed'), 'null if unknown'),
    violating: nullable(count('those that violate the property'), 'null if unknown'),
    shallowest: Type.String({ maxLength: 400_000, description: 'a shortest path to one of them' }),
  },
  {
    $id: 'MapNode',
    additionalProperties: false,
    description: 'the states in which a CPU has come to the same micro-step of the same operation',
    examples: [
      {
        micro_step: 'k9_vmlaunch',
        operation: 'run_vcpu',
        states: 12,
        doomed: 4,
        violating: 0,
        shallowest: '0/0/0',
      },
    ],
  },
);

export const ExplorationMapSchema = Type.Object(
  {
    cpu: ref(CpuNumberSchema),
    property: judgedBy,
    nodes: Type.Array(ref(MapNodeSchema), {
      maxItems: MAP_NODES_MAX,
      description: 'in the order in which a breadth-first search comes to them',
    }),
    edges: Type.Array(
      Type.Object(
        {
          from: count('index of a node'),
          to: count('index of a node; the same for steps after which the CPU is where it was'),
          transitions: count('steps, without those that change nothing'),
        },
        { additionalProperties: false },
      ),
      { maxItems: MAP_NODES_MAX * MAP_NODES_MAX, description: 'the steps between them' },
    ),
    complete: Type.Boolean({ description: 'whether all reachable states are on the map' }),
  },
  {
    $id: 'ExplorationMap',
    additionalProperties: false,
    description: `the states that a search has seen, by micro-step and operation of a CPU; of a folded search those that stand for their classes, and of a large one the ${GRAPH_STATES_MAX} nearest to the initial state`,
    examples: [{ cpu: 0, property: 'I1', nodes: [], edges: [], complete: true }],
  },
);
export type ExplorationMap = Static<typeof ExplorationMapSchema>;
