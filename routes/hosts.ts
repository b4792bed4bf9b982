/** Simulated hosts: making, reading and deleting them; their registers, counts and trace. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import { HostCreateSchema, HostPageSchema, HostParamsSchema, HostSchema } from '../schemas/host.js';
import { HostMetricsSchema } from '../schemas/metrics.js';
import { MsrQuerySchema, MsrsSchema } from '../schemas/msr.js';
import { problems } from '../schemas/problem.js';
import { TracePageSchema, TraceQuerySchema } from '../schemas/trace.js';
import { ProblemError } from '../src/errors.js';
import { linkNext, page, sendPage } from '../src/paging.js';
import { TRACE_MAX } from '../src/service/host.js';
import { hostItem, metricsItem, traceItem } from '../src/service/host-views.js';
import { msrsItem } from '../src/service/msr-views.js';

export const hostRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { hosts } = app.services;

  app.post(
    '/hosts',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'createHost',
        summary: 'Make a host',
        description: 'A CPU model running a kernel; its PEBS isolation follows from the microcode.',
        body: HostCreateSchema,
        response: {
          201: HostSchema,
          ...problems('validation', 'value_out_of_range', 'rule_violated', 'limit_reached'),
        },
      },
    },
    async ({ body }, reply) => {
      const host = hosts.create(body);
      reply.code(201).header('location', `/v1/hosts/${host.id}`);
      return hostItem(host);
    },
  );

  app.get(
    '/hosts',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'listHosts',
        summary: 'The hosts',
        description: 'Lists the hosts, oldest first.',
        querystring: PageQuerySchema,
        response: { 200: HostPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => {
      const shown = sendPage(reply, hosts.list(), request.query, ({ id }) => id);
      return { ...shown, items: shown.items.map(hostItem) };
    },
  );

  app.get(
    '/hosts/:host',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getHost',
        summary: 'A host',
        description: 'What the host is and how much it holds.',
        params: HostParamsSchema,
        response: { 200: HostSchema, ...problems('not_found') },
      },
    },
    async ({ params }) => hostItem(hosts.get(params.host)),
  );

  app.delete(
    '/hosts/:host',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'deleteHost',
        summary: 'Delete a host',
        description: 'Deletes the host with everything on it.',
        params: HostParamsSchema,
        response: { 204: NothingSchema, ...problems('not_found') },
      },
    },
    async ({ params }, reply) => {
      hosts.delete(params.host);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/hosts/:host/msrs',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getMsrs',
        summary: 'The registers of a CPU',
        description:
          'What each switched MSR holds, what perf wants there, and which bits are stuck or lost.',
        params: HostParamsSchema,
        querystring: MsrQuerySchema,
        response: { 200: MsrsSchema, ...problems('validation', 'rule_violated', 'not_found') },
      },
    },
    async ({ params, query }) => {
      const host = hosts.get(params.host);
      if (query.cpu >= host.state.cpus.length) {
        const detail = `is not a CPU of this host, which has ${host.state.cpus.length}`;
        throw new ProblemError('rule_violated', `cpu ${detail}.`, [
          { pointer: '/cpu', detail, in: 'query' },
        ]);
      }
      return msrsItem(host, query.cpu);
    },
  );

  app.get(
    '/hosts/:host/metrics',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getHostMetrics',
        summary: 'The counts of a host',
        description:
          'MSR writes by register and mechanism, NMIs, throttles, violations, estimated cycles.',
        params: HostParamsSchema,
        response: { 200: HostMetricsSchema, ...problems('not_found') },
      },
    },
    async ({ params }) => metricsItem(hosts.get(params.host)),
  );

  app.get(
    '/hosts/:host/trace',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getTrace',
        summary: 'The last micro-steps of a host',
        description: 'The newest 1,000 micro-steps with their MSR writes, oldest first.',
        params: HostParamsSchema,
        querystring: TraceQuerySchema,
        response: { 200: TracePageSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params, query }, reply) => {
      const host = hosts.get(params.host);
      const entries = host.trace
        .slice(-TRACE_MAX)
        .filter(({ index }) => index > (query.after ?? 0));
      const { items, has_more } = page(entries, { limit: query.limit }, ({ index }) => index);
      const last = items.at(-1);
      const next = has_more && last !== undefined ? String(last.index) : null;
      if (next !== null) linkNext(reply, { after: next });
      return { items: items.map((entry) => traceItem(host, entry)), next_cursor: next, has_more };
    },
  );
};
