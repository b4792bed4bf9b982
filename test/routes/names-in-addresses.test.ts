/** Names stand for ids in addresses, where they are unique. */
import t from 'tap';
import { HostSchema, HostsDeletedSchema } from '../../schemas/host.js';
import { PerfEventSchema } from '../../schemas/perf-event.js';
import { VcpuSchema } from '../../schemas/vcpu.js';
import { bodyOf, problemOf } from '../helper.js';
import { openFreshLab, openLab } from './lab.js';

t.test('a host, its vCPUs and its events are found by name', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.2.6', { name: 'old one' });
  const vcpu = await host.vcpu({ name: 'guest' });
  const event = await host.event({ name: 'cycles' });
  const path = '/v1/hosts/old%20one';
  t.equal(bodyOf(t, await lab.get(path), HostSchema).id, host.item.id);
  t.equal(bodyOf(t, await lab.get(`${path}/vcpus/guest`), VcpuSchema).id, vcpu.id);
  t.equal(bodyOf(t, await lab.get(`${path}/perf-events/cycles`), PerfEventSchema).id, event.id);
  for (const part of ['vcpus', 'perf-events', 'metrics', 'trace', 'msrs']) {
    const [byName, byId] = [
      await lab.get(`${path}/${part}`),
      await lab.get(`${host.path}/${part}`),
    ];
    t.equal(byName.statusCode, 200);
    t.equal(byName.body, byId.body, part);
  }
  const moved = await lab.send('POST', `${path}/vcpus/guest/transitions`, { kind: 'round_trip' });
  t.equal(moved.statusCode, 200, moved.body);
  const written = await lab.send('POST', `${path}/vcpus/guest/wrmsr`, {
    msr: 'IA32_FIXED_CTR_CTRL',
    value: 0,
  });
  t.equal(written.statusCode, 200, written.body);
  t.equal((await host.vcpuState(vcpu)).id, vcpu.id);

  const second = await lab.send('POST', `${path}/vcpus`, { name: vcpu.id });
  const { id } = bodyOf(t, second, VcpuSchema, 201);
  t.equal(
    second.headers.location,
    `${host.path}/vcpus/${id}`,
    'what is made has the id of its host',
  );
  t.equal(bodyOf(t, await lab.get(`${path}/vcpus/${vcpu.id}`), VcpuSchema).id, vcpu.id, 'ids win');

  const closed = await lab.send('DELETE', `${path}/perf-events/cycles`);
  t.equal(closed.statusCode, 204, closed.body);
  problemOf(t, await lab.get(`${path}/perf-events/cycles`), 'not_found');
  t.equal((await lab.send('DELETE', path)).statusCode, 204);
  problemOf(t, await lab.get(path), 'not_found');
  problemOf(t, await lab.get(host.path), 'not_found');
});

t.test('a name of several is refused with their ids', async (t) => {
  const lab = await openLab(t);
  const twins = [1, 2].map(() => lab.host('emerald-rapids', 'linux-7.2.6', { name: 'twin' }));
  const ids = (await Promise.all(twins)).map(({ item }) => item.id);
  for (const method of ['GET', 'DELETE'] as const) {
    const { detail } = problemOf(t, await lab.send(method, '/v1/hosts/twin'), 'ambiguous_name');
    for (const id of ids) t.match(detail, id);
  }
  const host = await lab.host();
  const [first, second] = [await host.vcpu({ name: 'v' }), await host.vcpu({ name: 'v' })];
  const move = { kind: 'round_trip' };
  const problem = await host.refuses('ambiguous_name', 'POST', '/vcpus/v/transitions', move);
  t.match(problem.detail, `${first.id}, ${second.id}`);
  await host.refuses('not_found', 'POST', '/vcpus/w/transitions', move);
  await host.refuses('not_found', 'GET', '/perf-events/v');
});

t.test('hosts are deleted by what they have in common', async (t) => {
  const lab = await openFreshLab(t);
  const make = async (model: string, kernel: string, name?: string) =>
    (await lab.host(model, kernel, name === undefined ? {} : { name })).item.id;
  const first = await make('emerald-rapids', 'upstream-base', 'a');
  const second = await make('emerald-rapids', 'linux-7.3.4', 'a');
  const third = await make('comet-lake', 'linux-7.3.4');
  const left = async () =>
    (await lab.get('/v1/hosts')).json().items.map(({ id }: { id: string }) => id);
  const remove = (query: string) => lab.send('DELETE', `/v1/hosts${query}`);
  for (const query of ['', '?all=false', '?all=true&name=a', '?nmae=a', '?name=']) {
    problemOf(t, await remove(query), 'validation');
  }
  const unknown = problemOf(t, await remove('?cpu_model=comet'), 'unknown_name');
  t.match(unknown.detail, /did you mean "comet-lake"/);
  t.strictSame(await left(), [third, second, first], 'what is refused deletes nothing');
  t.equal((await remove('?name=b')).json().deleted, 0);
  t.equal((await remove('?name=a&kernel=linux-7.3.4')).json().deleted, 1);
  t.strictSame(await left(), [third, first]);
  t.equal((await remove('?kernel=linux-7.2.6')).json().deleted, 1, 'by any name of the kernel');
  t.strictSame(await left(), [third]);
  t.equal(bodyOf(t, await remove('?all=true'), HostsDeletedSchema).deleted, 1);
  t.strictSame(await left(), []);
});
