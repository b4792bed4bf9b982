/** What the story does, each act as the requests that it takes. Everything on screen is then read back from the host. */
import { type Api, get, post } from '../api/client.js';
import { curl } from '../frame/header-content.js';

export type Host = Api['Host'];

/** The last release before the series, and the one that has it. */
export const KERNELS = { faulty: 'linux-7.2.6', repaired: 'linux-7.3.4' } as const;
const CPU_MODEL = 'emerald-rapids';
const EVENT = { counter: 'PMC0', precise_ip: 2 as const, exclude_guest: true };
const RACE = {
  kind: 'round_trip' as const,
  inject: [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }],
};

/** A host that is profiled with PEBS, and a vCPU on it. */
export async function makeHost(kernel: string): Promise<Host> {
  const host = await post('/v1/hosts', { body: { cpu_model: CPU_MODEL, kernel } });
  const path = { host: host.id };
  await post('/v1/hosts/{host}/perf-events', { path, body: EVENT });
  await post('/v1/hosts/{host}/vcpus', { path, body: { name: 'guest' } });
  return host;
}

/** One run of the guest, with an NMI that throttles the event after KVM has made its lists. */
export async function runGuest(host: string): Promise<void> {
  await post('/v1/hosts/{host}/vcpus/{vcpu}/transitions', {
    path: { host, vcpu: 'guest' },
    body: RACE,
  });
}

/** The host as it is now. */
export async function readHost(host: string, signal: AbortSignal) {
  const path = { host };
  const [item, { msrs }, trace, steps] = await Promise.all([
    get('/v1/hosts/{host}', { path, signal }),
    get('/v1/hosts/{host}/msrs', { path, signal }),
    get('/v1/hosts/{host}/trace', { path, query: { limit: 1000 }, signal }),
    get('/v1/micro-steps', { query: { limit: 100 }, signal }),
  ]);
  const statements = new Map(steps.items.map(({ id, statement }) => [id, statement]));
  return { item, msrs, trace, statements };
}

export function makeCommands(kernel: string): string[] {
  return [
    `HOST=$(${curl('/v1/hosts', { cpu_model: CPU_MODEL, kernel })} | grep -o 'host_[0-9a-z]*')`,
    of('perf-events', EVENT),
    of('vcpus', { name: 'guest' }),
  ];
}

export function runCommands(): string[] {
  return [of('vcpus/guest/transitions', RACE), of('msrs')];
}

function of(route: string, body?: unknown): string {
  return curl(`/v1/hosts/HOST/${route}`, body).replace('/HOST/', '/$HOST/');
}
