/** The other actors of a host: NMIs, ticks, PMU disable and enable; and scripts, which combine everything. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { ActorOutcomeSchema, CpuActionRequestSchema, NmiRequestSchema } from '../schemas/actor.js';
import { HostParamsSchema } from '../schemas/host.js';
import { hostChangeProblems } from '../schemas/problem.js';
import { ScriptRequestSchema, ScriptSchema } from '../schemas/script.js';
import { actorItem, scriptItem } from '../src/service/hosts/outcomes.js';
import { runScript } from '../src/service/hosts/scripts.js';
import { hostChange } from './host-change.js';

const CHANGE_PROBLEMS = hostChangeProblems('rule_violated');

/** What the routes that act on one CPU have in common. */
const ON_CPU = { optionalBody: true, view: actorItem };
const CPU_ACTION = {
  tags: ['actors'],
  params: HostParamsSchema,
  body: CpuActionRequestSchema,
  response: { 200: ActorOutcomeSchema, ...CHANGE_PROBLEMS },
};

export const actorRoutes: FastifyPluginAsyncTypebox = async (app) => {
  hostChange(app, {
    ...ON_CPU,
    path: '/hosts/:host/nmis',
    schema: {
      ...CPU_ACTION,
      operationId: 'deliverNmi',
      summary: 'An NMI in the host',
      description:
        'Counters overflow and perf handles the PMI, throttling the given events; without counters it is an NMI from another source.',
      body: NmiRequestSchema,
    },
    act: (session, body) => session.nmi(body),
    actions: (body) => [{ action: 'nmi', ...body }],
  });

  hostChange(app, {
    ...ON_CPU,
    path: '/hosts/:host/ticks',
    schema: {
      ...CPU_ACTION,
      operationId: 'tick',
      summary: 'A timer tick',
      description: 'Restarts throttled events, between PMU disable and enable.',
    },
    act: (session, body) => session.tick(body),
    actions: (body) => [{ action: 'tick', ...body }],
  });

  hostChange(app, {
    ...ON_CPU,
    path: '/hosts/:host/pmu/disable',
    schema: {
      ...CPU_ACTION,
      operationId: 'disablePmu',
      summary: 'PMU disable',
      description: 'perf_pmu_disable() on a CPU; the PMU stays disabled until PMU enable.',
    },
    act: (session, body) => session.pmuDisable(body),
    actions: (body) => [{ action: 'pmu_disable', ...body }],
  });

  hostChange(app, {
    ...ON_CPU,
    path: '/hosts/:host/pmu/enable',
    schema: {
      ...CPU_ACTION,
      operationId: 'enablePmu',
      summary: 'PMU enable',
      description: 'perf_pmu_enable() on a CPU whose PMU was disabled.',
    },
    act: (session, body) => session.pmuEnable(body),
    actions: (body) => [{ action: 'pmu_enable', ...body }],
  });

  hostChange(app, {
    ...ON_CPU,
    path: '/hosts/:host/advance',
    schema: {
      ...CPU_ACTION,
      operationId: 'advanceCpu',
      summary: 'The rest of an operation',
      description:
        "An operation that micro_steps left in the middle goes on. If there is none, KVM reprograms the next counter of a guest whose WRMSR had reprogram: false. A vCPU's run goes on by transitions.",
    },
    act: (session, body) => session.advance(body),
    actions: (body) => [{ action: 'advance', ...body }],
  });

  hostChange(app, {
    path: '/hosts/:host/scripts',
    schema: {
      tags: ['actors'],
      operationId: 'runScript',
      summary: 'Several actions as one transaction',
      description: 'Either all of them take effect or none. Counterexamples include such a script.',
      params: HostParamsSchema,
      body: ScriptRequestSchema,
      response: {
        200: ScriptSchema,
        ...hostChangeProblems('limit_reached', 'value_out_of_range', 'rule_violated', 'perf_errno'),
      },
    },
    act: runScript,
    actions: ({ actions }) => actions,
    view: scriptItem,
  });
};
