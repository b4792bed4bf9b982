/** vCPUs: what their guests see of the PMU and may write to it, and where they run. */
import t from 'tap';
import type { Msrs } from '../../schemas/msr.js';
import { type Vcpu, VcpuPageSchema, VcpuSchema } from '../../schemas/vcpu.js';
import { bodyOf, problemOf } from '../helper.js';
import { type LabHost, openLab, table } from './lab.js';

t.test('a vCPU is added, read and listed', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base', { cpus: 2 });
  const created = await lab.send('POST', `${host.path}/vcpus`, { name: 'guest-a', cpu: 1 });
  const vcpu = bodyOf(t, created, VcpuSchema, 201);
  t.equal(created.headers.location, `${host.path}/vcpus/${vcpu.id}`);
  t.match(vcpu, {
    name: 'guest-a',
    cpu: 1,
    vpmu: true,
    pebs: true,
    rtm: false,
    position: 'host',
    runs: 0,
    pmis: 0,
    vm_entry_msr_load: [],
    vm_exit_msr_load: [],
    global_ctrl_field: null,
  });
  t.equal(vcpu.pmu.eventsel.length, 8, 'the guest sees 8 general-purpose counters');
  const bare = bodyOf(t, await lab.send('POST', `${host.path}/vcpus`), VcpuSchema, 201);
  t.match(bare, { cpu: 0, vpmu: true }, 'a body is not needed');
  const page = bodyOf(t, await lab.get(`${host.path}/vcpus`), VcpuPageSchema);
  t.strictSame(page.items, [vcpu, bare]);
  t.strictSame(await host.vcpuState(vcpu), vcpu);
  const read = await lab.get(`${host.path}/vcpus/${vcpu.id}`);
  const again = await lab.get(`${host.path}/vcpus/${vcpu.id}`, {
    'if-none-match': String(read.headers.etag),
  });
  t.equal(again.statusCode, 304);
  problemOf(t, await lab.get(`${host.path}/vcpus/vcpu_zzz`), 'not_found');
  const other = await lab.host();
  problemOf(t, await lab.get(`${other.path}/vcpus/${vcpu.id}`), 'not_found');
  t.match((await host.refuses('rule_violated', 'POST', '/vcpus', { cpu: 2 })).errors, [
    { pointer: '/cpu', detail: /2 CPUs/ },
  ]);
  t.match((await host.refuses('validation', 'POST', '/vcpus', { vpmuu: true })).errors, [
    { pointer: '/vpmuu', detail: /did you mean "vpmu"/ },
  ]);
});

t.test('a host can have at most 16 vCPUs', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  for (let i = 0; i < 16; i += 1) await host.vcpu();
  const problem = await host.refuses('limit_reached', 'POST', '/vcpus', {});
  t.match(problem.detail, /at most 16 vCPUs/);
});

/** A vCPU whose guest has PEBS on PMC0 and counts on PMC1: two perf events of KVM. */
async function busyGuest(host: LabHost, name: string): Promise<Vcpu> {
  const vcpu = await host.vcpu({ name });
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x43003c');
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL1', '0x4300c0');
  await host.wrmsr(vcpu, 'IA32_DS_AREA', '0xffff888000049000');
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 1);
  await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_CTRL', 3);
  return vcpu;
}

async function remove(host: LabHost, { id }: { id: string }): Promise<void> {
  const response = await host.lab.send('DELETE', `${host.path}/vcpus/${id}`);
  host.lab.t.equal(response.statusCode, 204, response.body);
}

t.test('a vCPU that is removed leaves nothing behind but its place in the trace', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event({ name: 'cycles', counter: 'PMC2' });
  const before = await host.msrs();
  const vcpu = await busyGuest(host, 'guest');
  const other = await host.vcpu({ name: 'other' });
  await host.move(vcpu);
  t.equal((await host.read()).events, 3);
  const { writes_by_cause } = await host.metrics();
  await remove(host, { id: 'guest' });
  t.match(await host.read(), { events: 1, vcpus: 1 });
  const page = bodyOf(t, await lab.get(`${host.path}/vcpus`), VcpuPageSchema);
  t.strictSame(page.items, [other], 'the other one is as it was');
  for (const name of ['guest', vcpu.id]) {
    problemOf(t, await lab.get(`${host.path}/vcpus/${name}`), 'not_found');
    await host.refuses('rule_violated', 'POST', '/scripts', {
      actions: [{ action: 'sched_in', vcpu: name }],
    });
  }
  // Record groups stay until PEBS is used anew.
  const values = ({ msrs }: Msrs) =>
    msrs
      .filter(({ name }) => name !== 'MSR_PEBS_DATA_CFG')
      .map(({ name, value, desired }) => [name, value, desired]);
  t.strictSame(values(await host.msrs()), values(before), 'perf has what the host wants');
  const items = (await host.trace()).items;
  t.equal(items.at(-1)?.at, 'remove_vcpu');
  t.equal(items.find(({ at }) => at === 'guest')?.vcpu, vcpu.id, 'the trace still names it');
  const closing = (await host.metrics()).writes_by_cause;
  t.ok(closing.guest.perf_wrmsr > writes_by_cause.guest.perf_wrmsr, 'KVM released its events');
  t.strictSame(closing.setup, writes_by_cause.setup);
  await host.move(other, { count: 3 });
  const next = await host.vcpu({ name: 'guest' });
  t.not(next.id, vcpu.id, 'its name is free, its id is not');
  await host.move(next);
  t.strictSame((await host.metrics()).violations, []);
  for (const format of ['text', 'mermaid', 'vcd', 'chrome', 'itf', 'ftrace', 'jsonl']) {
    const file = await lab.get(`${host.path}/trace?format=${format}&steps=all`);
    t.equal(file.statusCode, 200, format);
    // These two tell of registers and their writes only.
    if (format !== 'vcd' && format !== 'ftrace') t.match(file.body, /remove_vcpu/, format);
  }
});

t.test('a vCPU whose thread is elsewhere is removed without a write', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await busyGuest(host, 'guest');
  await busyGuest(host, 'other');
  const before = (await host.metrics()).msr_writes;
  await remove(host, vcpu);
  t.strictSame((await host.metrics()).msr_writes, before);
  t.equal((await host.read()).events, 2);
});

t.test('a vCPU is removed only while its CPU is idle', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.2.6', { cpus: 2 });
  const vcpu = await busyGuest(host, 'guest');
  const refused = async (why: RegExp) => {
    const problem = await host.refuses('conflict', 'DELETE', `/vcpus/${vcpu.id}`);
    t.match(problem.detail, why);
  };
  await host.move(vcpu, { kind: 'vm_entry' });
  await refused(/CPU 0 is in the guest of v0: a VM-exit comes first/);
  await host.move(vcpu, { kind: 'vm_exit' });
  await host.move(vcpu, { kind: 'micro_step', count: 3 });
  await refused(/in the middle of a run of v0/);
  await host.move(vcpu, { kind: 'round_trip' });
  await host.act('pmu/disable');
  await refused(/PMU enable comes first/);
  await host.act('pmu/enable');
  await host.act('pmu/disable', { cpu: 1 });
  await refused(/no CPU may have an operation in progress/);
  await host.act('pmu/enable', { cpu: 1 });
  const other = await host.vcpu({ name: 'other' });
  const write = { msr: 'IA32_PERF_GLOBAL_CTRL', value: 1, reprogram: false };
  await lab.send('POST', `${host.path}/vcpus/${vcpu.id}/wrmsr`, write);
  const waiting = await host.refuses('conflict', 'DELETE', `/vcpus/${other.id}`);
  t.match(waiting.detail, /KVM must reprogram a guest counter first/);
  const response = await lab.app.inject({
    method: 'DELETE',
    url: `${host.path}/vcpus/${vcpu.id}`,
    headers: { 'if-match': '"1"' },
  });
  problemOf(t, response, 'precondition_failed');
  await remove(host, vcpu);
  t.match(await host.read(), { events: 0, vcpus: 1 }, 'what is left to reprogram goes with it');
  problemOf(t, await lab.send('DELETE', `${host.path}/vcpus/${vcpu.id}`), 'not_found');
});

t.test('NMIs can land while KVM releases the events of a vCPU', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event({ counter: 'PMC2' });
  const vcpu = await busyGuest(host, 'guest');
  await host.move(vcpu);
  const inject = [{ at: 'd4_pebs_enable', occurrence: 2, nmi: { throttle: ['PMC2'] } }];
  const { results } = await host.script([{ action: 'remove_vcpu', vcpu: 'guest', inject }]);
  t.equal(results[0]?.throttles, 1);
  t.equal((await host.read()).vcpus, 0);
});

t.test('vCPUs may come and go as long as the trace has room for their names', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const first = await host.vcpu();
  const comesAndGoes = [
    { action: 'add_vcpu', name: 'brief' },
    { action: 'transition', vcpu: 'brief', kind: 'round_trip' },
    { action: 'remove_vcpu', vcpu: 'brief' },
  ];
  await host.script(Array(31).fill(comesAndGoes).flat());
  const problem = await host.refuses('limit_reached', 'POST', '/vcpus', {});
  t.match(problem.detail, /tells of 32 vCPUs already.* 1000 micro-steps make room/);
  await host.move(first, { count: 60 });
  const next = await host.vcpu({ name: 'brief' });
  await host.move(next);
  const named = new Set((await host.trace()).items.map(({ vcpu }) => vcpu));
  t.strictSame([...named], [first.id, next.id]);
  t.equal((await host.vcpuState(next)).runs, 1);
  t.strictSame(await host.vcpuState(first), { ...(await host.vcpuState(first)), runs: 60 });
});

t.test('a first violation goes on naming the vCPU it was found on', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base');
  await host.event();
  const vcpu = await host.vcpu();
  await host.move(vcpu, { inject: [{ at: 'k7_lapic_wait', nmi: { throttle: ['PMC0'] } }] });
  const found = (await host.metrics()).violations;
  t.ok(found.some(({ first_at }) => first_at.vcpu === vcpu.id));
  await remove(host, vcpu);
  const other = await host.vcpu();
  await host.move(other, { count: 80 });
  await host.vcpu();
  const now = (await host.metrics()).violations;
  t.strictSame(
    now
      .filter(({ invariant }) => found.some((one) => one.invariant === invariant))
      .map(({ first_at }) => first_at),
    found.map(({ first_at }) => first_at),
  );
});

t.test('a WRMSR of the guest is taken, or is a #GP that changes nothing', async (t) => {
  const writes = table(`
    cpu model      | vpmu  | msr                           | value              | reason
    emerald-rapids | true  | IA32_PEBS_ENABLE              | 0xff               |
    emerald-rapids | true  | IA32_PEBS_ENABLE              | 0x100000000        | general-purpose
    emerald-rapids | true  | IA32_PEBS_ENABLE              | 0x100              | general-purpose
    emerald-rapids | true  | IA32_DS_AREA                  | 0xffff888000049000 |
    emerald-rapids | true  | IA32_DS_AREA                  | 0x00007fffffffffff |
    emerald-rapids | true  | IA32_DS_AREA                  | 0x0000800000000000 | canonical
    emerald-rapids | true  | IA32_PERF_GLOBAL_CTRL         | 0x7000000ff        |
    emerald-rapids | true  | IA32_PERF_GLOBAL_CTRL         | 0x8000000000000000 | reserved
    emerald-rapids | true  | MSR_PEBS_DATA_CFG             | 0x2                | PEBS_BASELINE
    emerald-rapids | true  | IA32_PERFEVTSEL7              | 0x43003c           |
    emerald-rapids | true  | IA32_PERFEVTSEL8              | 0x43003c           | no such MSR
    emerald-rapids | true  | IA32_PERFEVTSEL0              | 0x100000000        | reserved
    emerald-rapids | true  | IA32_FIXED_CTR_CTRL           | 0xbb               |
    emerald-rapids | true  | IA32_FIXED_CTR_CTRL           | 0x4                | reserved
    emerald-rapids | false | IA32_PERF_GLOBAL_CTRL         | 0x1                | .
    emerald-rapids | false | IA32_DS_AREA                  | 0x1000             | .
    ice-lake       | true  | IA32_PEBS_ENABLE              | 0x1                | .
    haswell-x      | true  | IA32_DS_AREA                  | 0x1000             | .
    alder-lake-p   | true  | IA32_PERFEVTSEL0              | 0x43003c           | .
  `);
  const lab = await openLab(t);
  for (const { 'cpu model': model, vpmu, msr = '', value = '', reason = '' } of writes) {
    const host = await lab.host(model);
    const vcpu = await host.vcpu({ vpmu: vpmu === 'true' });
    const before = (await host.vcpuState(vcpu)).pmu;
    const answer = await host.wrmsr(vcpu, msr, value);
    const name = `${model}, vPMU ${vpmu}: ${msr} := ${value}`;
    t.equal(answer.gp, reason !== '', `${name} ${reason === '' ? 'is taken' : 'is a #GP'}`);
    if (reason === '') {
      t.notOk('reason' in answer);
      t.not(JSON.stringify(answer.pmu), JSON.stringify(before), `${name} is seen by the guest`);
    } else {
      t.match(answer.reason, new RegExp(reason));
      t.strictSame(answer.pmu, before, `${name} leaves the guest's PMU as it was`);
    }
    t.strictSame((await host.vcpuState(vcpu)).pmu, answer.pmu);
    const traced = (await host.trace()).items.find(({ at }) => at === 'guest_wrmsr');
    t.match(traced, { vcpu: vcpu.id, actor: 'guest', guest_write: { msr, gp: answer.gp } });
    t.equal(BigInt(traced?.guest_write?.value ?? -1), BigInt(value));
  }
});

t.test('the files of a trace tell what a guest writes', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu({ name: 'guest' });
  // Its thread is elsewhere, and must come first.
  await busyGuest(host, 'other');
  await host.wrmsr(vcpu, 'IA32_DS_AREA', '0xffff888000049000');
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', '0x100000001');
  const { body } = await lab.get(`${host.path}/trace?format=ftrace`);
  const lines = body.split('\n').filter((line) => line.includes('kvm_msr'));
  t.strictSame(
    lines.slice(-2).map((line) => line.replace(/ {2,}\d+\.\d+/, '')),
    [
      '       CPU 0/KVM-4200    [000] .....: kvm_msr: msr_write 600 = 0xffff888000049000',
      '       CPU 0/KVM-4200    [000] .....: kvm_msr: msr_write 3f1 = 0x100000001 (#GP)',
    ],
  );
  const last = body
    .slice(0, body.indexOf(lines.at(-2)!))
    .trimEnd()
    .split('\n')
    .at(-1);
  t.match(last, /write_msr: 38f, value /, "the other one's events are switched out before");
  for (const format of ['text', 'mermaid', 'chrome', 'jsonl']) {
    const file = await lab.get(`${host.path}/trace?format=${format}`);
    t.match(file.body, /the guest writes 0xffff888000049000 to its IA32_DS_AREA/, format);
    t.match(file.body, /its IA32_PEBS_ENABLE, and takes a #GP/, format);
  }
});

t.test('a vCPU shows PEBS and RTM as it was told to, where KVM offers them', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.3.4');
  const bare = await host.vcpu({ pebs: false, rtm: true });
  t.match(bare, { vpmu: true, pebs: false, rtm: true });
  const pebs = await host.wrmsr(bare, 'IA32_PEBS_ENABLE', 1);
  t.match(pebs, { gp: true, reason: /IA32_PERF_CAPABILITIES/ });
  t.equal((await host.wrmsr(bare, 'IA32_PERFEVTSEL2', '0x3004300c0')).gp, false);
  t.match(await host.wrmsr(await host.vcpu(), 'IA32_PERFEVTSEL2', '0x3004300c0'), { gp: true });
  t.match(await host.vcpu({ vpmu: false, rtm: true }), { vpmu: false, pebs: false, rtm: false });
  const client = await lab.host('ice-lake', 'linux-7.3.4');
  t.match(await client.vcpu(), { vpmu: true, pebs: false }, 'its PEBS is not EPT-friendly');
  t.match((await host.refuses('validation', 'POST', '/vcpus', { pebs: 'no' })).errors, [
    { pointer: '/pebs' },
  ]);
});

t.test('a PEBS counter that overflows in the guest is bit 62 and a PMI to it', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.3.4');
  const vcpu = await host.vcpu();
  await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_CTRL', 0);
  await host.wrmsr(vcpu, 'IA32_PMC0', '0xfffffffffff0');
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x5300c0');
  await host.wrmsr(vcpu, 'IA32_DS_AREA', '0xffff888000049000');
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 1);
  await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_CTRL', 1);
  const inject = [{ at: 'guest', occurrence: 1, nmi: { overflow: ['PMC0'] } }];
  await host.move(vcpu, { kind: 'round_trip', inject });
  const after = await host.vcpuState(vcpu);
  t.match(after, { pmis: 0, pmu: { global_status: '0x4000000000000000', pmi_pending: true } });
  await host.move(vcpu, { kind: 'micro_step', count: 1 });
  t.equal((await host.vcpuState(vcpu)).position, 'd1_n_added', 'KVM pauses the counter first');
  await host.refuses('conflict', 'POST', `/vcpus/${vcpu.id}/wrmsr`, {
    msr: 'IA32_PERF_GLOBAL_STATUS_RESET',
    value: '0x4000000000000000',
  });
  await host.move(vcpu, { kind: 'round_trip' });
  t.match(await host.vcpuState(vcpu), { pmis: 1, runs: 2, pmu: { pmi_pending: false } });
  const read = await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_STATUS', 0);
  t.match(read, { gp: true, reason: /read-only/ });
  const reset = await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_STATUS_RESET', '0x4000000000000000');
  t.equal(reset.pmu.global_status, '0x0000000000000000');
  t.strictSame((await host.metrics()).violations, []);
});

t.test('a value that is no 64-bit value is no WRMSR', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const { id } = await host.vcpu();
  const path = `/vcpus/${id}/wrmsr`;
  const msr = 'IA32_PEBS_ENABLE';
  for (const value of ['0x10000000000000001', -1, '-0x1', 0.5, null, {}, '0b1', '']) {
    const { errors } = await host.refuses('validation', 'POST', path, { msr, value });
    t.equal(errors[0]?.pointer, '/value', JSON.stringify(value));
  }
  for (const value of [Number.MAX_SAFE_INTEGER + 1, '18446744073709551616']) {
    const { errors } = await host.refuses('value_out_of_range', 'POST', path, { msr, value });
    t.equal(errors[0]?.pointer, '/value', JSON.stringify(value));
  }
  const { errors } = await host.refuses('validation', 'POST', path, { msr: 'MSR_LBR', value: 0 });
  t.equal(errors[0]?.pointer, '/msr');
  const same = [await host.wrmsr({ id }, 'IA32_DS_AREA', '4096')];
  same.push(await host.wrmsr({ id }, 'IA32_DS_AREA', 4096));
  same.push(await host.wrmsr({ id }, 'IA32_DS_AREA', '0x1000'));
  for (const { pmu } of same) t.equal(pmu.ds_area, '0x0000000000001000');
});

t.test('guest PEBS on PMC1 is backed by PMC1, and runs in the guest', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.12.117');
  const vcpu = await host.vcpu();
  await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_CTRL', 3);
  await host.wrmsr(vcpu, 'IA32_DS_AREA', '0xffff888000049000');
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x43003c');
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 2);
  const { pmu } = await host.wrmsr(vcpu, 'IA32_PERFEVTSEL1', '0x43003c');
  t.strictSame(pmu.counters, [
    { counter: 'PMC0', host_counter: 'PMC0', precise_ip: 0 },
    { counter: 'PMC1', host_counter: 'PMC1', precise_ip: 1 },
  ]);
  t.equal(pmu.eventsel[1], '0x000000000043003c');
  await host.move(vcpu, { kind: 'vm_entry' });
  const inGuest = await host.msrs();
  t.equal(inGuest.mode, 'guest');
  t.equal(inGuest.running_vcpu, vcpu.id);
  t.match(await host.msr('IA32_PEBS_ENABLE'), { bits: ['PMC1'], vm_exit_load: undefined });
  t.equal((await host.msr('IA32_DS_AREA')).value, '0xffff888000049000');
  await host.refuses('conflict', 'POST', `/vcpus/${vcpu.id}/wrmsr`, {
    msr: 'IA32_PEBS_ENABLE',
    value: 0,
  });
  await host.move(vcpu, { kind: 'vm_exit' });
  t.equal((await host.msr('IA32_DS_AREA')).stuck.length, 0);
  t.strictSame((await host.metrics()).violations, []);
});

t.test('a counter backed by another number is cross-mapped', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-6.12.117');
  await host.event({ precise_ip: 0, exclude_guest: false });
  const vcpu = await host.vcpu();
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 2);
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL1', '0x43003c');
  const { pmu } = await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x43003c');
  const moved = pmu.counters.filter(({ counter, host_counter }) => counter !== host_counter);
  t.ok(moved.length > 0, JSON.stringify(pmu.counters));
  const mask = moved.reduce(
    (sum, { host_counter }) => sum | (1n << BigInt(host_counter?.slice(3) ?? 0)),
    0n,
  );
  t.equal(BigInt(pmu.host_cross_mapped_mask), mask);
});

t.test('a vCPU migrates between runs, and its lists go with it', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'pebs-v1', { cpus: 2 });
  await host.event({ name: 'watchdog', counter: 'FIXED1', precise_ip: 0, exclude_guest: false });
  const vcpu = await host.vcpu();
  const path = `/vcpus/${vcpu.id}/migrate`;
  await host.refuses('rule_violated', 'POST', path, { cpu: 2 });
  await host.refuses('validation', 'POST', path, { cpu: 8 });
  await host.refuses('validation', 'POST', path, {});
  await host.refuses('conflict', 'POST', path, { cpu: 0 });

  await host.move(vcpu, { kind: 'vm_entry' });
  const problem = await host.refuses('conflict', 'POST', path, { cpu: 1 });
  t.match(problem.detail, /middle of a run/);
  await host.move(vcpu, { kind: 'vm_exit' });

  await host.wrmsr(vcpu, 'IA32_DS_AREA', '0xffff888000049000');
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 2);
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x43003c');
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL1', '0x43003c');
  await host.move(vcpu);
  const listed = (await host.vcpuState(vcpu)).vm_exit_msr_load;
  const own = (await host.msr('IA32_DS_AREA', 0)).value;
  t.strictSame(
    listed.find(({ msr }) => msr === 'IA32_DS_AREA'),
    { msr: 'IA32_DS_AREA', value: own },
  );
  await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 0);
  const response = await lab.send('POST', `${host.path}${path}`, { cpu: 1 });
  t.equal(bodyOf(t, response, VcpuSchema).cpu, 1);
  t.strictSame((await host.vcpuState(vcpu)).vm_exit_msr_load, listed);

  await host.move(vcpu);
  const there = await host.msr('IA32_DS_AREA', 1);
  t.equal(there.value, own, "v1 loads the other CPU's DS area there (H7)");
  t.not(there.value, there.desired);
  const violated = (await host.metrics()).violations.map(({ invariant }) => invariant);
  t.ok(violated.includes('I5h'), `violates ${violated}`);
});

t.test('a vCPU may migrate while KVM has counters of another one to reprogram', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.3.4', { cpus: 2 });
  const [here, other] = [await host.vcpu(), await host.vcpu()];
  const path = `${host.path}/vcpus/${here.id}`;
  const write = { msr: 'IA32_PERFEVTSEL0', value: '0x43003c', reprogram: false };
  await lab.send('POST', `${path}/wrmsr`, write);
  const { detail } = await host.refuses('conflict', 'POST', `/vcpus/${here.id}/migrate`, {
    cpu: 1,
  });
  t.match(detail, /reprogram a guest counter first/);
  await lab.send('POST', `${host.path}/vcpus/${other.id}/migrate`, { cpu: 1 });
  t.equal((await host.vcpuState(other)).cpu, 1);
});
