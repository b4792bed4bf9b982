/** A perf event of a simulated host. */
import { type Static, Type } from 'typebox';
import {
  CounterSchema,
  CpuNumberSchema,
  IdOrNameSchema,
  NameSchema,
  nullable,
  oneOf,
  pageOf,
  ref,
  U64InputSchema,
  U64Schema,
} from './common.js';
import { hostReference } from './host.js';
import { OPERATION_FIELDS } from './transition.js';

export const EventIdSchema = Type.String({
  $id: 'EventId',
  pattern: '^ev_[0-9a-z]{1,26}$',
  minLength: 4,
  maxLength: 29,
  description: 'the id of a perf event',
  examples: ['ev_3'],
});

export const EventParamsSchema = Type.Object(
  {
    host: hostReference,
    event: ref(IdOrNameSchema, 'the id of a perf event, or its name if that is unique on the host'),
  },
  {
    $id: 'EventParams',
    additionalProperties: false,
    description: 'the perf event',
    examples: [{ host: 'host_1a', event: 'ev_3' }],
  },
);

const preciseIp = Type.Integer({
  minimum: 0,
  maximum: 3,
  description: 'perf_event_attr.precise_ip; above 0 the event uses PEBS',
});
const excludeHost = Type.Boolean({ description: 'counts in the guest only' });
const excludeGuest = Type.Boolean({ description: 'counts in the host only' });
const period = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'events between two samples',
});
const frequency = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: 'the target rate in samples per second',
});
const auxOutput = Type.Boolean({
  description: 'perf_event_attr.aux_output: PEBS records go to Intel PT',
});
const largePebs = Type.Boolean({
  description: 'whether the buffer collects many records before an interrupt',
});

/** What an event is, to perf and in an explored world. */
export const EVENT_CREATE_FIELDS = {
  name: Type.Optional(ref(NameSchema)),
  cpu: Type.Optional(ref(CpuNumberSchema)),
  counter: Type.Optional(ref(CounterSchema, 'the counter to use; by default perf picks one')),
  precise_ip: Type.Optional(preciseIp),
  exclude_host: Type.Optional(excludeHost),
  exclude_guest: Type.Optional(excludeGuest),
  sample_period: Type.Optional(period),
  sample_freq: Type.Optional(frequency),
  large_pebs: Type.Optional(largePebs),
  pebs_data_cfg: Type.Optional(ref(U64InputSchema, 'the record groups, as MSR_PEBS_DATA_CFG')),
  group_leader: Type.Optional(ref(IdOrNameSchema, 'the event whose group it joins')),
  aux_output: Type.Optional(auxOutput),
  disabled: Type.Optional(
    Type.Boolean({ description: 'perf_event_attr.disabled: open, but not yet enabled' }),
  ),
};

/** Shared by the route and the script action. */
export const EVENT_OPEN_FIELDS = { ...EVENT_CREATE_FIELDS, ...OPERATION_FIELDS };

export const PerfEventCreateSchema = Type.Object(EVENT_OPEN_FIELDS, {
  $id: 'PerfEventCreate',
  additionalProperties: false,
  description: 'a perf event to open; always pinned, because the model does not multiplex',
  examples: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true, sample_period: 100003 }],
});
export type PerfEventCreate = Static<typeof PerfEventCreateSchema>;

export const SamplingPeriodSchema = Type.Object(
  { period },
  {
    $id: 'SamplingPeriod',
    additionalProperties: false,
    description: 'sampling by a fixed period',
    examples: [{ period: 100003 }],
  },
);

export const SamplingFrequencySchema = Type.Object(
  { freq: frequency },
  {
    $id: 'SamplingFrequency',
    additionalProperties: false,
    description: 'sampling at a frequency',
    examples: [{ freq: 4000 }],
  },
);

export const PerfEventSchema = Type.Object(
  {
    id: ref(EventIdSchema),
    name: Type.Optional(ref(NameSchema)),
    cpu: ref(CpuNumberSchema),
    counter: nullable(ref(CounterSchema), 'the counter it is on; null if none'),
    requested_counter: Type.Optional(ref(CounterSchema, 'the requested counter')),
    precise_ip: preciseIp,
    exclude_host: excludeHost,
    exclude_guest: excludeGuest,
    sampling: Type.Unsafe<
      Static<typeof SamplingPeriodSchema> | Static<typeof SamplingFrequencySchema> | null
    >({
      anyOf: [ref(SamplingPeriodSchema), ref(SamplingFrequencySchema), { type: 'null' }],
      description: 'its sampling; null if it only counts',
    }),
    large_pebs: largePebs,
    aux_output: auxOutput,
    pebs_data_cfg: ref(U64Schema, 'the record groups it requests'),
    group_leader: Type.Optional(ref(EventIdSchema, 'the leader of its group')),
    owner: Type.String({
      pattern: '^(host|vcpu_[0-9a-z]{1,26})$',
      minLength: 4,
      maxLength: 31,
      description: 'host, or the vCPU on whose behalf KVM opened it',
      examples: ['host'],
    }),
    state: oneOf(['off', 'inactive', 'active', 'throttled', 'stopped', 'error'], {
      description:
        'off: disabled; inactive: enabled, on no counter; active: counting; throttled: stopped until the next tick; stopped: its throttle mark was lost, so it is stopped until perf reschedules it; error: pinned but without a counter',
    }),
  },
  {
    $id: 'PerfEvent',
    additionalProperties: false,
    description: 'an open perf event',
    examples: [
      {
        id: 'ev_3',
        cpu: 0,
        counter: 'PMC0',
        requested_counter: 'PMC0',
        precise_ip: 2,
        exclude_host: false,
        exclude_guest: true,
        sampling: { period: 100003 },
        large_pebs: false,
        aux_output: false,
        pebs_data_cfg: '0x0000000000000000',
        owner: 'host',
        state: 'active',
      },
    ],
  },
);
export type PerfEvent = Static<typeof PerfEventSchema>;

export const PerfEventPageSchema = pageOf(
  'PerfEventPage',
  PerfEventSchema,
  'a page of perf events',
);
export type PerfEventPage = Static<typeof PerfEventPageSchema>;
