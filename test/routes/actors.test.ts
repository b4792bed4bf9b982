/** The other actors of a CPU: NMIs, ticks and PMU sections, each with the NMIs that land in between. */
import t from 'tap';
import { openLab } from './lab.js';

t.test('an NMI from another source writes no IA32_PEBS_ENABLE', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  t.strictSame((await host.act('nmis')).msr_writes, [], 'without events perf has no handler');
  await host.event();
  const { msr_writes, throttles, violations } = await host.act('nmis');
  t.strictSame(msr_writes, [{ msr: 'IA32_PERF_GLOBAL_CTRL', via: 'perf_wrmsr', count: 2 }]);
  t.equal(throttles, 0);
  t.strictSame(violations, []);
});

t.test('an NMI handles overflows, and rewrites IA32_PEBS_ENABLE only if a bit went', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  await host.event({ counter: 'PMC1' });
  const written = async (body: Record<string, unknown>) =>
    (await host.act('nmis', body)).msr_writes.map(({ msr }) => msr).includes('IA32_PEBS_ENABLE');
  t.notOk(await written({ overflow: ['PMC0', 'PMC1'] }), 'nothing is throttled');
  t.ok(await written({ overflow: ['PMC0'], throttle: ['PMC1'] }), 'one is throttled');
  t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, ['PMC0']);
});

t.test('an NMI that cannot be is refused', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  await host.event({ counter: 'PMC1', precise_ip: 0 });
  await host.refuses('conflict', 'POST', '/nmis', { overflow: ['PMC5'] });
  const counting = await host.refuses('conflict', 'POST', '/nmis', { throttle: ['PMC1'] });
  t.match(counting.detail, /never throttled/);
  t.match((await host.refuses('rule_violated', 'POST', '/nmis', { throttle: ['PMC9'] })).errors, [
    { pointer: '/throttle/0' },
  ]);
  t.match((await host.refuses('rule_violated', 'POST', '/nmis', { cpu: 1 })).errors, [
    { pointer: '/cpu' },
  ]);
  await host.refuses('validation', 'POST', '/nmis', { throttle: ['PMC0', 'PMC0'] });
  await host.refuses('validation', 'POST', '/nmis', { trottle: ['PMC0'] });
});

t.test('a tick without work touches nothing', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event({ sample_period: 1000 });
  t.strictSame((await host.act('ticks')).msr_writes, [], 'no event in frequency mode');
  await host.event({ counter: 'PMC1', sample_freq: 4000 });
  t.not((await host.act('ticks')).msr_writes.length, 0, 'else it adjusts the period');
});

t.test('between PMU disable and enable the registers are 0', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const off = await host.act('pmu/disable');
  for (const name of ['IA32_PERF_GLOBAL_CTRL', 'IA32_PEBS_ENABLE']) {
    const view = off.msrs.find((msr) => msr.name === name);
    t.equal(view?.value, '0x0000000000000000', name);
  }
  const on = await host.act('pmu/enable');
  t.strictSame(on.msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE')?.bits, ['PMC0']);
  t.strictSame(on.violations, []);
});

t.test('an NMI may land in a section, between any two of its rows', async (t) => {
  const lab = await openLab(t);
  for (const [route, steps] of [
    ['pmu/disable', ['d1_n_added', 'd2_global_ctrl', 'd4_pebs_enable']],
    ['pmu/enable', ['e2_enabled', 'e3_pebs_enable', 'e5_fixed_ctrl', 'e6_global_ctrl']],
  ] as const) {
    for (const at of steps) {
      const host = await lab.host();
      await host.event();
      if (route === 'pmu/enable') await host.act('pmu/disable');
      const { throttles } = await host.act(route, {
        inject: [{ at, nmi: { throttle: ['PMC0'] } }],
      });
      t.equal(throttles, 1, at);
      if (route === 'pmu/disable') await host.act('pmu/enable');
      t.strictSame(await host.stuck(), [], `${at}: nothing is stuck`);
    }
  }
});

t.test('an NMI between the read and the write of e3 is undone by the write (H3)', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.12.117');
  await host.event();
  await host.act('pmu/disable');
  const inject = [{ at: 'e3_read_pebs_enabled', nmi: { throttle: ['PMC0'] } }];
  const { violations } = await host.act('pmu/enable', { inject });
  t.strictSame(await host.stuck(), ['PMC0']);
  t.ok(violations.some(({ invariant }) => invariant === 'I1'));
});

t.test('actions take place on the CPU they name', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.12.117', { cpus: 8 });
  await host.event({ cpu: 7 });
  const { cpu, throttles } = await host.act('nmis', { cpu: 7, throttle: ['PMC0'] });
  t.equal(cpu, 7);
  t.equal(throttles, 1);
  await host.refuses('conflict', 'POST', '/nmis', { cpu: 6, throttle: ['PMC0'] });
  await host.act('ticks', { cpu: 7 });
  t.strictSame((await host.msr('IA32_PEBS_ENABLE', 7)).bits, ['PMC0']);
  for (const route of ['ticks', 'pmu/disable', 'pmu/enable', 'nmis']) {
    await host.refuses('validation', 'POST', `/${route}`, { cpu: 8 });
    await host.refuses('validation', 'POST', `/${route}`, { cpu: -1 });
  }
});
