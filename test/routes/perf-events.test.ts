/** perf events of a host: perf's own rules pick the counter, refuse with its errno, and say where each event stands. */
import t from 'tap';
import { PerfEventPageSchema, PerfEventSchema } from '../../schemas/perf-event.js';
import { bodyOf } from '../helper.js';
import { openLab, table } from './lab.js';

t.test('an event is opened, disabled, enabled and closed', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const created = await lab.send('POST', `${host.path}/perf-events`, {
    name: 'cycles',
    counter: 'PMC0',
    precise_ip: 2,
    exclude_guest: true,
  });
  const event = bodyOf(t, created, PerfEventSchema, 201);
  const path = `${host.path}/perf-events/${event.id}`;
  t.equal(created.headers.location, path);
  t.match(event, {
    name: 'cycles',
    cpu: 0,
    counter: 'PMC0',
    requested_counter: 'PMC0',
    sampling: { freq: 4000 },
    owner: 'host',
    state: 'active',
  });
  t.strictSame(await host.eventState(event), event);
  t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, ['PMC0']);

  const after = async (verb: 'enable' | 'disable', body?: object) =>
    bodyOf(t, await lab.send('POST', `${path}/${verb}`, body), PerfEventSchema);
  t.match(await after('disable'), { state: 'off', counter: null });
  t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, []);
  await host.refuses('conflict', 'POST', `/perf-events/${event.id}/disable`);
  t.match(await after('enable', {}), { state: 'active', counter: 'PMC0' });
  await host.refuses('conflict', 'POST', `/perf-events/${event.id}/enable`);

  const closed = await lab.send('DELETE', path);
  t.equal(closed.statusCode, 204);
  for (const [method, at] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/enable'],
    ['POST', '/disable'],
  ] as const) {
    await host.refuses('not_found', method, `/perf-events/${event.id}${at}`);
  }
  t.equal((await host.read()).events, 0);
});

t.test('perf picks the lowest free counter, and EBUSY says that none is left', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const { counter: _none, ...wish } = { counter: undefined };
  const picked: (string | null)[] = [];
  for (let i = 0; i < 8; i += 1) {
    const response = await lab.send('POST', `${host.path}/perf-events`, { precise_ip: 2, ...wish });
    picked.push(bodyOf(t, response, PerfEventSchema, 201).counter);
  }
  t.strictSame(
    picked,
    Array.from({ length: 8 }, (_, k) => `PMC${k}`),
  );
  const busy = await host.refuses('perf_errno', 'POST', '/perf-events', { precise_ip: 2 });
  t.equal(busy.errno, 'EBUSY');
  const taken = await host.refuses('perf_errno', 'POST', '/perf-events', { counter: 'PMC3' });
  t.equal(taken.errno, 'EBUSY');
  t.equal((await host.event({ counter: 'FIXED0' })).counter, 'FIXED0', 'fixed ones are apart');
  const page = bodyOf(t, await lab.get(`${host.path}/perf-events?limit=1000`), PerfEventPageSchema);
  t.equal(page.items.length, 9);
});

t.test('an event that may move makes room for one that may not', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const response = await lab.send('POST', `${host.path}/perf-events`, { precise_ip: 2 });
  const free = bodyOf(t, response, PerfEventSchema, 201);
  t.equal(free.counter, 'PMC0');
  t.equal((await host.event({ counter: 'PMC0' })).counter, 'PMC0');
  t.equal((await host.eventState(free)).counter, 'PMC1', 'it was moved and stays active');
  t.equal((await host.eventState(free)).state, 'active');
});

t.test('errno: perf refuses what Linux refuses', async (t) => {
  const refusals = table(`
    cpu model      | event                                                      | errno      | field
    emerald-rapids | {"precise_ip":2,"pebs_data_cfg":2,"large_pebs":true}       | EINVAL     | /large_pebs
    emerald-rapids | {"large_pebs":true,"sample_period":1000}                   | EINVAL     | /large_pebs
    emerald-rapids | {"aux_output":true}                                        | EINVAL     | /aux_output
    emerald-rapids | {"pebs_data_cfg":1}                                        | EINVAL     | /pebs_data_cfg
    haswell-x      | {"precise_ip":2,"pebs_data_cfg":1}                         | EINVAL     | /pebs_data_cfg
    haswell-x      | {"precise_ip":2,"counter":"FIXED0"}                        | EINVAL     | /counter
    emerald-rapids | {"precise_ip":3,"counter":"PMC1"}                          | EINVAL     | /counter
    emerald-rapids | {"group_leader":"stranger"}                                |            | /group_leader
    haswell-x      | {"counter":"PMC7"}                                         |            | /counter
  `);
  const lab = await openLab(t);
  for (const { 'cpu model': model, event = '', errno, field } of refusals) {
    const host = await lab.host(model);
    const code = errno === '' ? 'rule_violated' : 'perf_errno';
    const problem = await host.refuses(code, 'POST', '/perf-events', JSON.parse(event));
    t.equal(problem.errno ?? '', errno, event);
    t.match(problem.errors, [{ pointer: field }], event);
  }
  const two = await lab.host('emerald-rapids', 'upstream-base', { cpus: 2 });
  const leader = await two.event({ name: 'leader', cpu: 1 });
  const elsewhere = await two.refuses('perf_errno', 'POST', '/perf-events', {
    group_leader: leader.id,
  });
  t.match(elsewhere, { errno: 'EINVAL', errors: [{ pointer: '/group_leader' }] });
  const member = await two.event({ cpu: 1, counter: 'PMC1', group_leader: 'leader' });
  t.equal(member.group_leader, leader.id, 'a leader may be given by name');
  const grandchild = await two.refuses('perf_errno', 'POST', '/perf-events', {
    cpu: 1,
    group_leader: member.id,
  });
  t.equal(grandchild.errno, 'EINVAL', 'a member leads no group');
});

t.test('the shape of an event is checked field by field', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const pointer = async (
    body: unknown,
    code: 'validation' | 'value_out_of_range' | 'rule_violated',
  ) => (await host.refuses(code, 'POST', '/perf-events', body)).errors[0]?.pointer;
  t.equal(await pointer({ sample_period: 1, sample_freq: 1 }, 'rule_violated'), '/sample_freq');
  t.equal(await pointer({ precise_ip: 4 }, 'validation'), '/precise_ip');
  t.equal(await pointer({ precise_ip: '2' }, 'validation'), '/precise_ip');
  t.equal(await pointer({ counter: 'pmc0' }, 'validation'), '/counter');
  t.equal(await pointer({ counter: 'PMC9' }, 'rule_violated'), '/counter');
  t.equal(await pointer({ cpu: 1 }, 'rule_violated'), '/cpu');
  t.equal(await pointer({ exclude_kernel: true }, 'validation'), '/exclude_kernel');
  t.equal(await pointer({ sample_period: 0 }, 'validation'), '/sample_period');
  t.equal(await pointer({ name: 'a/b' }, 'validation'), '/name');
  const cfg = async (pebs_data_cfg: unknown) => {
    const body = { precise_ip: 2, pebs_data_cfg };
    return pointer(body, 'value_out_of_range');
  };
  t.equal(await cfg('0x100000000'), '/pebs_data_cfg');
  t.equal(await cfg('18446744073709551616'), '/pebs_data_cfg');
  t.equal(await cfg(2 ** 60), '/pebs_data_cfg');
});

t.test('a host can have at most 64 perf events', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  for (let i = 0; i < 64; i += 1) await host.event({ counter: 'PMC0', disabled: true });
  t.equal((await host.read()).events, 64);
  const problem = await host.refuses('limit_reached', 'POST', '/perf-events', { disabled: true });
  t.match(problem.detail, /at most 64 perf events/);
});

t.test('a throttled event stands still until the tick', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const event = await host.event();
  t.equal((await host.act('nmis', { throttle: ['PMC0'] })).throttles, 1);
  t.match(await host.eventState(event), { state: 'throttled', counter: 'PMC0' });
  t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, []);
  await host.refuses('conflict', 'POST', '/nmis', { throttle: ['PMC0'] });
  await host.act('ticks');
  t.equal((await host.eventState(event)).state, 'active');
  t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, ['PMC0']);
});

t.test('throttling takes the whole group where the kernel or an option says so', async (t) => {
  const lab = await openLab(t);
  for (const [kernel, group_throttle, sibling] of [
    ['linux-6.12.117', undefined, 'active'],
    ['upstream-base', undefined, 'throttled'],
    ['linux-6.12.117', true, 'throttled'],
    ['upstream-base', false, 'active'],
  ] as const) {
    const options = group_throttle === undefined ? {} : { options: { group_throttle } };
    const host = await lab.host('emerald-rapids', kernel, options);
    await host.event({ name: 'leader', counter: 'PMC1', precise_ip: 0, sample_period: 1000 });
    const member = await host.event({ counter: 'PMC0', group_leader: 'leader' });
    await host.act('nmis', { throttle: ['PMC1'] });
    t.equal((await host.eventState(member)).state, sibling, `${kernel} ${group_throttle}`);
    if (sibling === 'throttled') {
      t.strictSame(await host.stuck(), ['PMC0'], 'and nobody writes IA32_PEBS_ENABLE (H1)');
    }
  }
});

t.test('an event whose throttle mark was lost is stopped, and no tick starts it', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base');
  const period = { sample_period: 1000 };
  const leader = await host.event({ name: 'leader', ...period });
  const sibling = await host.event({ counter: 'PMC1', group_leader: 'leader', ...period });
  await host.act('nmis', { throttle: ['PMC0', 'PMC1'] });
  t.equal((await host.eventState(leader)).state, 'throttled');
  t.equal((await host.eventState(sibling)).state, 'stopped');
  t.equal((await lab.send('DELETE', `${host.path}/perf-events/${leader.id}`)).statusCode, 204);
  await host.act('ticks');
  t.match(await host.eventState(sibling), { state: /^stopped$/, counter: 'PMC1' });
});

t.test("KVM's own events are listed, and are not the host's to close", async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu();
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x43003c');
  const page = await lab.get(`${host.path}/perf-events`);
  const [event] = bodyOf(t, page, PerfEventPageSchema).items;
  t.match(event, { owner: vcpu.id, exclude_host: true, counter: 'PMC0', state: /^active$/ });
  const problem = await host.refuses('rule_violated', 'DELETE', `/perf-events/${event?.id}`);
  t.match(problem.detail, /KVM/);
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', 0);
  const off = await host.eventState(event ?? { id: '' });
  t.match(off, { state: 'off', counter: null }, 'it is off while the guest has its counter off');
});

t.test('an NMI may land while an event is enabled, disabled or closed', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const a = await host.event({ name: 'a' });
  await host.event({ name: 'b', counter: 'PMC1' });
  const inject = (at: string, more: object = {}) => ({
    inject: [{ at, nmi: { throttle: ['PMC1'] }, ...more }],
  });
  const path = `/perf-events/${a.id}`;
  const unknown = await host.refuses('rule_violated', 'POST', `${path}/disable`, inject('d9'));
  t.match(unknown.errors, [{ pointer: '/inject/0/at' }]);
  await host.refuses('conflict', 'POST', `${path}/disable`, inject('k5_switch:IA32_PEBS_ENABLE'));
  await host.refuses(
    'conflict',
    'POST',
    `${path}/disable`,
    inject('d2_global_ctrl', { occurrence: 2 }),
  );
  const other = { inject: [{ at: 'd4_pebs_enable', nmi: { throttle: ['PMC5'] } }] };
  await host.refuses('conflict', 'POST', `${path}/disable`, other);
  const off = await lab.send('POST', `${host.path}${path}/disable`, inject('d4_pebs_enable'));
  t.equal(bodyOf(t, off, PerfEventSchema).state, 'off');
  t.equal((await host.metrics()).throttles, 1);
});
