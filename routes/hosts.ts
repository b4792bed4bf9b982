/** Simulated hosts: creating, reading and deleting them; their registers, counts and trace. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema } from '../schemas/common.js';
import { ExpositionSchema } from '../schemas/health.js';
import {
  HostCopySchema,
  HostCreateSchema,
  HostFilterSchema,
  HostPageSchema,
  HostParamsSchema,
  HostQuerySchema,
  HostSchema,
  HostsDeletedSchema,
} from '../schemas/host.js';
import { HostMetricsQuerySchema, HostMetricsSchema } from '../schemas/metrics.js';
import { MsrQuerySchema, MsrsSchema } from '../schemas/msr.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { HostScriptSchema } from '../schemas/script.js';
import { TracePageSchema, TraceQuerySchema } from '../schemas/trace.js';
import { linkNext, sendRows } from '../src/http/answer/paging.js';
import { OPENMETRICS_TYPE, sendExposition, TEXT_TYPE } from '../src/http/monitor/exposition.js';
import { sendReply, termsOf, versionsAsked } from '../src/http/read/idempotency.js';
import { isWithinLimits } from '../src/http/read/json-body.js';
import { hostFamilies } from '../src/service/hosts/host-families.js';
import { hostItem } from '../src/service/hosts/host-summary.js';
import { metricsItem } from '../src/service/hosts/host-views.js';
import { hostTag } from '../src/service/hosts/hosts.js';
import { msrsItem } from '../src/service/hosts/msr-views.js';
import { traceFile } from '../src/service/hosts/trace-file.js';
import { framed, registersBefore, traceItems } from '../src/service/hosts/trace-views.js';
import { ProblemError } from '../src/service/problem-error.js';
import { answerOf, formatAsked, formats, sendFile, wantsAll } from './exports.js';

/** Items of a page of the trace, where the client sets no limit. */
const PAGE_ITEMS = 50;

const JSON_TYPE = 'application/json';
const METRICS_TYPES = {
  json: JSON_TYPE,
  prometheus: TEXT_TYPE,
  openmetrics: OPENMETRICS_TYPE,
};

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
        description:
          'Lists the hosts that pass every filter, newest first unless `sort` says otherwise.',
        querystring: HostQuerySchema,
        response: { 200: HostPageSchema, ...readProblems('validation', 'unknown_name') },
      },
    },
    async (request, reply) =>
      sendRows(reply, request.query, (after, limit) => hosts.list(request.query, after, limit), {
        isNewestFirst: request.query.sort === 'newest',
      }),
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

  app.post(
    '/hosts/:host/copies',
    {
      config: { idempotent: true, optionalBody: true },
      schema: {
        tags: ['hosts'],
        operationId: 'copyHost',
        summary: 'Copy a host',
        description:
          'A new host in the state of this one: the same perf events and vCPUs with their ids, names and registers, operations under way, write counts and violations. Its trace begins with its own first micro-step, numbered as the next one of this host. From then on the two change separately.',
        params: HostParamsSchema,
        body: HostCopySchema,
        response: {
          201: HostSchema,
          ...changeProblems('not_found', 'limit_reached', 'precondition_failed'),
        },
      },
    },
    async (request, reply) =>
      sendReply(reply, await hosts.copy(request.params.host, termsOf(request), request.body)),
  );

  app.get(
    '/hosts/:host/script',
    {
      schema: {
        tags: ['hosts'],
        operationId: 'exportHost',
        summary: 'Get a host as a script',
        description:
          'What makes the host again, here or elsewhere: the bodies of `POST /v1/hosts` and of `POST /v1/hosts/{host}/scripts` for the new one. It then has the same registers, counts and trace, and events and vCPUs with the same names and ids. A host that more than 1,000 actions or 255 KiB of them have made has no script.',
        params: HostParamsSchema,
        response: {
          200: HostScriptSchema,
          ...readProblems('not_found', 'ambiguous_name', 'conflict'),
        },
      },
    },
    async ({ params }, reply) => {
      const host = await hosts.get(params.host);
      const exported = await hosts.script(host);
      if (!isWithinLimits(JSON.stringify(exported.script))) {
        const detail = 'The script of this host has more fields or values than a body can have.';
        throw new ProblemError('conflict', detail);
      }
      reply.header('etag', hostTag(host));
      return exported;
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
      config: { formats: METRICS_TYPES },
      schema: {
        tags: ['hosts'],
        operationId: 'getHostMetrics',
        summary: 'Get the counts of a host',
        description:
          'MSR writes by register, mechanism and cause, what a round trip writes, NMIs, throttles, violations, estimated cycles: as JSON, or for Prometheus. `/v1/sd/prometheus?hosts=N` lists hosts to scrape.',
        params: HostParamsSchema,
        querystring: HostMetricsQuerySchema,
        response: {
          200: {
            description: 'the counts',
            content: {
              [JSON_TYPE]: { schema: HostMetricsSchema },
              [TEXT_TYPE]: { schema: ExpositionSchema },
              [OPENMETRICS_TYPE]: { schema: ExpositionSchema },
            },
          },
          ...readProblems('validation', 'not_found', 'ambiguous_name', 'not_acceptable'),
        },
      },
    },
    async ({ params, answerType }, reply) => {
      const host = await hosts.get(params.host);
      if (answerType === JSON_TYPE) return reply.type(JSON_TYPE).send(metricsItem(host));
      return sendExposition(reply, hostFamilies(host), answerType);
    },
  );

  app.get(
    '/hosts/:host/trace',
    {
      config: { formats },
      schema: {
        tags: ['hosts'],
        operationId: 'getTrace',
        summary: 'Get the trace of a host',
        description:
          'The newest 1,000 micro-steps with their MSR writes, oldest first; `registers_before` is what the registers held before the first of them. Other formats than JSON have all of them, or `limit`.',
        params: HostParamsSchema,
        querystring: TraceQuerySchema,
        response: {
          200: answerOf(TracePageSchema, 'a page of the trace, or a file'),
          ...readProblems('validation', 'not_found', 'ambiguous_name', 'not_acceptable'),
        },
      },
    },
    async ({ params, query }, reply) => {
      const host = await hosts.get(params.host);
      const entries = framed(host, await hosts.trace(host, query.after ?? 0));
      const format = formatAsked(reply);
      const shown = entries.slice(0, query.limit ?? (format === null ? PAGE_ITEMS : undefined));
      if (format !== null) {
        return sendFile(reply, await traceFile(host, shown, format, wantsAll(query)));
      }
      const has_more = shown.length < entries.length;
      const next = has_more ? String(shown.at(-1)?.entry.index) : null;
      if (next !== null) linkNext(reply, { after: next });
      return {
        registers_before: registersBefore(host, shown),
        items: traceItems(host, shown),
        next_cursor: next,
        has_more,
      };
    },
  );
};
