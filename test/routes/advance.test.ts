/** Operations of the host that are left in the middle, and what then goes on. */
import t from 'tap';
import { type LabHost, openLab } from './lab.js';

/** Two events, one of them in frequency mode, so that a tick has work; the other can be enabled. */
async function prepare(host: LabHost): Promise<void> {
  await host.event({ name: 'on', sample_freq: 4000 });
  await host.event({ name: 'off', counter: 'PMC1', disabled: true });
}

const OPERATIONS = [
  { action: 'tick' },
  { action: 'enable_event', event: 'off' },
  { action: 'disable_event', event: 'on' },
  { action: 'close_event', event: 'on' },
  { action: 'open_event', name: 'new', counter: 'PMC2', precise_ip: 2 },
  { action: 'pmu_disable' },
];

t.test('an operation made a micro-step at a time is the operation', async (t) => {
  const lab = await openLab(t);
  for (const operation of OPERATIONS) {
    const [whole, cut] = [await lab.host(), await lab.host()];
    await prepare(whole);
    await prepare(cut);
    const { results } = await whole.script([operation]);
    const microSteps = results[0]?.micro_steps ?? 0;
    t.ok(microSteps >= 3, `${operation.action} has ${microSteps} micro-steps`);
    await cut.script([{ ...operation, micro_steps: 1 }]);
    for (let made = 1; made < microSteps; made += 1) {
      await cut.act('advance', { micro_steps: 1 });
    }
    t.strictSame(await cut.metrics(), await whole.metrics(), operation.action);
    t.strictSame(await cut.msrs(), await whole.msrs());
    t.strictSame((await cut.trace()).items, (await whole.trace()).items);
    const events = (host: LabHost) => lab.get(`${host.path}/perf-events`);
    t.strictSame((await events(cut)).json(), (await events(whole)).json());
  }
});

t.test('NMIs land in what is left of an operation', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.12.117');
  const event = await host.event();
  await host.act('pmu/disable', { micro_steps: 2 });
  await host.refuses('conflict', 'POST', '/advance', {
    inject: [{ at: 'd2_global_ctrl', nmi: {} }],
  });
  await host.act('nmis', { overflow: ['PMC0'] });
  const inject = [{ at: 'e3_read_pebs_enabled', nmi: { throttle: ['PMC0'] } }];
  const { throttles } = await host.act('advance', { inject });
  t.equal(throttles, 1);
  t.strictSame(await host.stuck(), ['PMC0']);
  t.equal((await host.eventState(event)).state, 'throttled');
});

t.test('nothing else begins on a CPU that is in the middle of an operation', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.3.4', { cpus: 2 });
  const vcpu = await host.vcpu();
  const event = await host.event();
  const off = await host.event({ counter: 'PMC1', disabled: true });
  const closed = await lab.send('DELETE', `${host.path}/perf-events/${event.id}`, {
    micro_steps: 4,
  });
  t.equal(closed.statusCode, 204);
  t.equal((await host.eventState(event)).id, event.id, 'it is not gone yet');
  for (const [path, body] of [
    ['/ticks', {}],
    ['/pmu/disable', {}],
    ['/pmu/enable', {}],
    ['/perf-events', { counter: 'PMC2', disabled: true }],
    [`/perf-events/${off.id}/enable`, {}],
    [`/vcpus/${vcpu.id}/transitions`, { kind: 'micro_step' }],
    [`/vcpus/${vcpu.id}/wrmsr`, { msr: 'IA32_PEBS_ENABLE', value: 1 }],
    [`/vcpus/${vcpu.id}/migrate`, { cpu: 1 }],
  ] as const) {
    const { detail } = await host.refuses('conflict', 'POST', path, body);
    if (!/pmu.enable|migrate/.test(path)) t.match(detail, /busy \(close_event\)/, path);
  }
  await host.act('ticks', { cpu: 1 });
  await host.act('advance');
  t.equal((await lab.get(`${host.path}/perf-events/${event.id}`)).statusCode, 404);
  await host.move(vcpu);
});

t.test('where nothing is to go on, or not so far', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const idle = await host.refuses('conflict', 'POST', '/advance', {});
  t.match(idle.errors, [{ pointer: '/cpu', detail: /no operation in progress/ }]);
  const long = await host.refuses('conflict', 'POST', '/pmu/disable', { micro_steps: 4 });
  t.match(long.errors, [{ pointer: '/micro_steps', detail: /only 3 micro-steps/ }]);
  await host.act('pmu/disable', { micro_steps: 3 });
  await host.act('pmu/enable');
  await host.refuses('validation', 'POST', '/pmu/disable', { micro_steps: 0 });
  const vcpu = await host.vcpu();
  await host.move(vcpu, { kind: 'vm_entry' });
  const running = await host.refuses('conflict', 'POST', '/advance', {});
  t.match(running.errors, [{ pointer: '/cpu', detail: /transitions/ }]);
});

t.test('what a CPU is at is the reason that is given', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.2.6', { cpus: 2 });
  const [vcpu, other] = [await host.vcpu(), await host.vcpu()];
  const event = await host.event();
  const everything = [
    ['/advance', {}],
    ['/pmu/enable', {}],
    ['/ticks', {}],
    ['/perf-events', { counter: 'PMC2' }],
    ['/scripts', { actions: [{ action: 'tick' }] }],
    ...[vcpu, other].flatMap(({ id }) => [
      [`/vcpus/${id}/wrmsr`, { msr: 'IA32_PEBS_ENABLE', value: 0 }] as const,
      [`/vcpus/${id}/transitions`, { kind: 'micro_step' }] as const,
      [`/vcpus/${id}/migrate`, { cpu: 1 }] as const,
    ]),
  ] as const;
  const refused = async (words: RegExp, but: RegExp): Promise<void> => {
    for (const [path, body] of everything.filter(([path]) => !but.test(path))) {
      t.match((await host.refuses('conflict', 'POST', path, body)).detail, words, path);
    }
  };
  await host.script([{ action: 'disable_event', event: event.id, micro_steps: 1 }]);
  await refused(/busy \(disable_event\)\.$/, /advance|migrate/);
  await host.act('advance');
  await host.act('pmu/disable', { micro_steps: 1 });
  await refused(/between PMU disable and PMU enable/, /advance|enable|migrate/);
  await host.act('pmu/enable');
  await host.move(vcpu, { kind: 'micro_step' });
  await refused(/CPU 0 is in the middle of a run of v0/, /advance|migrate|vcpu_1.transitions/);
  await host.move(vcpu);
  await host.event({ counter: 'PERF_METRICS', precise_ip: 1, exclude_guest: true });
  await host.move(vcpu);
  await refused(/shut down after a VMX abort/, /^$/);
});

t.test('KVM reprograms the counters of a guest an operation at a time', async (t) => {
  const lab = await openLab(t);
  const [whole, cut] = [await lab.host(), await lab.host()];
  const write = { msr: 'IA32_PERF_GLOBAL_CTRL', value: 0 };
  const prepared = [
    { action: 'add_vcpu', name: 'guest' },
    { action: 'wrmsr', vcpu: 'guest', msr: 'IA32_PERFEVTSEL0', value: '0x43003c' },
    { action: 'wrmsr', vcpu: 'guest', msr: 'IA32_PERFEVTSEL1', value: '0x43003c' },
  ];
  const { results } = await whole.script([
    ...prepared,
    { action: 'wrmsr', vcpu: 'guest', ...write },
  ]);
  const vcpu = { id: (await cut.script(prepared)).results[0]?.id ?? '' };
  const path = `/vcpus/${vcpu.id}/wrmsr`;
  const written = await lab.send('POST', `${cut.path}${path}`, { ...write, reprogram: false });
  t.equal(written.json().pmu.counters.length, 2, 'both events count as before');
  for (const [where, body] of [
    ['/ticks', {}],
    [path, write],
    [`/vcpus/${vcpu.id}/transitions`, { kind: 'round_trip' }],
  ] as const) {
    const { detail } = await cut.refuses('conflict', 'POST', where, body);
    t.match(detail, /^KVM must reprogram a guest counter first: advance the CPU/);
  }
  const made = await cut.script([
    { action: 'advance', micro_steps: 2 },
    { action: 'advance' },
    { action: 'advance' },
  ]);
  const sum = made.results.reduce((total, { micro_steps }) => total + (micro_steps ?? 0), 0);
  t.equal(sum, results.at(-1)?.micro_steps);
  t.strictSame(await cut.metrics(), await whole.metrics(), 'counted as writes for the guest');
  t.strictSame(await cut.msrs(), await whole.msrs());
  await cut.move(vcpu);
});

t.test("KVM's events are enabled and disabled by their guests only", async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.wrmsr(await host.vcpu(), 'IA32_PERFEVTSEL0', '0x43003c');
  const { items } = (await lab.get(`${host.path}/perf-events`)).json();
  for (const what of ['enable', 'disable']) {
    const path = `/perf-events/${items[0].id}/${what}`;
    t.match((await host.refuses('rule_violated', 'POST', path)).detail, /KVM owns this event/);
  }
});

t.test('closing an event on one CPU leaves what another is rescheduling as it is', async (t) => {
  const lab = await openLab(t);
  for (let microSteps = 1; microSteps < 10; microSteps += 1) {
    const host = await lab.host('emerald-rapids', 'linux-7.3.4', { cpus: 2 });
    const elsewhere = await host.event();
    const events = [
      await host.event({ cpu: 1 }),
      await host.event({ cpu: 1, counter: 'PMC1' }),
      await host.event({ cpu: 1, counter: 'PMC2', disabled: true }),
    ];
    await host.script([
      { action: 'enable_event', event: events[2]?.id, micro_steps: microSteps },
      { action: 'close_event', event: elsewhere.id },
      { action: 'advance', cpu: 1 },
    ]);
    for (const event of events) {
      t.equal((await host.eventState(event)).state, 'active', `after ${microSteps} micro-steps`);
    }
  }
});
