/** A host carried away as a script: made again from it, it is the same in all that can be read of it, and in what is stored. */
import t from 'tap';
import { type HostScript, HostScriptSchema, type ScriptAction } from '../../schemas/script.js';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { hostImage } from '../../src/service/hosts/host-image.js';
import { bodyOf, build, freshStorage, problemOf } from '../helper.js';
import { Dice } from '../pmu/random-walk.js';
import { randomAction } from '../service/hosts/random-actions.js';
import { Lab, LabHost, type Method, openLab } from './lab.js';

async function exported(host: LabHost): Promise<HostScript> {
  return bodyOf(host.lab.t, await host.lab.get(`${host.path}/script`), HostScriptSchema);
}

/** The host that an export makes: both bodies are taken as they are. */
async function madeAgain(lab: Lab, { host, script }: HostScript): Promise<LabHost> {
  const { cpu_model, kernel, ...more } = host;
  const made = await lab.host(cpu_model, kernel, { ...more });
  if (script.actions.length > 0) {
    const response = await lab.send('POST', `${made.path}/scripts`, script);
    lab.t.equal(response.statusCode, 200, response.body.slice(0, 300));
  }
  return made;
}

/** All that a client can read but the host's own id and age, and all that is stored but how its trace and actions are cut. */
async function all(host: LabHost) {
  const text = JSON.stringify(await host.everything());
  const found = await host.lab.app.services.hosts.get(host.item.id);
  const { tail: _tail, recorded, ...image } = JSON.parse(hostImage(found));
  const { created_at: _created, ...item } = await host.read();
  const seen = JSON.parse(text.replaceAll(host.item.id, 'host_0')) as { part: string }[];
  return {
    item: { ...item, id: 'host_0' },
    seen: seen.filter(({ part }) => part !== ''),
    image,
    actions: recorded?.actions,
  };
}

async function sameAgain(lab: Lab, host: LabHost, what: string): Promise<void> {
  const again = await madeAgain(lab, await exported(host));
  lab.t.strictSame(await all(again), await all(host), what);
  lab.t.strictSame(await exported(again), await exported(host), `${what}: so is its script`);
}

/** The trace of a copy begins with the copy. */
function withoutTrace({ seen, ...rest }: Awaited<ReturnType<typeof all>>) {
  return { ...rest, seen: seen.filter(({ part }) => !part.startsWith('/trace')) };
}

/** The request that does what an action of a script does; there are actions that only scripts have. */
function requestOf(action: ScriptAction): [Method, string, object] {
  const { action: kind, ...body } = action;
  const rest = (field: 'event' | 'vcpu') => {
    const { [field]: _, ...other } = body as Record<string, unknown>;
    return other;
  };
  switch (action.action) {
    case 'open_event':
      return ['POST', '/perf-events', body];
    case 'enable_event':
      return ['POST', `/perf-events/${action.event}/enable`, rest('event')];
    case 'disable_event':
      return ['POST', `/perf-events/${action.event}/disable`, rest('event')];
    case 'close_event':
      return ['DELETE', `/perf-events/${action.event}`, rest('event')];
    case 'add_vcpu':
      return ['POST', '/vcpus', body];
    case 'remove_vcpu':
      // The request has nothing to inject.
      return action.inject === undefined
        ? ['DELETE', `/vcpus/${action.vcpu}`, {}]
        : ['POST', '/scripts', { actions: [action] }];
    case 'wrmsr':
      return ['POST', `/vcpus/${action.vcpu}/wrmsr`, rest('vcpu')];
    case 'transition':
      return ['POST', `/vcpus/${action.vcpu}/transitions`, rest('vcpu')];
    case 'migrate':
      return ['POST', `/vcpus/${action.vcpu}/migrate`, rest('vcpu')];
    case 'nmi':
      return ['POST', '/nmis', body];
    case 'tick':
      return ['POST', '/ticks', body];
    case 'pmu_disable':
      return ['POST', '/pmu/disable', body];
    case 'pmu_enable':
      return ['POST', '/pmu/enable', body];
    case 'advance':
      return ['POST', '/advance', body];
    default:
      return ['POST', '/scripts', { actions: [{ action: kind, ...body }] }];
  }
}

/** So that there is something to act on. */
const PRELUDE: readonly ScriptAction[] = [
  { action: 'open_event', cpu: 0, counter: 'PMC0', precise_ip: 2, exclude_guest: true },
  { action: 'add_vcpu', cpu: 0, name: 'guest' },
  { action: 'wrmsr', vcpu: 'guest', msr: 'IA32_PERFEVTSEL1', value: 0x53003c },
  { action: 'wrmsr', vcpu: 'guest', msr: 'IA32_PERF_GLOBAL_CTRL', value: 3 },
  { action: 'open_event', cpu: 0, counter: 'PMC1', precise_ip: 1, exclude_guest: true },
];

t.test('hosts of random requests are made again from their scripts', async (t) => {
  const lab = await openLab(t);
  const kinds = new Set<string>();
  let [accepted, refused, violated] = [0, 0, 0];
  for (let seed = 0; seed < 12; seed += 1) {
    const dice = new Dice(seed);
    const kernel = KERNELS[(seed * 7) % KERNELS.length]!;
    const host = await lab.host(CPU_MODELS[seed % CPU_MODELS.length]!.id, kernel.id, {
      cpus: 1 + (seed % 3),
      ...(seed % 2 === 0 ? { name: `box ${seed}`, microcode: '0x10' } : {}),
    });
    for (let step = 0; step < 50; step += 1) {
      const now = await lab.app.services.hosts.get(host.item.id);
      const action = PRELUDE[step] ?? randomAction(now, dice);
      const twice = { actions: [action, randomAction(now, dice)] };
      const [method, path, body] =
        step > 5 && dice.chance(6) ? (['POST', '/scripts', twice] as const) : requestOf(action);
      const { statusCode } = await lab.send(method, `${host.path}${path}`, body);
      if (statusCode >= 400) refused += 1;
      else {
        accepted += 1;
        kinds.add(action.action);
      }
    }
    violated += (await host.metrics()).violations.length > 0 ? 1 : 0;
    await sameAgain(lab, host, `seed ${seed}`);
  }
  t.comment(`${accepted} accepted, ${refused} refused, ${violated} hosts with violations`);
  t.ok(accepted > 200 && refused > 50 && violated > 0, 'enough happened');
  t.ok(kinds.size > 14, [...kinds].join(' '));
});

t.test('names in a script are those that the requests used', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base', { name: 'box', cpus: 2 });
  await host.vcpu({ name: 'guest-a' });
  await host.wrmsr({ id: 'guest-a' }, 'IA32_PERFEVTSEL0', '0x43003c');
  await host.wrmsr({ id: 'guest-a' }, 'IA32_PERF_GLOBAL_CTRL', 1);
  const event = await host.event({ name: 'cycles', counter: 'PMC1' });
  await host.move({ id: 'guest-a' }, { inject: [{ at: 'k7_lapic_wait', nmi: {} }], trace: true });
  const { statusCode } = await lab.send('DELETE', `${host.path}/perf-events/${event.id}`);
  t.equal(statusCode, 204);
  const { host: made, script } = await exported(host);
  t.match(made, { name: 'box', cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6', cpus: 2 });
  t.strictSame(
    script.actions.map((action) => [
      action.action,
      'vcpu' in action ? action.vcpu : 'event' in action ? action.event : undefined,
    ]),
    [
      ['add_vcpu', undefined],
      ['wrmsr', 'guest-a'],
      ['wrmsr', 'guest-a'],
      ['open_event', undefined],
      ['transition', 'guest-a'],
      ['close_event', event.id],
    ],
  );
  await sameAgain(lab, host, 'an event opened after one of the guest has its id again');
});

t.test('a host to which nothing was done has an empty script', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('haswell-x', 'pebs-v1', { microcode: 7, stepping: 3 });
  await host.refuses('rule_violated', 'POST', '/perf-events', { counter: 'FIXED3' });
  const { host: made, script } = await exported(host);
  t.match(made, { microcode: '0x0000000000000007', stepping: 3 });
  t.strictSame(script, { actions: [] }, 'what was refused is not in it');
  await sameAgain(lab, host, 'empty');
});

t.test('a microcode load is in the script, and the host starts from the one before', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('haswell-x', 'upstream-base', { microcode: '0x36' });
  await host.script([{ action: 'microcode_load', microcode: '0x37' }]);
  t.equal((await exported(host)).host.microcode, '0x0000000000000036');
  await sameAgain(lab, host, 'isolated');
});

t.test('a copy has the actions of its original up to then, and its own', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu();
  await host.move(vcpu);
  const response = await lab.send('POST', `${host.path}/copies`, { name: 'copy' });
  const copy = new LabHost(lab, response.json());
  await host.event();
  await copy.move(vcpu, { count: 3 });
  const copyAgain = await all(await madeAgain(lab, await exported(copy)));
  t.strictSame(withoutTrace(copyAgain), withoutTrace(await all(copy)), 'the copy');
  await sameAgain(lab, host, 'the original');
  t.equal((await exported(copy)).host.name, 'copy');
  t.equal((await lab.send('DELETE', host.path)).statusCode, 204);
  t.equal((await exported(copy)).script.actions.length, 3, 'it does not need its original');
  problemOf(t, await lab.get(`${host.path}/script`), 'not_found');
});

t.test('a host with too many actions has no script and goes on working', async (t) => {
  const lab = await openLab(t);
  const ticks = (count: number) => Array(count).fill({ action: 'tick', cpu: 0 });
  const host = await lab.host();
  await host.script(ticks(999));
  await host.act('ticks');
  t.equal((await exported(host)).script.actions.length, 1000);
  await host.act('ticks');
  for (let round = 0; round < 2; round += 1) {
    const problem = problemOf(t, await lab.get(`${host.path}/script`), 'conflict');
    t.match(problem.detail, /More than 1000 actions or 255 KiB/);
    await host.act('ticks');
  }
});

t.test('a script that no body could hold is refused', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.vcpu({ name: 'guest' });
  const inject = Array.from({ length: 64 }, (_, at) => ({
    at: 'k1_run',
    occurrence: at + 1,
    nmi: {},
  }));
  const busy = { action: 'transition', vcpu: 'guest', kind: 'round_trip', count: 64, inject };
  await host.script(Array(78).fill(busy));
  t.equal((await exported(host)).script.actions.length, 79);
  await sameAgain(lab, host, 'nearly too many fields');
  await host.script(Array(8).fill(busy));
  const many = problemOf(t, await lab.get(`${host.path}/script`), 'conflict');
  t.match(many.detail, /more fields or values than a body can have/);
  await host.script(Array(20).fill(busy));
  const long = problemOf(t, await lab.get(`${host.path}/script`), 'conflict');
  t.match(long.detail, /255 KiB/);
});

t.test('hosts of an earlier version have no script', async (t) => {
  const storage = await freshStorage(t);
  const lab = new Lab(t, await build(t, { storage }));
  const host = await lab.host();
  await host.act('ticks');
  const { id } = host.item;
  const { pool } = storage.database;
  // As a version wrote it that did not know of actions.
  await pool.query(
    `update hosts set image = (image::jsonb - 'recorded')::text, version = version + 1 where id = $1`,
    [id],
  );
  for (let round = 0; round < 2; round += 1) {
    const problem = problemOf(t, await lab.get(`${host.path}/script`), 'conflict');
    t.match(problem.detail, /were not recorded/);
    await host.act('ticks');
  }
});
