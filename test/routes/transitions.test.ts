/** VM-entries and VM-exits: the race of the cover letter, where NMIs may land, what is impossible, and how long it takes. */
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { type Transition, TransitionSchema } from '../../schemas/transition.js';
import { bodyOf, problemOf } from '../helper.js';
import { openFreshLab, openLab, table } from './lab.js';

const THROTTLE = { throttle: ['PMC0'] };

t.test('the race: an NMI that throttles after the list is built', async (t) => {
  const lab = await openLab(t);
  const race = async (kernel: string) => {
    const host = await lab.host('emerald-rapids', kernel);
    const event = await host.event({ name: 'cycles' });
    const vcpu = await host.vcpu();
    const inject = [{ at: 'k7_lapic_wait', nmi: THROTTLE }];
    const answer = await host.move(vcpu, { inject, trace: true });
    return { host, event, vcpu, answer };
  };

  const before = await race('upstream-base');
  t.equal(before.answer.throttles, 1);
  t.equal(before.answer.position, 'host');
  t.match(
    before.answer.msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE'),
    {
      value: '0x0000000000000001',
      desired: '0x0000000000000000',
      stuck: ['PMC0'],
      vm_exit_load: '0x0000000000000001',
    },
    'before the series the VM-exit loads what perf no longer wants',
  );
  t.match(before.answer.violations.find(({ invariant }) => invariant === 'I1')?.first_at, {
    vcpu: before.vcpu.id,
    cpu: 0,
    at: 'k11_host',
  });
  const steps = before.answer.trace?.map(({ at }) => at) ?? [];
  t.strictSame(steps.slice(steps.indexOf('k4_list_build')), [
    'k4_list_build',
    'k5_switch:IA32_PERF_GLOBAL_CTRL',
    'k5_switch:IA32_DS_AREA',
    'k5_switch:MSR_PEBS_DATA_CFG',
    'k5_switch:IA32_PEBS_ENABLE',
    'k6_timer',
    'k7_lapic_wait',
    'nmi_throttle',
    'k8_prepare',
    'k9_vmlaunch',
    'v1_guest_state',
    'v2_entry_load',
    'v3_inject',
    'guest',
    'v4_save',
    'v5_host_state',
    'v6_exit_load',
    'k11_host',
    'k12_fastpath',
    'k13_irq_on',
  ]);
  t.strictSame(await before.host.stuck(), ['PMC0']);
  t.equal((await before.host.eventState(before.event)).state, 'throttled');

  await t.test('it survives closing the event and any number of PMU sections', async (t) => {
    const { host, event } = before;
    await lab.send('DELETE', `${host.path}/perf-events/${event.id}`);
    await host.act('pmu/disable');
    await host.act('pmu/enable');
    await host.act('ticks');
    t.strictSame(await host.stuck(), ['PMC0']);
  });

  await t.test('a tick that comes first heals it', async (t) => {
    const { host } = await race('upstream-base');
    await host.act('ticks');
    t.strictSame(await host.stuck(), []);
    t.strictSame((await host.msr('IA32_PEBS_ENABLE')).bits, ['PMC0']);
  });

  const after = await race('linux-6.12.117');
  t.strictSame(await after.host.stuck(), [], 'with the series nothing is stuck');
  t.equal(after.answer.throttles, 1);
  t.strictSame(after.answer.violations, []);
});

t.test('the same NMI at every micro-step: stuck, not stuck, or refused as §4 says', async (t) => {
  // On upstream-base: what an NMI that throttles right after the micro-step leaves stuck ("-" nothing).
  const positions = table(`
    micro-step                      | round trip
    k0_irq_off                      | -
    k1_run                          | -
    k2_state                        | -
    k3_cross_mapped                 | -
    k4_list_build                   | PMC0
    k5_switch:IA32_PERF_GLOBAL_CTRL | PMC0
    k5_switch:IA32_DS_AREA          | PMC0
    k5_switch:MSR_PEBS_DATA_CFG     | PMC0
    k5_switch:IA32_PEBS_ENABLE      | PMC0
    k6_timer                        | PMC0
    k7_lapic_wait                   | PMC0
    k8_prepare                      | PMC0
    k9_vmlaunch                     | rule_violated
    v1_guest_state                  | rule_violated
    v2_entry_load                   | rule_violated
    v3_inject                       | -
    guest                           | -
    v4_save                         | rule_violated
    v5_host_state                   | rule_violated
    v6_exit_load                    | rule_violated
    k11_host                        | -
    k12_fastpath                    | -
    k13_irq_on                      | -
    k10_nmi_exit                    | conflict
    k3_zero_global_ctrl             | conflict
    k11_fix_up                      | conflict
    e6_global_ctrl                  | conflict
    k5_switch                       | PMC0
    k5_switch:IA32_PMC0             | rule_violated
    host                            | rule_violated
    rest                            | rule_violated
    vm_entry                        | rule_violated
  `);
  const lab = await openLab(t);
  for (const { 'micro-step': at = '', 'round trip': outcome = '' } of positions) {
    const host = await lab.host();
    await host.event();
    const vcpu = await host.vcpu();
    const body = { kind: 'round_trip', inject: [{ at, nmi: THROTTLE }] };
    if (outcome === 'rule_violated' || outcome === 'conflict') {
      const path = `/vcpus/${vcpu.id}/transitions`;
      const problem = await host.refuses(outcome, 'POST', path, body);
      t.match(problem.errors[0]?.pointer, /^\/inject/, at);
    } else {
      const answer = await host.move(vcpu, body);
      t.equal(answer.throttles, 1, `an NMI lands after ${at}`);
      t.strictSame(await host.stuck(), outcome === '-' ? [] : [outcome], `${at}: ${outcome} stuck`);
    }
    await lab.send('DELETE', host.path);
  }
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  const nmi = { at: 'k10_nmi_exit', nmi: THROTTLE };
  await host.move(vcpu, { exit_reason: 'nmi', inject: [nmi] });
  t.strictSame(await host.stuck(), [], 'after an exit by an NMI another one finds fresh values');
});

t.test(
  'an NMI injected into the guest is an exit by NMI, handled with host values loaded',
  async (t) => {
    const lab = await openLab(t);
    const host = await lab.host();
    const event = await host.event();
    const vcpu = await host.vcpu();
    const inject = [{ at: 'guest', nmi: { throttle: ['PMC0'] } }];
    const answer = await host.move(vcpu, { inject, trace: true });
    const steps = answer.trace?.map(({ at }) => at) ?? [];
    t.ok(steps.includes('k10_nmi_exit'), 'KVM hands it to perf');
    t.notOk(steps.includes('k11_host'));
    t.strictSame(await host.stuck(), []);
    t.equal((await host.eventState(event)).state, 'throttled');
  },
);

t.test('occurrences count the passes of a request', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  const inject = (occurrence: number) => [{ at: 'k8_prepare', occurrence, nmi: THROTTLE }];
  const path = `/vcpus/${vcpu.id}/transitions`;
  const body = { kind: 'round_trip', count: 5, inject: inject(6) };
  await host.refuses('conflict', 'POST', path, body);
  const answer = await host.move(vcpu, { count: 5, inject: inject(5), trace: true });
  const trace = answer.trace ?? [];
  const trips = trace.slice(
    0,
    trace.findIndex(({ at }) => at === 'nmi_throttle'),
  );
  t.equal(trips.filter(({ at }) => at === 'k8_prepare').length, 5);
  t.strictSame(await host.stuck(), ['PMC0']);
});

t.test('micro-steps one by one make a round trip', async (t) => {
  const lab = await openLab(t);
  const [stepped, whole] = [await lab.host(), await lab.host()];
  for (const host of [stepped, whole]) await host.event({ pebs_data_cfg: 3 });
  const a = await stepped.vcpu();
  const b = await whole.vcpu();
  const { micro_steps } = await whole.move(b);
  const positions: string[] = [];
  for (let i = 0; i < micro_steps; i += 1) {
    const answer = await stepped.move(a, { kind: 'micro_step' });
    t.equal(answer.micro_steps, 1);
    positions.push(answer.position);
  }
  t.equal(positions.at(0), 'k0_irq_off');
  t.equal(positions.at(-1), 'host');
  t.ok(positions.includes('guest'));
  t.strictSame(await stepped.metrics(), await whole.metrics(), 'with the same counts');
  t.strictSame((await stepped.msrs()).msrs, (await whole.msrs()).msrs, 'and registers');
  t.equal((await stepped.vcpuState(a)).runs, 1);

  await stepped.move(a, { kind: 'micro_step', count: 5 });
  t.equal((await stepped.vcpuState(a)).position, 'k4_read_masks', 'several at once');
  await stepped.move(a, { kind: 'vm_entry' });
  t.equal((await stepped.vcpuState(a)).position, 'guest', 'VM-entry goes on from there');
  await stepped.move(a, { kind: 'micro_step' });
  t.equal((await stepped.vcpuState(a)).position, 'v4_save');
  await stepped.move(a, { kind: 'vm_exit' });
  t.equal((await stepped.vcpuState(a)).position, 'host');
});

t.test('what is impossible in the present state is refused and changes nothing', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base', { cpus: 2 });
  const event = await host.event();
  const off = await host.event({ counter: 'PMC1', disabled: true });
  const a = await host.vcpu();
  const b = await host.vcpu();
  const go = (vcpu: { id: string }, kind: string, more: object = {}) =>
    ['POST', `/vcpus/${vcpu.id}/transitions`, { kind, ...more }] as const;

  await host.refuses('conflict', ...go(a, 'vm_exit'));
  await host.refuses('conflict', 'POST', '/pmu/enable');

  await host.move(a, { kind: 'vm_entry' });
  t.equal((await host.vcpuState(a)).position, 'guest');
  await host.refuses('conflict', ...go(a, 'vm_entry'));
  await host.refuses('conflict', ...go(a, 'round_trip'));
  await host.refuses('conflict', ...go(b, 'vm_entry'));
  await host.refuses('conflict', ...go(b, 'vm_exit'));
  const nmi = await host.refuses('conflict', 'POST', '/nmis', THROTTLE);
  t.match(nmi, { detail: /in the guest.*inject/, errors: [{ pointer: '/cpu' }] });
  await host.refuses('conflict', 'POST', '/ticks');
  await host.refuses('conflict', 'POST', '/pmu/disable');
  await host.refuses('conflict', 'POST', `/perf-events/${off.id}/enable`);
  await host.refuses('conflict', 'POST', `/perf-events/${event.id}/disable`);
  await host.refuses('conflict', 'DELETE', `/perf-events/${event.id}`);
  await host.refuses('conflict', 'POST', '/perf-events', { counter: 'PMC2' });
  await host.refuses('conflict', 'POST', `/vcpus/${a.id}/migrate`, { cpu: 1 });
  await host.refuses('conflict', 'POST', `/vcpus/${a.id}/wrmsr`, {
    msr: 'IA32_PEBS_ENABLE',
    value: 1,
  });
  await host.act('ticks', { cpu: 1 });
  t.pass('the other CPU is free to do what it likes');
  await host.move(a, { kind: 'vm_exit' });

  await host.move(a, { kind: 'micro_step', count: 9 });
  await host.refuses('conflict', ...go(a, 'vm_exit'));
  await host.refuses('conflict', ...go(b, 'round_trip'));
  await host.refuses('conflict', 'POST', `/perf-events/${off.id}/enable`);
  await host.refuses('conflict', 'POST', '/ticks', { cpu: 0 });
  t.equal((await host.act('nmis', { cpu: 0 })).throttles, 0, 'an NMI may land meanwhile');
  await host.move(a, { kind: 'round_trip' });

  await host.act('pmu/disable');
  await host.refuses('conflict', 'POST', '/pmu/disable');
  await host.refuses('conflict', ...go(a, 'round_trip'));
  await host.refuses('conflict', 'POST', '/ticks');
  await host.act('pmu/enable');
  await host.move(a);
});

t.test('a refused transition in the middle of many undoes those before it', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  await host.refuses('conflict', 'POST', `/vcpus/${vcpu.id}/transitions`, {
    kind: 'vm_entry',
    count: 2,
  });
  t.equal((await host.vcpuState(vcpu)).runs, 0);
});

t.test('exit reasons', async (t) => {
  const lab = await openLab(t);
  const take = async (exit_reason: string, kernel = 'upstream-base') => {
    const host = await lab.host('emerald-rapids', kernel);
    await host.event();
    const vcpu = await host.vcpu();
    const { trace = [], position } = await host.move(vcpu, { exit_reason, trace: true });
    return { host, vcpu, position, steps: trace.map(({ at }) => at) };
  };
  const last = (steps: string[], count: number) => steps.slice(-count);

  const interrupt = await take('external_interrupt');
  t.strictSame(last(interrupt.steps, 4), [
    'v6_exit_load',
    'k11_host',
    'k12_fastpath',
    'k13_irq_on',
  ]);
  const hlt = await take('hlt');
  t.strictSame(hlt.steps, interrupt.steps, 'HLT takes the same way');
  const nmi = await take('nmi');
  t.strictSame(last(nmi.steps, 4), ['v6_exit_load', 'k10_nmi_exit', 'k12_fastpath', 'k13_irq_on']);
  t.equal((await nmi.host.metrics()).nmis, 1);

  const reenter = await take('fastpath_reenter');
  t.equal(reenter.position, 'k12_fastpath', 'the fast path is about to re-enter');
  const { trace = [] } = await reenter.host.move(reenter.vcpu, { trace: true });
  t.equal(trace[0]?.at, 'k1_run', 'interrupts stay off, the list is built again');
  t.ok(trace.some(({ at }) => at === 'k4_list_build'));
  t.equal((await reenter.host.vcpuState(reenter.vcpu)).runs, 2);

  const vmfail = await take('vmfail');
  t.strictSame(last(vmfail.steps, 3), ['k9_vmlaunch', 'k12_fastpath', 'k13_irq_on']);
  t.strictSame(
    (await vmfail.host.msr('IA32_PEBS_ENABLE')).lost,
    ['PMC0'],
    'nothing was loaded (H5)',
  );
  t.equal((await vmfail.host.vcpuState(vmfail.vcpu)).runs, 0, 'the guest never ran');
  const fixed = await take('vmfail', 'linux-6.12.117');
  t.strictSame((await fixed.host.msr('IA32_PEBS_ENABLE')).lost, []);

  const failure = await take('entry_failure');
  t.strictSame(last(failure.steps, 6), [
    'k9_vmlaunch',
    'v5_host_state',
    'v6_exit_load',
    'k11_host',
    'k12_fastpath',
    'k13_irq_on',
  ]);
  t.strictSame((await failure.host.msr('IA32_PEBS_ENABLE')).lost, [], 'the exit list is loaded');

  const host = await lab.host();
  const { id } = await host.vcpu();
  const { errors } = await host.refuses('validation', 'POST', `/vcpus/${id}/transitions`, {
    kind: 'round_trip',
    exit_reason: 'halt',
  });
  t.match(errors, [{ pointer: '/exit_reason', detail: /hlt/ }]);
});

t.test(
  'a round trip is a VM-exit that follows a VM-entry, however the vCPU is moved',
  async (t) => {
    const lab = await openLab(t);
    const counted = async (moves: readonly Record<string, unknown>[]) => {
      const host = await lab.host();
      const vcpu = await host.vcpu();
      for (const move of moves) await host.move(vcpu, move);
      const { runs, position } = await host.vcpuState(vcpu);
      return { runs, round_trips: (await host.metrics()).round_trips, position };
    };
    const reenter = { exit_reason: 'fastpath_reenter' };
    const entered = { kind: 'vm_entry' };
    const left = { kind: 'vm_exit' };
    const at = (runs: number, position: string) => ({ runs, round_trips: runs, position });
    t.strictSame(await counted([{ count: 3 }]), at(3, 'host'));
    t.strictSame(await counted([entered, left, entered, left]), at(2, 'host'));
    t.strictSame(await counted([{ ...reenter, count: 3 }, {}]), at(4, 'host'));
    const { micro_steps } = await (async () => {
      const host = await lab.host();
      return host.move(await host.vcpu());
    })();
    const steps = (count: number) => ({ kind: 'micro_step', count });
    t.strictSame(await counted([steps(micro_steps), steps(micro_steps)]), at(2, 'host'));
    // The second time round begins at k1, and the last micro-step, k13, does not come.
    const twice = { ...steps(2 * micro_steps - 3), ...reenter };
    t.strictSame(await counted([twice]), at(2, 'k12_fastpath'), 'the fast path has left twice');
    t.strictSame(await counted([{ exit_reason: 'vmfail' }]), at(0, 'host'), 'nothing was entered');
  },
);

t.test('in the guest, a view shows the mode, and no bit is called stuck or lost', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  await host.move(vcpu, { kind: 'vm_entry' });
  const { mode, running_vcpu, msrs } = await host.msrs();
  t.equal(mode, 'guest');
  t.equal(running_vcpu, vcpu.id);
  for (const { name, stuck, lost } of msrs) t.strictSame([...stuck, ...lost], [], name);
  t.match(await host.msr('IA32_PERF_GLOBAL_CTRL'), {
    value: '0x0001000f000000fe',
    desired: '0x0001000f000000ff',
    vm_entry_load: '0x0001000f000000fe',
    vm_exit_load: '0x0001000f000000ff',
  });
  t.match((await host.vcpuState(vcpu)).global_ctrl_field, {
    guest: '0x0001000f000000fe',
    host: '0x0001000f000000ff',
  });
});

t.test('the shape of a transition is checked field by field', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const { id } = await host.vcpu();
  const cases = table(`
    body                                                                       | pointer
    {}                                                                         | /kind
    {"kind":"roundtrip"}                                                       | /kind
    {"kind":"round_trip","count":0}                                            | /count
    {"kind":"round_trip","count":10000001}                                     | /count
    {"kind":"round_trip","count":1.5}                                          | /count
    {"kind":"round_trip","count":"1"}                                          | /count
    {"kind":"round_trip","counts":1}                                           | /counts
    {"kind":"round_trip","trace":"yes"}                                        | /trace
    {"kind":"round_trip","inject":[{"nmi":{}}]}                                | /inject/0/at
    {"kind":"round_trip","inject":[{"at":"guest"}]}                            | /inject/0
    {"kind":"round_trip","inject":[{"at":"guest","nmi":{"throttle":"PMC0"}}]}  | /inject/0/nmi/throttle
    {"kind":"round_trip","inject":[{"at":"guest","nmi":{"trottle":["PMC0"]}}]} | /inject/0/nmi/trottle
    {"kind":"round_trip","inject":[{"at":"Guest","nmi":{}}]}                   | /inject/0/at
  `);
  for (const { body = '', pointer } of cases) {
    const path = `/vcpus/${id}/transitions`;
    const { errors } = await host.refuses('validation', 'POST', path, JSON.parse(body));
    t.equal(errors[0]?.pointer, pointer, body);
  }
  const gone = [{ at: 'guest', nmi: { throttle: ['PMC15'] } }];
  const { errors } = await host.refuses('rule_violated', 'POST', `/vcpus/${id}/transitions`, {
    kind: 'round_trip',
    inject: gone,
  });
  t.match(errors, [{ pointer: '/inject/0/nmi/throttle/0', detail: /PMC15/ }]);
});

t.test('changes of one host wait for each other', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  const url = `${host.path}/vcpus/${vcpu.id}/transitions`;
  const requests = Array.from({ length: 30 }, () =>
    lab.send('POST', url, { kind: 'round_trip', count: 1000 }),
  );
  for (const response of await Promise.all(requests)) bodyOf(t, response, TransitionSchema);
  t.equal((await host.metrics()).round_trips, 30_000);
  t.equal((await host.vcpuState(vcpu)).runs, 30_000);

  const first = lab.send('POST', url, { kind: 'micro_step', count: 720_000 });
  const many = Array.from({ length: 100 }, () => lab.send('POST', url, { kind: 'round_trip' }));
  bodyOf(t, await first, TransitionSchema);
  const answers = await Promise.all(many);
  const refused = answers.filter(({ statusCode }) => statusCode !== 200);
  t.ok(refused.length >= 100 - 64, 'more than 64 at a time are too many');
  for (const response of refused) {
    problemOf(t, response, 'too_many_requests');
    t.equal(response.headers['retry-after'], '1');
  }
  const made = 60_000 + answers.length - refused.length;
  t.equal((await host.metrics()).round_trips, made, 'those refused did nothing');
});

t.test('a host deleted during a long transition is gone', async (t) => {
  const lab = await openFreshLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu();
  const long = lab.send('POST', `${host.path}/vcpus/${vcpu.id}/transitions`, {
    kind: 'micro_step',
    count: 600_000,
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal((await lab.send('DELETE', host.path)).statusCode, 204);
  problemOf(t, await long, 'not_found');
  t.notMatch((await lab.get('/metrics')).body, /^pebslab_vm_entries_total [1-9]/m);
});

t.test('many round trips in one request block nobody else', async (t) => {
  const lab = await openFreshLab(t);
  const host = await lab.host();
  await host.event({ pebs_data_cfg: 3 });
  const vcpu = await host.vcpu();
  await lab.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = lab.app.server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  const count = 1_000_000;
  const started = performance.now();
  let done = false;
  const long = fetch(`${base}${host.path}/vcpus/${vcpu.id}/transitions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // A run of micro-steps never comes back to where it was at the next one, so all of them are made.
    body: JSON.stringify({ kind: 'micro_step', count }),
  }).then(async (response) => {
    done = true;
    return { status: response.status, body: (await response.json()) as Transition };
  });
  let probes = 0;
  let longest = 0;
  while (!done) {
    const asked = performance.now();
    const answer = await fetch(`${base}/livez`);
    await answer.text();
    longest = Math.max(longest, performance.now() - asked);
    probes += 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const seconds = (performance.now() - started) / 1000;
  const { status, body } = await long;
  t.equal(status, 200);
  t.equal(body.transitions, count);
  t.comment(
    `${probes} GET /livez in ${seconds.toFixed(1)} s, the longest took ${longest.toFixed(0)} ms`,
  );
  // Where the request held the loop, one probe would be answered before its end, or none.
  t.ok(probes > 5, `${probes} were answered meanwhile; the aim is 100 ms each`);
});
