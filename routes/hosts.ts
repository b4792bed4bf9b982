/** Simulated hosts: creating, reading and deleting them; their registers, counts and trace. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import {
  HostCreateSchema,
  HostFilterSchema,
  HostPageSchema,
  HostParamsSchema,
  HostSchema,
  HostsDeletedSchema,
} from '../schemas/host.js';
import { HostMetricsSchema } from '../schemas/metrics.js';
import { MsrQuerySchema, MsrsSchema } from '../schemas/msr.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { TracePageSchema, TraceQuerySchema } from '../schemas/trace.js';
import { linkNext, page, sendRows } from '../src/http/answer/paging.js';
import { sendReply, versionsAsked } from '../src/http/read/idempotency.js';
import { hostItem } from '../src/service/hosts/host-summary.js';
import { metricsItem, traceItem } from '../src/service/hosts/host-views.js';
import { hostTag } from '../src/service/hosts/hosts.js';
import { msrsItem } from '../src/service/hosts/msr-views.js';
import { ProblemError } from '../src/service/problem-error.js';

export const hostRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { hosts } = app.services;

  app.post(
    '/hosts',
    {
      config: { idempotent: true },
      schema: {
        tags: ['hosts'],
        operationId: 'createHost',
        summary: 'Create a host',
        description:
          'A CPU model running a kernel; stepping and microcode decide about PEBS isolation.',
        body: HostCreateSchema,
        response: {
          201: HostSchema,
          ...changeProblems('value_out_of_range', 'unknown_name', 'limit_reached'),
        },
      },
    },
    async (request, reply) =>
      sendReply(reply, await hosts.create(request.body, request.ticket ?? undefined)),
  );

  app.get(
    '/hosts',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'listHosts',
        summary: 'List hosts',
        description: 'Lists the hosts, oldest first.',
        querystring: PageQuerySchema,
        response: { 200: HostPageSchema, ...readProblems('validation') },
      },
    },
    async (request, reply) =>
      sendRows(reply, request.query, (after, limit) => hosts.list(after, limit)),
  );

  app.delete(
    '/hosts',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'deleteHosts',
        summary: 'Delete several hosts',
        description:
          'Deletes the hosts that pass every filter, one after the other, and everything on them. Without a filter nothing is deleted: `all=true` means every host.',
        querystring: HostFilterSchema,
        response: {
          200: HostsDeletedSchema,
          ...readProblems('validation', 'unknown_name'),
        },
      },
    },
    async ({ query }) => ({ deleted: await hosts.deleteAll(query) }),
  );

  app.get(
    '/hosts/:host',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getHost',
        summary: 'Get a host',
        description: 'The configuration of the host, and the number of its parts.',
        params: HostParamsSchema,
        response: { 200: HostSchema, ...readProblems('not_found', 'ambiguous_name') },
      },
    },
    async ({ params }, reply) => {
      const host = await hosts.get(params.host);
      reply.header('etag', hostTag(host));
      return hostItem(host);
    },
  );

  app.delete(
    '/hosts/:host',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'deleteHost',
        summary: 'Delete a host',
        description: 'Deletes the host and everything on it.',
        params: HostParamsSchema,
        response: {
          204: NothingSchema,
          ...readProblems('not_found', 'ambiguous_name', 'precondition_failed'),
        },
      },
    },
    async (request, reply) => {
      await hosts.delete(request.params.host, versionsAsked(request));
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/hosts/:host/msrs',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getMsrs',
        summary: 'Get the registers of a CPU',
        description:
          'The value of each switched MSR, the value perf wants, and the bits that are stuck or lost.',
        params: HostParamsSchema,
        querystring: MsrQuerySchema,
        response: {
          200: MsrsSchema,
          ...readProblems('validation', 'rule_violated', 'not_found', 'ambiguous_name'),
        },
      },
    },
    async ({ params, query }) => {
      const host = await hosts.get(params.host);
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
        summary: 'Get the counts of a host',
        description:
          'MSR writes by register and mechanism, NMIs, throttles, violations, estimated cycles.',
        params: HostParamsSchema,
        response: { 200: HostMetricsSchema, ...readProblems('not_found', 'ambiguous_name') },
      },
    },
    async ({ params }) => metricsItem(await hosts.get(params.host)),
  );

  app.get(
    '/hosts/:host/trace',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'getTrace',
        summary: 'Get the trace of a host',
        description: 'The newest 1,000 micro-steps with their MSR writes, oldest first.',
        params: HostParamsSchema,
        querystring: TraceQuerySchema,
        response: {
          200: TracePageSchema,
          ...readProblems('validation', 'not_found', 'ambiguous_name'),
        },
      },
    },
    async ({ params, query }, reply) => {
      const host = await hosts.get(params.host);
      const entries = await hosts.trace(host, query.after ?? 0);
      const { items, has_more } = page(entries, { limit: query.limit }, ({ index }) => index);
      const last = items.at(-1);
      const next = has_more && last !== undefined ? String(last.index) : null;
      if (next !== null) linkNext(reply, { after: next });
      return { items: items.map((entry) => traceItem(host, entry)), next_cursor: next, has_more };
    },
  );
};
