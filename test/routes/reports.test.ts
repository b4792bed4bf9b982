/** What public reports needed, over HTTP: a VMX abort, pseudo counters, the reset after 100 loops, scenarios with sources. */
import t from 'tap';
import { ScenarioPageSchema } from '../../schemas/scenario.js';
import { bodyOf } from '../helper.js';
import { openLab } from './lab.js';

const PEBS = { precise_ip: 2, sample_period: 100003, exclude_guest: true };

t.test('a VMX abort ends the transitions, is shown, and refuses what follows', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.4-rc2');
  await host.event({ ...PEBS, counter: 'PMC0' });
  const second = await host.event({ ...PEBS, counter: 'PMC1' });
  const vcpu = await host.vcpu();
  await lab.send('DELETE', `${host.path}/perf-events/${second.id}`);
  const made = await host.move(vcpu, { kind: 'round_trip', count: 1000 });
  t.equal(made.transitions, 1, 'the first of them is the last');
  t.ok(made.violations.some(({ invariant }) => invariant === 'I19'));
  t.equal((await host.msrs()).mode, 'shut_down');
  t.equal((await host.vcpuState(vcpu)).position, 'v6_vmx_abort');
  for (const [route, body] of [
    [`/vcpus/${vcpu.id}/transitions`, { kind: 'round_trip' }],
    [`/vcpus/${vcpu.id}/transitions`, { kind: 'micro_step' }],
    ['/nmis', {}],
    ['/ticks', {}],
  ] as const) {
    const { detail } = await host.refuses('conflict', 'POST', route, body);
    t.match(detail, /shut down after a VMX abort/, route);
  }
});

t.test('an event on a pseudo counter is taken where the kernel takes it', async (t) => {
  const lab = await openLab(t);
  const faulty = await lab.host('haswell-x', 'linux-5.11');
  const { counter } = await faulty.event({ ...PEBS, precise_ip: 1, counter: 'VLBR' });
  t.equal(counter, 'VLBR');
  const register = await faulty.msr('IA32_PEBS_ENABLE');
  t.equal(register.desired, '0x0400000000000000');
  t.equal(register.value, '0x0000000000000000');
  t.strictSame(register.lost, ['VLBR']);
  const mended = await lab.host('haswell-x', 'linux-6.1.187');
  const body = { ...PEBS, precise_ip: 1, counter: 'VLBR' };
  t.match(await mended.refuses('perf_errno', 'POST', '/perf-events', body), {
    errno: 'EINVAL',
    errors: [{ pointer: '/counter' }],
  });
  await faulty.refuses('rule_violated', 'POST', '/nmis', { overflow: ['VLBR'] });
});

t.test('an NMI whose status never clears resets the PMU, by itself and injected', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.3.4');
  await host.event({ ...PEBS, counter: 'PMC0' });
  const { msr_writes, violations } = await host.act('nmis', { reset: true });
  const written = msr_writes.map(({ msr }) => msr);
  t.ok(written.includes('IA32_PERFEVTSEL7') && written.includes('IA32_FIXED_CTR3'));
  t.notOk(written.includes('IA32_PEBS_ENABLE'), 'which it leaves alone');
  t.ok(violations.some(({ invariant }) => invariant === 'I17'));
  t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, ['PMC0']);

  const vcpu = await host.vcpu();
  const nmi = { reset: true };
  const inject = [{ at: 'k7_lapic_wait', nmi }];
  const made = await host.move(vcpu, { kind: 'round_trip', inject });
  t.ok(made.msr_writes.some(({ msr }) => msr === 'IA32_PERFEVTSEL7'));
  await host.refuses('conflict', 'POST', `/vcpus/${vcpu.id}/transitions`, {
    kind: 'round_trip',
    inject: [{ at: 'guest', nmi }],
  });
  await host.refuses('validation', 'POST', '/nmis', { reset: 1 });
});

t.test('scenarios of reports name their sources', async (t) => {
  const lab = await openLab(t);
  const page = bodyOf(t, await lab.get('/v1/scenarios?limit=1000'), ScenarioPageSchema);
  const reports = page.items.filter(({ id }) => id.startsWith('report-'));
  t.ok(reports.length >= 20, `${reports.length} reports`);
  for (const { id, sources } of reports) t.ok((sources?.length ?? 0) > 0, id);
  const cve = page.items.find(({ id }) => id === 'report-guest-only-pebs-linux-6.12.27');
  t.match(cve?.sources?.join(), /CVE-2025-37936/);
});
