/** The other actors of a host: NMIs, ticks, PMU disable and enable; and scripts, which combine everything. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { CpuActionRequest } from '../schemas/actor.js';
import { ActorOutcomeSchema, CpuActionRequestSchema, NmiRequestSchema } from '../schemas/actor.js';
import { HostParamsSchema } from '../schemas/host.js';
import { hostChangeProblems } from '../schemas/problem.js';
import { ScriptRequestSchema, ScriptSchema } from '../schemas/script.js';
import { sendReply, termsOf } from '../src/http/read/idempotency.js';
import type { HostSession } from '../src/service/hosts/host-session.js';
import { actorItem, scriptItem } from '../src/service/hosts/outcomes.js';
import { runScript } from '../src/service/hosts/scripts.js';

const CHANGE_PROBLEMS = hostChangeProblems('rule_violated');

/** The routes that act on one CPU and take only NMIs to inject. */
const CPU_ACTIONS = [
  {
    path: 'ticks',
    operationId: 'tick',
    summary: 'A timer tick',
    description: 'Restarts throttled events, between PMU disable and enable.',
    act: (session: HostSession, { cpu, inject }: CpuActionRequest) => session.tick(cpu, inject),
  },
  {
    path: 'pmu/disable',
    operationId: 'disablePmu',
    summary: 'PMU disable',
    description: 'perf_pmu_disable() on a CPU; the PMU stays disabled until PMU enable.',
    act: (session: HostSession, { cpu, inject }: CpuActionRequest) =>
      session.pmuDisable(cpu, inject),
  },
  {
    path: 'pmu/enable',
    operationId: 'enablePmu',
    summary: 'PMU enable',
    description: 'perf_pmu_enable() on a CPU whose PMU was disabled.',
    act: (session: HostSession, { cpu, inject }: CpuActionRequest) =>
      session.pmuEnable(cpu, inject),
  },
] as const;

export const actorRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { hosts } = app.services;

  app.post(
    '/hosts/:host/nmis',
    {
      config: { idempotent: true, optionalBody: true },
      schema: {
        tags: ['actors'],
        operationId: 'deliverNmi',
        summary: 'An NMI in the host',
        description:
          'Counters overflow and perf handles the PMI, throttling the given events; without counters it is an NMI from another source.',
        params: HostParamsSchema,
        body: NmiRequestSchema,
        response: { 200: ActorOutcomeSchema, ...CHANGE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const changed = await hosts.change(
        params.host,
        termsOf(request),
        (session) => session.nmi(body),
        (host, run, cpu) => actorItem(host, run, cpu.index),
      );
      return sendReply(reply, changed);
    },
  );

  for (const { path, act, ...texts } of CPU_ACTIONS) {
    app.post(
      `/hosts/:host/${path}`,
      {
        config: { idempotent: true, optionalBody: true },
        schema: {
          tags: ['actors'],
          ...texts,
          params: HostParamsSchema,
          body: CpuActionRequestSchema,
          response: { 200: ActorOutcomeSchema, ...CHANGE_PROBLEMS },
        },
      },
      async (request, reply) => {
        const { params, body } = request;
        const changed = await hosts.change(
          params.host,
          termsOf(request),
          (session) => act(session, body),
          (host, run, cpu) => actorItem(host, run, cpu.index),
        );
        return sendReply(reply, changed);
      },
    );
  }

  app.post(
    '/hosts/:host/scripts',
    {
      config: { idempotent: true },
      schema: {
        tags: ['actors'],
        operationId: 'runScript',
        summary: 'Several actions as one transaction',
        description:
          'Either all of them take effect or none. Counterexamples include such a script.',
        params: HostParamsSchema,
        body: ScriptRequestSchema,
        response: {
          200: ScriptSchema,
          ...hostChangeProblems(
            'limit_reached',
            'value_out_of_range',
            'rule_violated',
            'perf_errno',
          ),
        },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const changed = await hosts.change(
        params.host,
        termsOf(request),
        (session) => runScript(session, body),
        (host, run, results) => scriptItem(host, run, results),
      );
      return sendReply(reply, changed);
    },
  );
};
