/** The perf events of a host: opening, enabling, disabling, closing. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { EventActionRequestSchema } from '../schemas/actor.js';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import { HostParamsSchema } from '../schemas/host.js';
import {
  EventParamsSchema,
  PerfEventCreateSchema,
  PerfEventPageSchema,
  PerfEventSchema,
} from '../schemas/perf-event.js';
import { hostChangeProblems, readProblems } from '../schemas/problem.js';
import { sendPage } from '../src/http/answer/paging.js';
import { termsOf } from '../src/http/read/idempotency.js';
import type { Host } from '../src/service/hosts/host.js';
import { placeOf } from '../src/service/hosts/host-records.js';
import { eventItem } from '../src/service/hosts/host-views.js';
import { hostChange } from './host-change.js';

const CHANGE_PROBLEMS = hostChangeProblems('rule_violated', 'perf_errno');

function slotOf(host: Host, reference: string): number {
  return placeOf(host.events, reference, 'perf event');
}

/** What the routes that act on one event have in common. */
const EVENT_ACTION = {
  tags: ['perf-events'],
  params: EventParamsSchema,
  body: EventActionRequestSchema,
  response: { 200: PerfEventSchema, ...CHANGE_PROBLEMS },
};

export const perfEventRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { hosts } = app.services;

  hostChange(app, {
    path: '/hosts/:host/perf-events',
    schema: {
      tags: ['perf-events'],
      operationId: 'openPerfEvent',
      summary: 'Open a perf event',
      description:
        "As perf_event_open(2): perf's own rules choose the counter, or reject the event with the errno of perf.",
      params: HostParamsSchema,
      body: PerfEventCreateSchema,
      response: {
        201: PerfEventSchema,
        ...hostChangeProblems('limit_reached', 'value_out_of_range', 'rule_violated', 'perf_errno'),
      },
    },
    act: (session, body) => session.openEvent(body),
    actions: (body) => [{ action: 'open_event', ...body }],
    view: (host, _run, at) => eventItem(host, at),
    idOf: ({ id }) => id,
  });

  app.get(
    '/hosts/:host/perf-events',
    {
      schema: {
        tags: ['perf-events'],
        operationId: 'listPerfEvents',
        summary: 'List perf events',
        description: 'Lists the open events, including those that KVM opened.',
        params: HostParamsSchema,
        querystring: PageQuerySchema,
        response: {
          200: PerfEventPageSchema,
          ...readProblems('validation', 'not_found', 'ambiguous_name'),
        },
      },
    },
    async (request, reply) => {
      const host = await hosts.get(request.params.host);
      const items = host.events.flatMap((event, at) =>
        event === undefined ? [] : [eventItem(host, at)],
      );
      return sendPage(reply, items, request.query, ({ id }) => id);
    },
  );

  app.get(
    '/hosts/:host/perf-events/:event',
    {
      schema: {
        tags: ['perf-events'],
        operationId: 'getPerfEvent',
        summary: 'Get a perf event',
        description: 'The state of the event and its counter.',
        params: EventParamsSchema,
        response: { 200: PerfEventSchema, ...readProblems('not_found', 'ambiguous_name') },
      },
    },
    async ({ params }) => {
      const host = await hosts.get(params.host);
      return eventItem(host, slotOf(host, params.event));
    },
  );

  hostChange(app, {
    path: '/hosts/:host/perf-events/:event/enable',
    optionalBody: true,
    schema: {
      ...EVENT_ACTION,
      operationId: 'enablePerfEvent',
      summary: 'Enable a perf event',
      description: 'Schedules the event between PMU disable and enable; NMIs may land in between.',
    },
    act: (session, body, { event }) => {
      const at = slotOf(session.draft, event);
      session.actOnEvent('enable_event', at, body);
      return at;
    },
    actions: (body, { event }) => [{ action: 'enable_event', event, ...body }],
    view: (host, _run, at) => eventItem(host, at),
  });

  hostChange(app, {
    path: '/hosts/:host/perf-events/:event/disable',
    optionalBody: true,
    schema: {
      ...EVENT_ACTION,
      operationId: 'disablePerfEvent',
      summary: 'Disable a perf event',
      description: 'Takes the event off its counter between PMU disable and enable.',
    },
    act: (session, body, { event }) => {
      const at = slotOf(session.draft, event);
      session.actOnEvent('disable_event', at, body);
      return at;
    },
    actions: (body, { event }) => [{ action: 'disable_event', event, ...body }],
    view: (host, _run, at) => eventItem(host, at),
  });

  app.delete(
    '/hosts/:host/perf-events/:event',
    {
      config: { optionalBody: true },
      schema: {
        tags: ['perf-events'],
        operationId: 'closePerfEvent',
        summary: 'Close a perf event',
        description:
          'Closes the event; if it is on no counter, no register is written. With micro_steps it stays until advance has made the rest.',
        params: EventParamsSchema,
        body: EventActionRequestSchema,
        response: {
          204: NothingSchema,
          ...readProblems(
            'validation',
            'not_found',
            'ambiguous_name',
            'conflict',
            'rule_violated',
            'precondition_failed',
            'too_many_requests',
          ),
        },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const { headers } = await hosts.change(
        params.host,
        termsOf(request),
        {
          act: (session) =>
            session.actOnEvent('close_event', slotOf(session.draft, params.event), body),
          actions: [{ action: 'close_event', event: params.event, ...body }],
        },
        () => null,
      );
      return reply.code(204).headers(headers).send(null);
    },
  );
};
