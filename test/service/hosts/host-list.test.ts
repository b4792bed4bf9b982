/** A list of hosts shows each as it is, without unpacking its image; also hosts that were stored before lists did. */
import { Migrator } from 'kysely';
import t from 'tap';
import type { ScriptAction } from '../../../schemas/script.js';
import { CPU_MODELS } from '../../../src/pmu/arch/cpu-models.js';
import { KERNELS } from '../../../src/pmu/kernels/index.js';
import { createHost, type Host } from '../../../src/service/hosts/host.js';
import { hostConfig, hostImage } from '../../../src/service/hosts/host-image.js';
import { HostSession } from '../../../src/service/hosts/host-session.js';
import { hostItem } from '../../../src/service/hosts/host-summary.js';
import { runScript } from '../../../src/service/hosts/scripts.js';
import { ProblemError } from '../../../src/service/problem-error.js';
import { openDatabase } from '../../../src/store/database.js';
import { first } from '../../../src/store/migrations/2026-11-23-first.js';
import { emptyDatabase, meddler, startInstance } from '../../instances.js';
import { Dice } from '../../pmu/random-walk.js';
import { randomAction } from './random-actions.js';

/** A host with a past: events opened and closed, vCPUs, newer microcode. */
async function oldHost(seed: number): Promise<Host> {
  const dice = new Dice(seed);
  const model = CPU_MODELS[seed % CPU_MODELS.length]!;
  let host = createHost({
    id: `host_old${seed}`,
    ...(seed % 2 === 0 ? {} : { name: `old ${seed}` }),
    createdAt: new Date(1_800_000_000_000 + seed).toISOString(),
    model,
    kernel: KERNELS[seed % KERNELS.length]!,
    stepping: model.defaultStepping,
    microcode: { hi: seed % 3 === 0 ? 0xf0000000 : 0, lo: 0xffffff00 + seed },
    cpus: 1 + (seed % 8),
    options: {},
  });
  const begin: ScriptAction[] = [{ action: 'open_event', counter: 'PMC0' }, { action: 'add_vcpu' }];
  for (let step = 0; step < 30; step += 1) {
    const session = new HostSession(host);
    const action = begin[step] ?? randomAction(host, dice);
    // Older versions removed no vCPUs.
    if (action.action === 'remove_vcpu') continue;
    try {
      await runScript(session, { actions: [action] });
      host = session.finish();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
    }
  }
  return host;
}

t.test('hosts of an older version are listed as they are', async (t) => {
  const url = await emptyDatabase(t);
  const old = await openDatabase(url);
  // Back to what the first version made.
  await old.pool.query('drop schema public cascade');
  await old.pool.query('create schema public');
  const getMigrations = async () => ({ '2026-11-23-first': first });
  await new Migrator({ db: old.query, provider: { getMigrations } }).migrateToLatest();
  const hosts = await Promise.all(Array.from({ length: 26 }, (_, seed) => oldHost(seed)));
  for (const host of hosts) {
    await old.pool.query(
      'insert into hosts (id, version, config, image, created_at) values ($1, $2, $3, $4, $5)',
      [host.id, host.version, hostConfig(host), hostImage(host), host.createdAt],
    );
  }
  await old.close();

  const { app } = await startInstance(t, url, { role: 'api' });
  const { items } = (await app.inject('/v1/hosts?limit=1000&sort=oldest')).json();
  t.strictSame(items, JSON.parse(JSON.stringify(hosts.map(hostItem))));
  t.ok(
    items.some(({ events, vcpus }: { events: number; vcpus: number }) => events > 1 && vcpus > 1),
  );
});

t.test('a list follows every change, and does not look into images', async (t) => {
  const url = await emptyDatabase(t);
  const { app } = await startInstance(t, url, { role: 'api' });
  const post = async (path: string, payload: object) => {
    const response = await app.inject({ method: 'POST', url: path, payload });
    t.ok(response.statusCode < 300, response.body);
    return response.json();
  };
  const list = async () => (await app.inject('/v1/hosts')).json().items;
  const { id } = await post('/v1/hosts', {
    cpu_model: 'ice-lake-sp',
    kernel: 'pebs-v2',
    name: 'a',
  });
  const path = `/v1/hosts/${id}`;
  const same = async (what: string) => {
    const [item] = await list();
    t.strictSame(item, (await app.inject(path)).json(), what);
  };
  await same('made');
  const event = await post(`${path}/perf-events`, { precise_ip: 2 });
  await same('an event');
  const vcpu = await post(`${path}/vcpus`, {});
  await post(`${path}/vcpus/${vcpu.id}/transitions`, { kind: 'round_trip', count: 3 });
  await same('a vCPU that ran');
  await app.inject({ method: 'DELETE', url: `${path}/perf-events/${event.id}` });
  await post(`${path}/scripts`, { actions: [{ action: 'microcode_load', microcode: '0x100' }] });
  await same('closed, and another microcode');
  const before = await list();
  t.match(before, [{ events: 0, vcpus: 1, microcode: '0x0000000000000100' }]);

  const sql = await meddler(t, url);
  await sql.query(`update hosts set image = 'unreadable'`);
  t.strictSame(await list(), before);
});
