/** Actions as one transaction. Counterexamples come as scripts and are replayed as such. */
import { type Static, type TProperties, Type } from 'typebox';
import {
  CPU_ACTION_FIELDS,
  MICROCODE_FIELDS,
  MIGRATE_FIELDS,
  NMI_FIELDS,
  OVERFLOW_FIELDS,
} from './actor.js';
import { count, IdOrNameSchema, IdSchema, oneOf, ref, tagged } from './common.js';
import { HostCreateSchema } from './host.js';
import { msrWriteCounts, violationList } from './msr.js';
import { EVENT_OPEN_FIELDS } from './perf-event.js';
import { INJECT_FIELD, msrViews, OPERATION_FIELDS, TRANSITION_FIELDS } from './transition.js';
import { VCPU_CREATE_FIELDS, WRMSR_ACTION_FIELDS } from './vcpu.js';

const event = ref(IdOrNameSchema, 'the id of a perf event, or its name if that is unique');
const vcpu = ref(IdOrNameSchema, 'the id of a vCPU, or its name if that is unique');

/** One action of a script: the fields of the route's body, and the parameters of its path. */
function action<const Tag extends string, Fields extends TProperties>(
  tag: Tag,
  $id: string,
  fields: Fields,
  example: object,
) {
  return Type.Object(
    { action: Type.Literal(tag), ...fields },
    {
      $id,
      additionalProperties: false,
      description: `the script action ${tag}`,
      examples: [{ action: tag, ...example }],
    },
  );
}

export const OpenEventActionSchema = action('open_event', 'OpenEventAction', EVENT_OPEN_FIELDS, {
  name: 'cycles',
  counter: 'PMC0',
  precise_ip: 2,
  exclude_guest: true,
});
const eventFields = { event, ...OPERATION_FIELDS };
export const EnableEventActionSchema = action('enable_event', 'EnableEventAction', eventFields, {
  event: 'cycles',
});
export const DisableEventActionSchema = action('disable_event', 'DisableEventAction', eventFields, {
  event: 'cycles',
});
export const CloseEventActionSchema = action('close_event', 'CloseEventAction', eventFields, {
  event: 'cycles',
});
export const AddVcpuActionSchema = action('add_vcpu', 'AddVcpuAction', VCPU_CREATE_FIELDS, {
  name: 'guest-a',
});
export const RemoveVcpuActionSchema = action(
  'remove_vcpu',
  'RemoveVcpuAction',
  { vcpu, ...INJECT_FIELD },
  { vcpu: 'guest-a' },
);
export const WrmsrActionSchema = action(
  'wrmsr',
  'WrmsrAction',
  { vcpu, ...WRMSR_ACTION_FIELDS, ...INJECT_FIELD },
  { vcpu: 'guest-a', msr: 'IA32_PEBS_ENABLE', value: '0x1' },
);
export const TransitionActionSchema = action(
  'transition',
  'TransitionAction',
  { vcpu, ...TRANSITION_FIELDS },
  { vcpu: 'guest-a', kind: 'vm_entry', count: 1, exit_reason: 'external_interrupt', trace: false },
);
export const MigrateActionSchema = action(
  'migrate',
  'MigrateAction',
  { vcpu, ...MIGRATE_FIELDS },
  { vcpu: 'guest-a', cpu: 1 },
);
const switchFields = { vcpu, ...OPERATION_FIELDS };
export const SchedOutActionSchema = action('sched_out', 'SchedOutAction', switchFields, {
  vcpu: 'guest-a',
});
export const SchedInActionSchema = action('sched_in', 'SchedInAction', switchFields, {
  vcpu: 'guest-a',
});
export const NmiActionSchema = action('nmi', 'NmiAction', NMI_FIELDS, {
  cpu: 0,
  throttle: ['PMC0'],
});
/** The counters overflow, which is latched; the NMI comes later, as an action or an injection without counters. */
export const OverflowActionSchema = action('overflow', 'OverflowAction', OVERFLOW_FIELDS, {
  cpu: 0,
  counters: ['PMC0'],
});
export const TickActionSchema = action('tick', 'TickAction', CPU_ACTION_FIELDS, { cpu: 0 });
export const PmuDisableActionSchema = action('pmu_disable', 'PmuDisableAction', CPU_ACTION_FIELDS, {
  cpu: 0,
});
export const PmuEnableActionSchema = action('pmu_enable', 'PmuEnableAction', CPU_ACTION_FIELDS, {
  cpu: 0,
});
/** The rest of an operation, or the next one with which KVM reprograms a guest's counter. */
export const AdvanceActionSchema = action('advance', 'AdvanceAction', CPU_ACTION_FIELDS, {
  cpu: 0,
});
export const BpfSnapshotActionSchema = action(
  'bpf_snapshot',
  'BpfSnapshotAction',
  { cpu: CPU_ACTION_FIELDS.cpu },
  { cpu: 0 },
);
export const MicrocodeLoadActionSchema = action(
  'microcode_load',
  'MicrocodeLoadAction',
  MICROCODE_FIELDS,
  { microcode: '0x37' },
);

export const ScriptActionSchema = tagged(
  'action',
  [
    OpenEventActionSchema,
    EnableEventActionSchema,
    DisableEventActionSchema,
    CloseEventActionSchema,
    AddVcpuActionSchema,
    RemoveVcpuActionSchema,
    WrmsrActionSchema,
    TransitionActionSchema,
    MigrateActionSchema,
    SchedOutActionSchema,
    SchedInActionSchema,
    NmiActionSchema,
    OverflowActionSchema,
    TickActionSchema,
    PmuDisableActionSchema,
    PmuEnableActionSchema,
    AdvanceActionSchema,
    BpfSnapshotActionSchema,
    MicrocodeLoadActionSchema,
  ],
  {
    $id: 'ScriptAction',
    description: 'an action of a script; the field action is its kind',
    examples: [{ action: 'tick', cpu: 0 }],
  },
);
export type ScriptAction = Static<typeof ScriptActionSchema>;

export const SCRIPT_ACTIONS = [
  'open_event',
  'enable_event',
  'disable_event',
  'close_event',
  'add_vcpu',
  'remove_vcpu',
  'wrmsr',
  'transition',
  'migrate',
  'sched_out',
  'sched_in',
  'nmi',
  'overflow',
  'tick',
  'pmu_disable',
  'pmu_enable',
  'advance',
  'bpf_snapshot',
  'microcode_load',
] as const satisfies readonly ScriptAction['action'][];

export const ScriptRequestSchema = Type.Object(
  {
    actions: Type.Array(ref(ScriptActionSchema), {
      minItems: 1,
      maxItems: 1000,
      description: 'in order; either all of them take effect or none',
    }),
  },
  {
    $id: 'ScriptRequest',
    additionalProperties: false,
    description: 'actions as one transaction',
    examples: [
      {
        actions: [
          { action: 'open_event', name: 'cycles', counter: 'PMC0', precise_ip: 2 },
          { action: 'add_vcpu', name: 'guest-a' },
          { action: 'tick', cpu: 0 },
        ],
      },
    ],
  },
);
export type ScriptRequest = Static<typeof ScriptRequestSchema>;

export const ScriptResultSchema = Type.Object(
  {
    action: oneOf(SCRIPT_ACTIONS, { description: 'the action' }),
    id: Type.Optional(ref(IdSchema, 'the id of the new resource')),
    gp: Type.Optional(Type.Boolean({ description: 'wrmsr: whether the guest took a #GP' })),
    transitions: Type.Optional(count('transition: number of transitions')),
    micro_steps: Type.Optional(count('number of micro-steps')),
    throttles: Type.Optional(count('number of throttled events')),
  },
  {
    $id: 'ScriptResult',
    additionalProperties: false,
    description: 'the outcome of an action',
    examples: [{ action: 'open_event', id: 'ev_3' }],
  },
);
export type ScriptResult = Static<typeof ScriptResultSchema>;

export const ScriptSchema = Type.Object(
  {
    results: Type.Array(ref(ScriptResultSchema), {
      maxItems: 1000,
      description: 'action by action',
    }),
    msrs: Type.Unsafe<Static<typeof msrViews>>({
      ...msrViews,
      maxItems: 128,
      description: 'the switched MSRs of the CPUs afterwards, CPU 0 first',
    }),
    violations: violationList,
    msr_writes: msrWriteCounts,
  },
  {
    $id: 'Script',
    additionalProperties: false,
    description: 'the outcome of a script',
    examples: [
      {
        results: [{ action: 'open_event', id: 'ev_3' }],
        msrs: [],
        violations: [],
        msr_writes: [],
      },
    ],
  },
);
export type Script = Static<typeof ScriptSchema>;

export const HostScriptSchema = Type.Object(
  {
    host: ref(HostCreateSchema, 'the body of POST /v1/hosts'),
    script: Type.Object(
      {
        actions: Type.Array(ref(ScriptActionSchema), {
          maxItems: 1000,
          description: 'in order; none if nothing was done to the host',
        }),
      },
      {
        additionalProperties: false,
        description: 'the body of POST /v1/hosts/{host}/scripts for the new host',
      },
    ),
  },
  {
    $id: 'HostScript',
    additionalProperties: false,
    description: 'what makes a host again: a new host, and the script for it',
    examples: [
      {
        host: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6', cpus: 1 },
        script: { actions: [{ action: 'add_vcpu', name: 'guest-a' }] },
      },
    ],
  },
);
export type HostScript = Static<typeof HostScriptSchema>;
