/** The vCPUs of a host: adding them, guest WRMSRs, transitions, migration. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { MigrateRequestSchema } from '../schemas/actor.js';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import { HostParamsSchema } from '../schemas/host.js';
import { hostChangeProblems, readProblems } from '../schemas/problem.js';
import { TransitionRequestSchema, TransitionSchema } from '../schemas/transition.js';
import {
  VcpuCreateSchema,
  VcpuPageSchema,
  VcpuParamsSchema,
  VcpuSchema,
  WrmsrRequestSchema,
  WrmsrSchema,
} from '../schemas/vcpu.js';
import { sendPage } from '../src/http/answer/paging.js';
import { termsOf } from '../src/http/read/idempotency.js';
import type { Host } from '../src/service/hosts/host.js';
import { placeOf, placesIn } from '../src/service/hosts/host-records.js';
import { guestPmu, vcpuItem } from '../src/service/hosts/host-views.js';
import { transitionItem } from '../src/service/hosts/outcomes.js';
import { hostChange } from './host-change.js';

const CHANGE_PROBLEMS = hostChangeProblems('limit_reached', 'value_out_of_range', 'rule_violated');

function indexOf(host: Host, reference: string): number {
  return placeOf(host.vcpus, reference, 'vCPU');
}

/** What the routes that act on one vCPU have in common. */
const ON_VCPU = { tags: ['vcpus'], params: VcpuParamsSchema };

export const vcpuRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { hosts } = app.services;

  hostChange(app, {
    path: '/hosts/:host/vcpus',
    optionalBody: true,
    schema: {
      tags: ['vcpus'],
      operationId: 'addVcpu',
      summary: 'Add a vCPU',
      description: 'Its MSR-load areas start empty; by default its guest sees a PMU.',
      params: HostParamsSchema,
      body: VcpuCreateSchema,
      response: { 201: VcpuSchema, ...CHANGE_PROBLEMS },
    },
    act: (session, body) => session.addVcpu(body),
    actions: (body) => [{ action: 'add_vcpu', ...body }],
    view: (host, _run, at) => vcpuItem(host, at),
    idOf: ({ id }) => id,
  });

  app.get(
    '/hosts/:host/vcpus',
    {
      schema: {
        tags: ['vcpus'],
        operationId: 'listVcpus',
        summary: 'List vCPUs',
        description: 'Lists the vCPUs of the host.',
        params: HostParamsSchema,
        querystring: PageQuerySchema,
        response: {
          200: VcpuPageSchema,
          ...readProblems('validation', 'not_found', 'ambiguous_name'),
        },
      },
    },
    async (request, reply) => {
      const host = await hosts.get(request.params.host);
      const items = placesIn(host.vcpus).map((at) => vcpuItem(host, at));
      return sendPage(reply, items, request.query, ({ id }) => id);
    },
  );

  app.get(
    '/hosts/:host/vcpus/:vcpu',
    {
      schema: {
        tags: ['vcpus'],
        operationId: 'getVcpu',
        summary: 'Get a vCPU',
        description: 'Its position, the PMU its guest sees, and its MSR-load areas.',
        params: VcpuParamsSchema,
        response: { 200: VcpuSchema, ...readProblems('not_found', 'ambiguous_name') },
      },
    },
    async ({ params }) => {
      const host = await hosts.get(params.host);
      return vcpuItem(host, indexOf(host, params.vcpu));
    },
  );

  app.delete(
    '/hosts/:host/vcpus/:vcpu',
    {
      schema: {
        ...ON_VCPU,
        operationId: 'removeVcpu',
        summary: 'Remove a vCPU',
        description:
          'As when its VM is torn down: KVM releases the perf events behind its guest counters, and its thread ends. Its CPU must be idle. The trace goes on naming it.',
        response: {
          204: NothingSchema,
          ...readProblems(
            'not_found',
            'ambiguous_name',
            'conflict',
            'precondition_failed',
            'too_many_requests',
          ),
        },
      },
    },
    async (request, reply) => {
      const { host, vcpu } = request.params;
      const { headers } = await hosts.change(
        host,
        termsOf(request),
        {
          act: (session) => session.removeVcpu(indexOf(session.draft, vcpu), {}),
          actions: [{ action: 'remove_vcpu', vcpu }],
        },
        () => null,
      );
      return reply.code(204).headers(headers).send(null);
    },
  );

  hostChange(app, {
    path: '/hosts/:host/vcpus/:vcpu/wrmsr',
    schema: {
      ...ON_VCPU,
      operationId: 'guestWrmsr',
      summary: 'Execute a WRMSR in the guest',
      description:
        'KVM emulates it: the answer is the PMU the guest sees afterwards, or the #GP it takes.',
      body: WrmsrRequestSchema,
      response: { 200: WrmsrSchema, ...CHANGE_PROBLEMS },
    },
    act: (session, body, { vcpu }) => {
      const at = indexOf(session.draft, vcpu);
      return { at, fault: session.wrmsr(at, body) };
    },
    actions: (body, { vcpu }) => [{ action: 'wrmsr', vcpu, ...body }],
    view: (host, _run, { at, fault }) => ({
      gp: fault !== null,
      ...(fault === null ? {} : { reason: fault }),
      pmu: guestPmu(host, at),
    }),
  });

  hostChange(app, {
    path: '/hosts/:host/vcpus/:vcpu/transitions',
    schema: {
      ...ON_VCPU,
      operationId: 'makeTransitions',
      summary: 'Move a vCPU between host and guest',
      description:
        'VM-entries, VM-exits, round trips or single micro-steps, with NMIs landing right after the given micro-steps.',
      body: TransitionRequestSchema,
      response: { 200: TransitionSchema, ...CHANGE_PROBLEMS },
    },
    act: async (session, body, { vcpu }) => {
      const at = indexOf(session.draft, vcpu);
      return { at, counts: await session.transition(at, body) };
    },
    actions: (body, { vcpu }) => [{ action: 'transition', vcpu, ...body }],
    view: (host, run, { at, counts }, { trace }) => transitionItem(host, run, at, counts, trace),
  });

  hostChange(app, {
    path: '/hosts/:host/vcpus/:vcpu/migrate',
    schema: {
      ...ON_VCPU,
      operationId: 'migrateVcpu',
      summary: 'Move a vCPU to another CPU',
      description: 'Its events and its MSR-load areas move with it.',
      body: MigrateRequestSchema,
      response: { 200: VcpuSchema, ...CHANGE_PROBLEMS },
    },
    act: (session, { cpu }, { vcpu }) => {
      const at = indexOf(session.draft, vcpu);
      session.migrate(at, cpu);
      return at;
    },
    actions: ({ cpu }, { vcpu }) => [{ action: 'migrate', vcpu, cpu }],
    view: (host, _run, at) => vcpuItem(host, at),
  });
};
