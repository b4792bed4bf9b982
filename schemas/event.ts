/** Live events of all instances, for dashboards and pools. */
import { type Static, Type } from 'typebox';
import { oneOf, ref, TimestampSchema } from './common.js';

export const EVENT_TYPES = [
  'host.created',
  'host.deleted',
  'violation.found',
  'exploration.progress',
  'exploration.paused',
  'exploration.ended',
  'exploration.deleted',
  'campaign.progress',
  'campaign.ended',
  'campaign.deleted',
  'explanation.progress',
  'explanation.ended',
  'explanation.deleted',
  'observation.ended',
  'observation.deleted',
] as const;

const cursor = Type.String({
  pattern: '^[A-Za-z0-9_-]{4,64}$',
  minLength: 4,
  maxLength: 64,
  description: 'an opaque position between two events',
});

export const EventSchema = Type.Object(
  {
    id: cursor,
    type: oneOf(EVENT_TYPES, { description: 'the type of event' }),
    subject: Type.String({
      minLength: 1,
      maxLength: 40,
      description: 'the id of the host, exploration, campaign, observation or explanation',
    }),
    data: Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), {
      maxProperties: 32,
      description: 'details; more may be added',
    }),
    created_at: ref(TimestampSchema),
  },
  {
    $id: 'Event',
    additionalProperties: false,
    description: 'an event; its id is the cursor to continue from',
    examples: [
      {
        id: 'NzQyLjE',
        type: 'host.created',
        subject: 'host_1a',
        data: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' },
        created_at: '2026-11-23T12:00:00.000Z',
      },
    ],
  },
);
export type Event = Static<typeof EventSchema>;

export const EventQuerySchema = Type.Object(
  {
    after: Type.Optional(cursor),
    limit: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 50,
      description: 'the maximum number of events',
    }),
    subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 40,
        pattern: '^[0-9A-Za-z_-]+$',
        description: 'only events about this host, exploration, campaign or observation, by its id',
      }),
    ),
    type: Type.Optional(oneOf(EVENT_TYPES, { description: 'only events of this type' })),
  },
  {
    $id: 'EventQuery',
    additionalProperties: false,
    description: 'a cursor, a limit, and which events',
    examples: [{ limit: 50 }],
  },
);

export const EventPageSchema = Type.Object(
  {
    items: Type.Array(ref(EventSchema), { maxItems: 1000, description: 'oldest first' }),
    next_cursor: Type.String({
      maxLength: 64,
      description: 'the cursor to continue from, also if there are no more events yet',
    }),
    has_more: Type.Boolean({ description: 'whether there are more events' }),
  },
  {
    $id: 'EventPage',
    additionalProperties: false,
    description: 'events after a cursor',
    examples: [{ items: [], next_cursor: 'NzQyLjE', has_more: false }],
  },
);
export type EventPage = Static<typeof EventPageSchema>;

export const EventStreamSchema = Type.String({
  $id: 'EventStream',
  maxLength: 1_000_000_000,
  description:
    'Server-sent events (WHATWG HTML): `id` is the cursor, `event` the type, `data` one line of JSON; `event: reset` reports that events were missed',
  examples: ['id: NzQyLjE\nevent: host.created\ndata: {"subject":"host_1a"}\n\n'],
});
