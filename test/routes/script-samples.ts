/** Scripts that tests share; run as a program with `run`, it prints what they answer, without ids and times. */
import process from 'node:process';
import { buildApp } from '../../src/app.js';

type Action = Readonly<Record<string, unknown>> & { readonly action: string };

/** The cover letter's race. */
export const RACE_SCRIPT: readonly Action[] = [
  {
    action: 'open_event',
    name: 'cycles',
    counter: 'PMC0',
    precise_ip: 2,
    exclude_guest: true,
  },
  { action: 'add_vcpu', name: 'guest-a' },
  {
    action: 'transition',
    vcpu: 'guest-a',
    kind: 'round_trip',
    inject: [{ at: 'k7_lapic_wait', nmi: { throttle: ['PMC0'] } }],
  },
];

/** The PMU is off when the NMI throttles the other event; disabling this one then leaves nothing to write. */
export const TWO_EVENTS_SCRIPT: readonly Action[] = [
  { action: 'open_event', name: 'a', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
  { action: 'open_event', name: 'b', counter: 'PMC1', precise_ip: 2, exclude_guest: true },
  {
    action: 'disable_event',
    event: 'a',
    inject: [{ at: 'd4_pebs_enable', nmi: { throttle: ['PMC1'] } }],
  },
];

const GUEST_SCRIPT: readonly Action[] = [
  { action: 'add_vcpu', name: 'guest-a' },
  { action: 'wrmsr', vcpu: 'guest-a', msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
  { action: 'wrmsr', vcpu: 'guest-a', msr: 'IA32_PEBS_ENABLE', value: '0x2' },
  { action: 'wrmsr', vcpu: 'guest-a', msr: 'IA32_PERFEVTSEL1', value: '0x43003c' },
  { action: 'transition', vcpu: 'guest-a', kind: 'round_trip', count: 1000 },
  { action: 'tick' },
  { action: 'transition', vcpu: 'guest-a', kind: 'micro_step', count: 17 },
];

/** Runs the scripts one after another on every kernel and prints all that can be read afterwards. */
async function print(): Promise<void> {
  const app = await buildApp();
  const { items: kernels } = (await app.inject('/v1/kernels')).json();
  for (const { id: kernel } of kernels) {
    const made = await app.inject({
      method: 'POST',
      url: '/v1/hosts',
      payload: { cpu_model: 'emerald-rapids', kernel },
    });
    const { id } = made.json();
    for (const actions of [RACE_SCRIPT, [{ action: 'tick' }], GUEST_SCRIPT_ON_SECOND, TWO_MORE]) {
      const answer = await app.inject({
        method: 'POST',
        url: `/v1/hosts/${id}/scripts`,
        payload: { actions },
      });
      process.stdout.write(`${answer.statusCode} ${withoutIdentity(answer.body, id)}\n`);
    }
    for (const part of ['', '/perf-events', '/vcpus', '/msrs', '/metrics', '/trace?limit=1000']) {
      const answer = await app.inject(`/v1/hosts/${id}${part}`);
      process.stdout.write(`${answer.statusCode} ${withoutIdentity(answer.body, id)}\n`);
    }
  }
  await app.close();
}

const GUEST_SCRIPT_ON_SECOND = GUEST_SCRIPT.map((action) => renamed(action, 'guest-b'));
const TWO_MORE = TWO_EVENTS_SCRIPT.filter(({ action }) => action === 'open_event').map(
  (action) => ({
    ...action,
    counter: `PMC${action.name === 'a' ? 3 : 4}`,
  }),
);

function renamed(action: Action, name: string): Action {
  return {
    ...action,
    ...('vcpu' in action ? { vcpu: name } : {}),
    ...('name' in action ? { name } : {}),
  };
}

function withoutIdentity(body: string, id: string): string {
  return body
    .replaceAll(id, 'host_x')
    .replace(/"created_at":"[^"]+"/g, '"created_at":""')
    .replace(/"request_id":"[^"]+"/g, '"request_id":""');
}

if (process.argv[2] === 'run') await print();
