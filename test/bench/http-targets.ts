/** What the HTTP benchmarks ask: the service, the same route without a database, and a bare Fastify route. */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { ALL_SCHEMAS } from '../../schemas/index.js';
import {
  type Transition,
  type TransitionRequest,
  TransitionRequestSchema,
  TransitionSchema,
} from '../../schemas/transition.js';
import { VcpuParamsSchema } from '../../schemas/vcpu.js';
import { buildApp } from '../../src/app.js';
import { findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import { createHost, type Host } from '../../src/service/hosts/host.js';
import { HostSession } from '../../src/service/hosts/host-session.js';
import { transitionItem } from '../../src/service/hosts/outcomes.js';
import { NO_TAIL } from '../../src/service/hosts/trace-text.js';
import type { Target } from './http-client.js';

export const BODY = JSON.stringify({ kind: 'round_trip', count: 1 });

const ROUTE = '/v1/hosts/:host/vcpus/:vcpu/transitions';
const SCHEMA = {
  params: VcpuParamsSchema,
  body: TransitionRequestSchema,
  response: { 200: TransitionSchema },
};
const EVENT = { counter: 'PMC0', precise_ip: 2, exclude_guest: true, pebs_data_cfg: 3 } as const;

/** The engine's route with everything around it but the database: Emerald Rapids on upstream-base with host PEBS. */
export async function memoryApp(): Promise<FastifyInstance> {
  const app = await buildApp();
  let host = emptyHost();
  const setUp = new HostSession(host);
  setUp.openEvent(EVENT);
  setUp.addVcpu({});
  host = setUp.finish();
  app.post<{ Body: TransitionRequest; Reply: Transition }>(
    ROUTE.replace('/v1', '/memory'),
    { schema: SCHEMA },
    async ({ body }) => {
      const session = new HostSession(host);
      const counts = await session.transition(0, body);
      // Nobody keeps the trace here.
      host = { ...session.finish(), tail: NO_TAIL };
      return transitionItem(host, session.run, 0, counts, false);
    },
  );
  return app;
}

function emptyHost(): Host {
  return createHost({
    id: 'host_1',
    createdAt: '2026-11-23T12:00:00.000Z',
    model: findCpuModel('emerald-rapids')!,
    kernel: findKernel('upstream-base')!,
    stepping: 2,
    microcode: { hi: 0, lo: 0 },
    cpus: 1,
    options: {},
  });
}

export const MEMORY_PATH = '/memory/hosts/host_1/vcpus/vcpu_2/transitions';

/** The same host on the service; the path of its vCPU's transitions. */
export async function makeVcpu(app: FastifyInstance): Promise<string> {
  const post = async (url: string, payload: object) =>
    (await app.inject({ method: 'POST', url, payload })).json();
  const host = await post('/v1/hosts', { cpu_model: 'emerald-rapids', kernel: 'upstream-base' });
  await post(`/v1/hosts/${host.id}/perf-events`, EVENT);
  const vcpu = await post(`/v1/hosts/${host.id}/vcpus`, {});
  return `/v1/hosts/${host.id}/vcpus/${vcpu.id}/transitions`;
}

/** Fastify as it comes, with our schemas and nothing else, whose route does only `work` and answers `answer`. */
export function bareApp(answer: object, work = async () => {}): FastifyInstance {
  const app = Fastify({ ajv: { customOptions: { strict: false } } });
  for (const schema of ALL_SCHEMAS) app.addSchema(schema);
  app.post(ROUTE, { schema: SCHEMA }, async () => {
    await work();
    return answer;
  });
  return app;
}

export async function listen(app: FastifyInstance, paths: readonly string[]): Promise<Target> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { port: (app.server.address() as AddressInfo).port, paths };
}
