/** Worlds to search and how the tests of explorations ask for them, on one app for each test file. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import root, { type Test } from 'tap';
import { type Exploration, ExplorationSchema } from '../../../schemas/exploration.js';
import { bodyOf, build } from '../../helper.js';

export const app: FastifyInstance = await build(root);

export const event = (counter: string) => ({ counter, precise_ip: 2, exclude_guest: true });
export const actors = (...kinds: string[]) => kinds.map((kind) => ({ kind }));

/** The main race with several events: more states than a test can wait for. */
export const HUGE = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: ['PMC0', 'PMC1', 'PMC2', 'PMC3'].map(event),
  vcpus: [{}, {}],
  actors: actors('nmi_throttle', 'event_enable', 'event_disable', 'tick', 'pmu_section'),
  nmi_timing: 'late',
} satisfies object;
export const WIDE_EVENTS = [...Array(8).keys()].map((counter) => event(`PMC${counter}`));
/** Some tens of thousands of states. */
export const MIDDLE = {
  ...HUGE,
  events: ['PMC0', 'PMC1'].map(event),
  actors: actors('nmi_throttle', 'tick'),
  nmi_timing: 'prompt',
};
export const SMALL = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: [event('PMC0')],
  vcpus: [{}],
  actors: actors('nmi_throttle'),
};
export const huge = (more: object = {}) => ({
  model: HUGE,
  properties: ['I11'],
  fold: false,
  ...more,
});

export function post(payload: object, prefer?: string) {
  const headers = prefer === undefined ? {} : { prefer };
  return app.inject({ method: 'POST', url: '/v1/explorations', headers, payload });
}

export async function started(t: Test, payload: object): Promise<Exploration> {
  return bodyOf(t, await post(payload), ExplorationSchema, 202);
}

/** Waits for the end, however slow the machine is. */
export async function ended(t: Test, payload: object): Promise<Exploration> {
  return toEnd(t, await started(t, payload));
}

async function toEnd(t: Test, exploration: Exploration): Promise<Exploration> {
  let now = exploration;
  while (now.finished_at === undefined) now = await read(t, exploration, 'wait=60');
  return now;
}

export async function read(t: Test, { id }: Exploration, prefer?: string): Promise<Exploration> {
  const headers = prefer === undefined ? {} : { prefer };
  const response = await app.inject({ url: `/v1/explorations/${id}`, headers });
  return bodyOf(t, response, ExplorationSchema);
}

export async function cancel(t: Test, exploration: Exploration): Promise<Exploration> {
  const url = `/v1/explorations/${exploration.id}/cancel`;
  const answer = bodyOf(t, await app.inject({ method: 'POST', url }), ExplorationSchema);
  return toEnd(t, answer);
}

/** Reads an exploration again and again until it is as wanted. */
export async function until(
  t: Test,
  exploration: Exploration,
  wanted: (now: Exploration) => boolean,
): Promise<Exploration> {
  let now = await read(t, exploration);
  while (!wanted(now) && now.finished_at === undefined) {
    await sleep(20);
    now = await read(t, exploration);
  }
  t.ok(wanted(now), `it came to be as wanted: ${now.state}`);
  return now;
}
