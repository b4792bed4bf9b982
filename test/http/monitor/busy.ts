/** Uses a service in all the ways that its metrics tell of. */
import type { FastifyInstance } from 'fastify';
import { RACE_LATE, request } from '../../service/campaigns/lab.js';
import { SMALL } from '../../worlds.js';

export const KERNELS = [
  'linux-7.3.4',
  'linux-7.2.6',
  'linux-6.18.55',
  'linux-6.12.117',
  'linux-6.12.107',
  'linux-6.6.158',
  'linux-6.1.187',
  'linux-5.11',
  'pebs-v1',
  'host-side-hardened',
  'linux-6.1.192',
  'linux-6.4-rc2',
  'zero-global-ctrl-e2',
];
const CPU_MODELS = ['haswell-x', 'emerald-rapids'];

export interface Client {
  post(path: string, payload: object, headers?: Record<string, string>): Promise<unknown>;
  get(path: string): Promise<unknown>;
}

export function clientOf(app: FastifyInstance, headers: Record<string, string> = {}): Client {
  return {
    post: async (path, payload, more = {}) =>
      (
        await app.inject({ method: 'POST', url: path, payload, headers: { ...headers, ...more } })
      ).json(),
    get: async (path) => (await app.inject({ url: path, headers })).json(),
  };
}

/** Of bpftrace, whose lines are JSON. */
const READINGS = { type: 'printf', data: '1442116042846 3 3f1 0\n' };

/** One round trip with a late throttling NMI, guests' WRMSRs and context switches around it. */
const SCRIPT = {
  actions: [
    { action: 'open_event', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
    { action: 'open_event', counter: 'FIXED0' },
    { action: 'add_vcpu', name: 'guest' },
    {
      action: 'transition',
      vcpu: 'guest',
      kind: 'round_trip',
      inject: [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }],
    },
    { action: 'transition', vcpu: 'guest', kind: 'round_trip', count: 5 },
  ],
};

export async function work({ post, get }: Client, kernels = KERNELS): Promise<void> {
  for (const kernel of kernels) {
    for (const cpu_model of CPU_MODELS) {
      const { id } = (await post('/v1/hosts', { cpu_model, kernel })) as { id: string };
      await post(`/v1/hosts/${id}/scripts`, SCRIPT);
    }
  }
  const wait = { prefer: 'wait=60' };
  const keyed = { 'idempotency-key': `key-${Math.random()}`, ...wait };
  await post('/v1/explorations', { model: SMALL }, keyed);
  await post('/v1/explorations', { model: SMALL }, keyed);
  await post('/v1/campaigns', request({ scenarios: [RACE_LATE] }), wait);
  await post('/v1/comparisons', { kernels: ['linux-7.2.6'], cpu_models: ['emerald-rapids'] });
  await post('/v1/observations?format=bpftrace&complete=true', READINGS);
  await get('/v1/kernels/none');
  await get('/none');
  await get('/livez');
}
