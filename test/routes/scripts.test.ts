/** Scripts: several actions as one transaction, with names for what they make. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openLab } from './lab.js';
import { RACE_SCRIPT, TWO_EVENTS_SCRIPT } from './script-samples.js';

t.test('a script does what its actions do one by one', async (t) => {
  const lab = await openLab(t);
  const [scripted, stepped] = [await lab.host(), await lab.host()];
  const answer = await scripted.script(RACE_SCRIPT);
  t.strictSame(
    answer.results.map(({ action }) => action),
    RACE_SCRIPT.map(({ action }) => action),
  );
  await stepped.event({ name: 'cycles' });
  const vcpu = await stepped.vcpu({ name: 'guest-a' });
  await stepped.move(vcpu, {
    inject: [{ at: 'k7_lapic_wait', nmi: { throttle: ['PMC0'] } }],
  });
  t.strictSame(await scripted.metrics(), await stepped.metrics());
  t.strictSame(await scripted.msrs(), await stepped.msrs());
  t.strictSame((await scripted.trace()).items, (await stepped.trace()).items);
  const view = answer.msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE');
  t.strictSame(view?.stuck, ['PMC0']);
  t.ok(answer.violations.some(({ invariant }) => invariant === 'I1'));
  t.equal(answer.results.at(-1)?.throttles, 1);
});

t.test('things are named by id or by a name that only one of them has', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu({ name: 'twin' });
  await host.vcpu({ name: 'twin' });
  const { results } = await host.script([
    { action: 'open_event', name: 'cycles', precise_ip: 2 },
    { action: 'disable_event', event: 'cycles' },
    { action: 'transition', vcpu: vcpu.id, kind: 'round_trip', count: 3 },
    { action: 'enable_event', event: 'cycles' },
    { action: 'close_event', event: 'cycles' },
    { action: 'wrmsr', vcpu: vcpu.id, msr: 'MSR_PEBS_DATA_CFG', value: 1 },
  ]);
  t.match(results[0]?.id, /^ev_/);
  t.equal(results[2]?.transitions, 3);
  t.equal(results[5]?.gp, true, 'a #GP is an answer, not a refusal');
  const refused = async (action: object) =>
    host.refuses('rule_violated', 'POST', '/scripts', { actions: [action] });
  const twin = await refused({ action: 'transition', vcpu: 'twin', kind: 'round_trip' });
  t.match(twin.errors, [{ pointer: '/actions/0/vcpu', detail: /more than one/ }]);
  const closed = await refused({ action: 'close_event', event: 'cycles' });
  t.match(closed.errors, [{ pointer: '/actions/0/event', detail: /names no perf event/ }]);
});

t.test('either all actions happen or none', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base', { cpus: 2 });
  await host.event({ name: 'here' });
  const prefix = [
    { action: 'open_event', name: 'cycles', counter: 'PMC0', precise_ip: 2, cpu: 1 },
    { action: 'add_vcpu', name: 'guest-a', cpu: 1 },
    { action: 'wrmsr', vcpu: 'guest-a', msr: 'IA32_DS_AREA', value: '0x1000' },
    { action: 'transition', vcpu: 'guest-a', kind: 'round_trip', count: 10 },
    { action: 'microcode_load', microcode: 7 },
    { action: 'nmi', cpu: 1, throttle: ['PMC0'] },
  ];
  const last = [
    [{ action: 'transition', vcpu: 'guest-a', kind: 'vm_exit' }, 'conflict', '/kind'],
    [{ action: 'migrate', vcpu: 'guest-a', cpu: 5 }, 'rule_violated', '/cpu'],
    [{ action: 'open_event', counter: 'PMC0', cpu: 1 }, 'perf_errno', '/counter'],
    [{ action: 'enable_event', event: 'nobody' }, 'rule_violated', '/event'],
    [{ action: 'pmu_enable', cpu: 1 }, 'conflict', '/cpu'],
    [{ action: 'tick', cpu: 3 }, 'rule_violated', '/cpu'],
    [
      { action: 'wrmsr', vcpu: 'guest-a', msr: 'IA32_DS_AREA', value: 2 ** 60 },
      'value_out_of_range',
      '/value',
    ],
    [{ action: 'microcode_load', microcode: 7 }, 'conflict', '/microcode'],
    [{ action: 'nmi', cpu: 1, throttle: ['PMC0'] }, 'conflict', ''],
    [{ action: 'tick', cpu: 1, inject: [{ at: 'guest', nmi: {} }] }, 'conflict', '/inject'],
    [{ action: 'tick', cpu: 9 }, 'validation', '/cpu'],
    [{ action: 'tock' }, 'validation', '/action'],
  ] as const;
  for (const [action, code, field] of last) {
    const actions = [...prefix, action];
    const problem = await host.refuses(code, 'POST', '/scripts', { actions });
    const pointer = problem.errors[0]?.pointer ?? '';
    if (field !== '') t.equal(pointer, `/actions/6${field}`, JSON.stringify(action));
    t.match(`${problem.detail} ${pointer}`, /\/actions\/6/, 'the action is named');
  }
  await host.script(prefix);
  t.pass('without the last action all of it is possible');
});

t.test('a script has 1 to 1,000 actions', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const ticks = (count: number) => Array(count).fill({ action: 'tick' });
  t.equal((await host.script(ticks(1000))).results.length, 1000);
  await host.refuses('validation', 'POST', '/scripts', { actions: [] });
  await host.refuses('validation', 'POST', '/scripts', { actions: ticks(1001) });
  await host.refuses('validation', 'POST', '/scripts', {});
  await host.refuses('validation', 'POST', '/scripts');
});

t.test('every action of the alphabet', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('haswell-x', 'upstream-base', { cpus: 2, microcode: '0x36' });
  t.equal(host.item.platform_class, 'K1');
  const { results, msrs } = await host.script([
    { action: 'open_event', name: 'a', counter: 'PMC0', precise_ip: 2, disabled: true },
    { action: 'enable_event', event: 'a' },
    { action: 'add_vcpu', name: 'guest-a' },
    { action: 'wrmsr', vcpu: 'guest-a', msr: 'IA32_PERFEVTSEL1', value: '0x43003c' },
    { action: 'transition', vcpu: 'guest-a', kind: 'round_trip' },
    { action: 'migrate', vcpu: 'guest-a', cpu: 1 },
    { action: 'transition', vcpu: 'guest-a', kind: 'round_trip' },
    { action: 'nmi', overflow: ['PMC0'] },
    { action: 'overflow', counters: ['PMC0'] },
    { action: 'tick' },
    { action: 'pmu_disable' },
    { action: 'pmu_enable' },
    { action: 'bpf_snapshot' },
    { action: 'microcode_load', microcode: '0x37' },
    { action: 'disable_event', event: 'a' },
    { action: 'close_event', event: 'a' },
    { action: 'remove_vcpu', vcpu: 'guest-a' },
  ]);
  t.equal(results.length, 17);
  t.equal(msrs.length, 8, 'the four registers of each of the two CPUs');
  const { platform_class, microcode } = await host.read();
  t.equal(platform_class, 'K2', 'the new microcode isolates PEBS');
  t.equal(microcode, '0x0000000000000037');
});

t.test('late microcode while IA32_PEBS_ENABLE is listed leaves a stale entry (H6)', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('haswell-x', 'linux-6.12.117', { microcode: '0x36' });
  await host.script([
    { action: 'open_event', name: 'a', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
    { action: 'add_vcpu', name: 'guest-a' },
    { action: 'transition', vcpu: 'guest-a', kind: 'round_trip' },
    { action: 'microcode_load', microcode: '0x37' },
    { action: 'close_event', event: 'a' },
    { action: 'transition', vcpu: 'guest-a', kind: 'round_trip' },
  ]);
  t.strictSame(await host.stuck(), ['PMC0']);
});

t.test('two PEBS events and a late NMI leave a bit stuck without any guest (H2)', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.12.117');
  const { results, violations } = await host.script(TWO_EVENTS_SCRIPT);
  t.equal(results.at(-1)?.throttles, 1);
  const stuck = await host.stuck();
  t.equal(stuck.length, 1, `stuck: ${stuck}`);
  t.ok(violations.some(({ invariant }) => invariant === 'I1'));
  t.equal((await host.metrics()).round_trips, 0);
});

t.test('an overflow waits for its NMI, wherever it comes', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.3.4');
  await host.script([
    { action: 'open_event', name: 'a', counter: 'PMC0', precise_ip: 2 },
    { action: 'add_vcpu', name: 'guest-a' },
  ]);
  // No NMI can land where this overflow does.
  const inject = [
    { at: 'k9_vmlaunch', overflow: ['PMC0'] },
    { at: 'k11_host', nmi: {} },
  ];
  const { results, msr_writes } = await host.script([
    { action: 'transition', vcpu: 'guest-a', kind: 'round_trip', inject },
    { action: 'overflow', counters: ['PMC0'] },
    { action: 'nmi', throttle: ['PMC0'] },
  ]);
  t.strictSame(
    results.map(({ throttles }) => throttles),
    [0, 0, 1],
  );
  const acknowledged = msr_writes.find(({ msr }) => msr === 'IA32_PERF_GLOBAL_STATUS_RESET');
  t.equal(acknowledged?.count, 2, 'each NMI found what had overflowed');
  const { items } = await host.trace();
  t.strictSame(
    items.filter(({ actor }) => actor === 'nmi').map(({ at }) => at),
    ['overflow', 'nmi', 'overflow', 'nmi_throttle'],
  );
  await host.refuses('conflict', 'POST', '/scripts', {
    actions: [{ action: 'overflow', counters: ['PMC1'] }],
  });
  const both = { at: 'guest', overflow: ['PMC0'], nmi: {} };
  await host.refuses('validation', 'POST', '/scripts', {
    actions: [{ action: 'tick', inject: [both] }],
  });
});

t.test('the same script gives the same answer in any process', async (t) => {
  const program = fileURLToPath(new URL('./script-samples.js', import.meta.url));
  const run = (): string => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, 'run'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    t.equal(status, 0, stderr);
    return stdout;
  };
  const [first, second] = [run(), run()];
  t.ok(first.length > 1000, 'there is an answer');
  t.equal(first, second);
});
