/** Hosts: made, read, listed, deleted; their registers, counts and trace; and the catalogue they are made from. */
import t from 'tap';
import { CpuModelPageSchema, CpuModelSchema } from '../../schemas/cpu-model.js';
import { HostPageSchema, HostSchema } from '../../schemas/host.js';
import { InvariantPageSchema } from '../../schemas/invariant.js';
import { KernelPageSchema, KernelSchema } from '../../schemas/kernel.js';
import { ScenarioSchema } from '../../schemas/scenario.js';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { bodyOf, problemOf } from '../helper.js';
import { LabHost, openFreshLab, openLab } from './lab.js';

/** One of each class; `test/pmu/kernels.test.ts` has all of them. */
const ONE_OF_EACH_CLASS = {
  'comet-lake': 'K1',
  'sierra-forest': 'K2',
  'emerald-rapids': 'K3',
  'diamond-rapids': 'K4',
};

t.test('the catalogue', async (t) => {
  const lab = await openLab(t);
  const models = bodyOf(t, await lab.get('/v1/cpu-models'), CpuModelPageSchema).items;
  t.strictSame(
    models.map(({ id }) => id),
    CPU_MODELS.map(({ id }) => id),
    'has every CPU model once',
  );
  const classes = new Map(models.map(({ id, platform_class }) => [id, platform_class]));
  for (const [id, platform] of Object.entries(ONE_OF_EACH_CLASS)) {
    t.equal(classes.get(id), platform, id);
  }
  const kernels = bodyOf(t, await lab.get('/v1/kernels'), KernelPageSchema).items;
  for (const id of [
    'linux-6.1.192',
    'linux-6.12.117',
    'pebs-v1',
    'pebs-v2-1of4',
    'pebs-v2-2of4',
    'pebs-v2-3of4',
    'pebs-v2-4of4',
    'post-exit-fixup',
    'linux-7.2.6',
    'zero-global-ctrl-e1',
    'zero-global-ctrl-e2',
    'zero-global-ctrl-e3',
  ]) {
    t.ok(
      kernels.some((kernel) => kernel.id === id),
      `has ${id}`,
    );
  }
  const invariants = bodyOf(t, await lab.get('/v1/invariants'), InvariantPageSchema).items;
  for (const id of ['I1', 'I2', "I2'", 'I3', 'I3s', 'I4', 'I5h', 'I5g', 'I6', 'I8', 'I9', 'I12']) {
    t.ok(
      invariants.some((invariant) => invariant.id === id),
      `has ${id}`,
    );
  }
  for (const [list, items] of Object.entries({ 'cpu-models': models, kernels, invariants })) {
    for (const item of items) {
      const response = await lab.get(`/v1/${list}/${encodeURIComponent(item.id)}`);
      t.strictSame(response.json(), item, `${item.id} alone is as in the list`);
      t.ok(item.sources.length > 0, `${item.id} says where it was read`);
    }
    problemOf(t, await lab.get(`/v1/${list}/nonsense`), 'not_found');
  }
  const emerald = bodyOf(t, await lab.get('/v1/cpu-models/emerald-rapids'), CpuModelSchema);
  t.match(emerald, {
    perfmon_version: 5,
    counters: { general_purpose: 8, fixed: 4 },
    intel_ctrl: '0x0001000f000000ff',
    pebs: { kind: 'ds', baseline: true, ept: true },
    load_perf_global_ctrl: true,
  });
  const alias = bodyOf(t, await lab.get('/v1/kernels/pebs-v2'), KernelSchema);
  t.equal(alias.id, 'pebs-v2-4of4', 'v2 is its last patch');
  const before = bodyOf(t, await lab.get('/v1/kernels/upstream-base'), KernelSchema);
  t.equal(before.id, 'linux-7.2.6', 'mainline before the series');
  const scenario = await lab.get('/v1/scenarios/matrix-upstream-base-k3-late');
  t.equal(bodyOf(t, scenario, ScenarioSchema).id, 'matrix-linux-7.2.6-k3-late');
});

t.test('what a kernel makes of a CPU model', async (t) => {
  const lab = await openLab(t);
  const models = bodyOf(t, await lab.get('/v1/cpu-models'), CpuModelPageSchema).items;
  const kernels = bodyOf(t, await lab.get('/v1/kernels'), KernelPageSchema).items;
  for (const { id, cpu_models } of kernels) {
    t.strictSame(
      cpu_models.map(({ cpu_model }) => cpu_model),
      models.map((model) => model.id),
      `${id} says of every model what it makes of it`,
    );
  }
  const kernel = bodyOf(t, await lab.get('/v1/kernels/linux-6.1.192'), KernelSchema);
  t.equal(kernel.guest_global_ctrl_at_reset, 'zero');
  const on61 = (id: string) => kernel.cpu_models.find(({ cpu_model }) => cpu_model === id);
  t.strictSame(on61('emerald-rapids'), {
    cpu_model: 'emerald-rapids',
    platform_class: 'K2',
    known: true,
    pebs: 'ds',
    pebs_ept: false,
    precise_ip_max: 3,
    certainty: 'read',
    source: 'Linux 6.1.192 arch/x86/events/intel/core.c:6516',
  });
  t.match(on61('granite-rapids'), { known: false, platform_class: 'K2', precise_ip_max: 2 });
  t.match(on61('diamond-rapids'), { pebs: 'none', platform_class: 'K4', precise_ip_max: 0 });

  const host = await lab.host('emerald-rapids', 'linux-6.1.192');
  t.equal(host.item.platform_class, 'K2');
  t.match(await host.wrmsr(await host.vcpu(), 'IA32_PEBS_ENABLE', '0x1'), { gp: true });
  const arch = await lab.host('diamond-rapids', 'linux-6.12.117');
  t.equal(arch.item.platform_class, 'K4');
  const precise = { counter: 'PMC0', precise_ip: 1 };
  const refusal = await arch.refuses('perf_errno', 'POST', '/perf-events', precise);
  t.match(refusal, { errno: 'EOPNOTSUPP', errors: [{ pointer: '/precise_ip' }] });
});

t.test('a host is made, read, listed and deleted', async (t) => {
  const lab = await openFreshLab(t);
  const created = await lab.send('POST', '/v1/hosts', {
    name: 'web-1',
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    cpus: 2,
  });
  const item = created.json();
  t.equal(created.statusCode, 201);
  t.equal(created.headers.location, `/v1/hosts/${item.id}`);
  t.match(item, {
    id: /^host_[0-9a-z]+$/,
    name: 'web-1',
    kernel: 'linux-7.2.6',
    cpus: 2,
    platform_class: 'K3',
    isolation: true,
    microcode: '0x0000000000000000',
    events: 0,
    vcpus: 0,
    micro_steps: 0,
  });
  const read = await lab.get(created.headers.location ?? '');
  t.strictSame(read.json(), item, 'Location is its address');
  t.match(read.headers.etag, /^"[^"]+"$/, 'a read carries a strong ETag');
  const again = await lab.get(`/v1/hosts/${item.id}`, { 'if-none-match': `${read.headers.etag}` });
  t.equal(again.statusCode, 304, 'nothing is sent again while nothing has changed');

  await lab.send('POST', `/v1/hosts/${item.id}/vcpus`, {});
  const changed = await lab.get(`/v1/hosts/${item.id}`, {
    'if-none-match': `${read.headers.etag}`,
  });
  t.equal(changed.statusCode, 200, 'and it is once something has');
  t.equal(changed.json().vcpus, 1);

  const page = bodyOf(t, await lab.get('/v1/hosts'), HostPageSchema);
  t.strictSame(page.items, [changed.json()]);
  const deleted = await lab.send('DELETE', `/v1/hosts/${item.id}`);
  t.equal(deleted.statusCode, 204);
  t.equal(deleted.body, '');
  for (const path of ['', '/msrs', '/metrics', '/trace', '/perf-events', '/vcpus']) {
    problemOf(t, await lab.get(`/v1/hosts/${item.id}${path}`), 'not_found');
  }
  problemOf(t, await lab.send('DELETE', `/v1/hosts/${item.id}`), 'not_found');
  t.strictSame((await lab.get('/v1/hosts')).json().items, []);
});

t.test('isolation follows from stepping and microcode', async (t) => {
  const lab = await openLab(t);
  const classOf = async (cpuModel: string, more: object) =>
    (await lab.host(cpuModel, 'linux-7.2.6', { ...more })).item.platform_class;
  t.equal(await classOf('haswell-x', { stepping: 2, microcode: '0x36' }), 'K1');
  t.equal(await classOf('haswell-x', { stepping: 2, microcode: '0x37' }), 'K2');
  t.equal(await classOf('haswell-x', { stepping: 4, microcode: 10 }), 'K2');
  t.equal(await classOf('broadwell-x', { stepping: 1, microcode: '0x0b000013' }), 'K1');
  t.equal(await classOf('broadwell-x', { stepping: 1, microcode: '0x0b000014' }), 'K2');
  t.equal(await classOf('skylake-sp', { stepping: 3, microcode: '0x20' }), 'K1');
  t.equal(await classOf('skylake-sp', { stepping: 3, microcode: '0x21' }), 'K2');
  t.equal(await classOf('cascade-lake', { microcode: 0 }), 'K2');
  t.equal(await classOf('comet-lake', { microcode: '0xffffffff' }), 'K1');
});

t.test('what cannot be a host is refused, naming the field', async (t) => {
  const lab = await openFreshLab(t);
  const good = { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' };
  const refused = async (
    change: object,
    code: 'validation' | 'unknown_name' | 'value_out_of_range',
  ) => problemOf(t, await lab.send('POST', '/v1/hosts', { ...good, ...change }), code).errors;
  t.match(await refused({ kernel: 'v7.2' }, 'unknown_name'), [{ pointer: '/kernel' }]);
  t.match(await refused({ cpu_model: 'EMR' }, 'unknown_name'), [{ pointer: '/cpu_model' }]);
  t.match(await refused({ cpus: 9 }, 'validation'), [{ pointer: '/cpus' }]);
  t.match(await refused({ stepping: 16 }, 'validation'), [{ pointer: '/stepping' }]);
  t.match(await refused({ microcode: 2 ** 53 }, 'value_out_of_range'), [{ pointer: '/microcode' }]);
  t.match(await refused({ options: { group_throtle: true } }, 'validation'), [
    { pointer: '/options/group_throtle', detail: /did you mean "group_throttle"/ },
  ]);
  t.strictSame((await lab.get('/v1/hosts')).json().items, [], 'none of them was made');
});

t.test('hosts page, and there are at most 1,000', async (t) => {
  const lab = await openFreshLab(t);
  const create = () => lab.send('POST', '/v1/hosts', { cpu_model: 'ice-lake', kernel: 'pebs-v2' });
  const ids: string[] = [];
  for (let i = 0; i < 1000; i += 1) ids.push((await create()).json().id);
  t.equal(new Set(ids).size, 1000, 'ids differ');
  const problem = problemOf(t, await create(), 'limit_reached');
  t.match(problem.detail, /at most 1000 hosts/);

  const all = async (first: string): Promise<string[]> => {
    const seen: string[] = [];
    let url = first;
    for (let pages = 0; url !== '' && pages < 5; pages += 1) {
      const response = await lab.get(url);
      const { items, has_more } = response.json();
      seen.push(...items.map(({ id }: { id: string }) => id));
      url = /^<([^>]+)>; rel="next"$/.exec(String(response.headers.link ?? ''))?.[1] ?? '';
      t.equal(url !== '', has_more, 'Link says where the next page is while there is one');
    }
    return seen;
  };
  t.strictSame(await all('/v1/hosts?limit=300'), ids.toReversed(), 'the pages make up the list');
  t.strictSame(await all('/v1/hosts?limit=700&sort=oldest'), ids);

  t.equal((await lab.send('DELETE', `/v1/hosts/${ids[0]}`)).statusCode, 204);
  t.equal((await create()).statusCode, 201, 'deleting one makes room');
});

t.test('hosts are listed by name, CPU model and kernel', async (t) => {
  const lab = await openFreshLab(t);
  const create = async (name: string, cpu_model: string, kernel: string) =>
    (await lab.send('POST', '/v1/hosts', { name, cpu_model, kernel })).json().id as string;
  const a = await create('a', 'ice-lake', 'pebs-v2');
  const b = await create('b', 'ice-lake', 'linux-7.2.6');
  const c = await create('a', 'haswell-x', 'linux-7.2.6');
  const listed = async (query: string) =>
    (await lab.get(`/v1/hosts?${query}`)).json().items.map(({ id }: { id: string }) => id);
  t.strictSame(await listed('name=a'), [c, a]);
  t.strictSame(await listed('cpu_model=ice-lake&sort=oldest'), [a, b]);
  t.strictSame(await listed('kernel=upstream-base'), [c, b], 'an alias is the kernel');
  t.strictSame(await listed('name=a&kernel=linux-7.2.6'), [c]);
  t.strictSame(await listed('name=nobody'), []);
  const problem = problemOf(t, await lab.get('/v1/hosts?kernel=linux-7.2.5'), 'unknown_name');
  t.match(problem.errors, [{ pointer: '/kernel' }]);
});

t.test('registers of a CPU', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.2.6', { cpus: 2 });
  await host.event({ cpu: 1, counter: 'PMC3' });
  const { msrs, mode, running_vcpu } = await host.msrs(1);
  t.equal(mode, 'host');
  t.equal(running_vcpu, null);
  t.strictSame(
    msrs.map(({ name, index }) => `${name} ${index}`),
    [
      'IA32_PERF_GLOBAL_CTRL 0x38f',
      'IA32_PEBS_ENABLE 0x3f1',
      'IA32_DS_AREA 0x600',
      'MSR_PEBS_DATA_CFG 0x3f2',
      'IA32_FIXED_CTR_CTRL 0x38d',
    ],
  );
  t.match(await host.msr('IA32_PEBS_ENABLE', 1), {
    value: '0x0000000000000008',
    bits: ['PMC3'],
    desired: '0x0000000000000008',
    stuck: [],
    lost: [],
  });
  t.equal((await host.msr('IA32_PEBS_ENABLE', 0)).value, '0x0000000000000000');
  const areas = [await host.msr('IA32_DS_AREA', 0), await host.msr('IA32_DS_AREA', 1)];
  t.not(areas[0]?.value, areas[1]?.value, 'each CPU has a DS area of its own');

  const problem = await host.refuses('rule_violated', 'GET', '/msrs?cpu=2');
  t.match(problem.errors, [{ pointer: '/cpu', in: 'query' }]);
  await host.refuses('validation', 'GET', '/msrs?cpu=8');
  await host.refuses('validation', 'GET', '/msrs?cpus=1');
  const old = await lab.host('haswell-x');
  t.strictSame(
    (await old.msrs()).msrs.map(({ name }) => name),
    ['IA32_PERF_GLOBAL_CTRL', 'IA32_PEBS_ENABLE', 'IA32_DS_AREA', 'IA32_FIXED_CTR_CTRL'],
    'without adaptive PEBS there is no MSR_PEBS_DATA_CFG',
  );
  const arch = await lab.host('diamond-rapids');
  t.strictSame(
    (await arch.msrs()).msrs.map(({ name }) => name),
    ['IA32_PERF_GLOBAL_CTRL', 'IA32_FIXED_CTR_CTRL'],
    'with arch-PEBS there is none of the DS registers',
  );
});

t.test('the counts of a host are the sums of its trace', async (t) => {
  for (const [model, kernel] of [
    ['emerald-rapids', 'linux-7.2.6'],
    ['emerald-rapids', 'linux-6.12.117'],
    ['emerald-rapids', 'zero-global-ctrl-e3'],
    ['haswell-x', 'post-exit-fixup'],
  ] as const) {
    await t.test(`${model}, ${kernel}`, async (t) => {
      const lab = await openLab(t);
      const host = await lab.host(model, kernel);
      const a = await host.event({ name: 'a' });
      await host.event({ name: 'watchdog', counter: 'FIXED1', precise_ip: 0 });
      const vcpu = await host.vcpu();
      await host.move(vcpu, { count: 3 });
      await host.move(vcpu, {
        inject: [{ at: 'k7_lapic_wait', nmi: { throttle: ['PMC0'], overflow: ['FIXED1'] } }],
      });
      await host.act('ticks');
      await host.act('nmis', { overflow: ['PMC0'] });
      await host.act('pmu/disable');
      await host.act('pmu/enable');
      await lab.send('DELETE', `${host.path}/perf-events/${a.id}`);
      await host.move(vcpu, { exit_reason: 'nmi' });

      const metrics = await host.metrics();
      const { items, has_more } = await host.trace();
      t.notOk(has_more, 'the whole history is there');
      const counts = new Map<string, number>();
      for (const { msr, via } of items.flatMap(({ writes }) => writes)) {
        counts.set(`${msr} ${via}`, (counts.get(`${msr} ${via}`) ?? 0) + 1);
      }
      t.strictSame(
        Object.fromEntries(
          metrics.msr_writes.map((item) => [`${item.msr} ${item.via}`, item.count]),
        ),
        Object.fromEntries(counts),
        'every write is counted by register and mechanism',
      );
      t.strictSame(
        items.map(({ index }) => index),
        items.map((_, at) => (items[0]?.index ?? 0) + at),
        'no index is missing',
      );
      t.equal(metrics.round_trips, 5);
      t.equal(metrics.throttles, 1);
      t.equal(metrics.nmis, items.filter(({ at }) => /^nmi|k10/.test(at)).length);
      const { per_round_trip: each, writes_by_cause: byCause } = metrics;
      const causeOf = ({ at, actor }: (typeof items)[number]) => {
        if (/^nmi|k10/.test(at)) return 'nmi';
        return actor === 'perf' ? 'setup' : 'round_trip';
      };
      for (const via of [
        'kvm_wrmsr',
        'perf_wrmsr',
        'vm_entry_load',
        'vm_exit_load',
        'vmcs_field',
      ] as const) {
        for (const cause of ['round_trip', 'nmi', 'setup', 'guest'] as const) {
          const written = items
            .filter((item) => causeOf(item) === cause)
            .flatMap(({ writes }) => writes)
            .filter((write) => write.via === via);
          t.equal(byCause[cause][via], written.length, `${via} for ${cause}`);
        }
        t.equal(each[via], byCause.round_trip[via] / 5, `${via} a round trip`);
      }
      t.equal(each.perf_wrmsr, 0, 'perf writes nothing on the way into a guest and back');
      t.ok(byCause.setup.perf_wrmsr > 0 && byCause.nmi.perf_wrmsr > 0);
      t.equal(
        each.msr_writes.reduce((sum, { count }) => sum + Math.round(count * 5), 0),
        Object.values(byCause.round_trip).reduce((sum, count) => sum + count, 0),
      );
      t.equal(each.estimated_cycles, metrics.estimated_cycles / 5);
    });
  }
});

t.test("what a guest's WRMSR makes perf write is counted apart", async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu();
  await host.wrmsr(vcpu, 'IA32_PERF_GLOBAL_CTRL', '0x1');
  await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', '0x4300c0');
  const { writes_by_cause: byCause, per_round_trip: each } = await host.metrics();
  t.ok(byCause.guest.perf_wrmsr > 0);
  t.equal(byCause.setup.perf_wrmsr, 0);
  t.equal(each.perf_wrmsr, 0);
});

t.test('before the first round trip every average is 0', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const { per_round_trip, round_trips } = await host.metrics();
  t.equal(round_trips, 0);
  t.strictSame(new Set(Object.values({ ...per_round_trip, msr_writes: 0 })), new Set([0]));
});

t.test('the trace pages by index and keeps the newest 1,000 micro-steps', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  await host.move(vcpu, { count: 4 });
  const all = (await host.trace()).items;
  const pieces: unknown[] = [];
  let url = '?limit=7';
  for (let pages = 0; url !== '' && pages < 100; pages += 1) {
    const response = await lab.get(`${host.path}/trace${url}`);
    const { items, next_cursor, has_more } = response.json();
    pieces.push(...items);
    t.equal(next_cursor !== null, has_more);
    const link = /^<[^>?]+(\?[^>]+)>; rel="next"$/.exec(String(response.headers.link ?? ''))?.[1];
    url = link ?? '';
  }
  t.strictSame(pieces, all, 'the pages make up the trace');
  const last = all.at(-1)?.index ?? 0;
  t.strictSame((await host.trace(`after=${last}`)).items, [], 'after the last there is nothing');
  t.equal((await host.trace(`after=${last - 1}`)).items.length, 1);

  await host.move(vcpu, { count: 100_000 });
  const { items } = await host.trace();
  t.equal(items.length, 1000);
  t.equal(items.at(-1)?.index, (await host.read()).micro_steps, 'up to the newest');
  t.equal(items.at(-1)?.at, 'k13_irq_on');
  t.equal((await host.trace('after=3&limit=1')).items[0]?.index, items[0]?.index, 'older are gone');
  await host.refuses('validation', 'GET', '/trace?after=-1');
  await host.refuses('validation', 'GET', '/trace?limit=0');
});

t.test('a copy of a host goes on from the same moment, separately', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'linux-7.2.6', { name: 'first', cpus: 2 });
  const event = await host.event({ name: 'cycles', counter: 'PMC0', precise_ip: 2 });
  const vcpu = await host.vcpu({ name: 'guest' });
  await host.wrmsr(vcpu, 'IA32_FIXED_CTR_CTRL', '0xb');
  await host.move(vcpu, { inject: [{ at: 'k8_prepare', nmi: { throttle: ['PMC0'] } }] });
  await host.move(vcpu, { kind: 'vm_entry' });
  const copyOf = async (body?: object) => {
    const response = await lab.send('POST', `${host.path}/copies`, body);
    const item = bodyOf(t, response, HostSchema, 201);
    t.equal(response.headers.location, `/v1/hosts/${item.id}`);
    return new LabHost(lab, item);
  };
  const parts = async ({ path }: LabHost) =>
    Promise.all(
      ['/msrs', '/msrs?cpu=1', '/perf-events', '/vcpus', '/metrics'].map(async (part) =>
        (await lab.get(`${path}${part}`)).json(),
      ),
    );
  const original = await host.read();
  const copy = await copyOf();
  t.not(copy.item.id, original.id);
  const { created_at: _, ...copied } = copy.item;
  t.match(original, { ...copied, id: original.id }, 'named as the original');
  t.equal((await copyOf({ name: 'second' })).item.name, 'second');

  t.strictSame(await parts(copy), await parts(host), 'registers, parts and counts are the same');
  t.strictSame((await copy.trace()).items, [], 'its trace begins empty');
  const copiedAt = (await host.trace()).items.at(-1)?.index;
  const before = await host.everything();
  for (const each of [copy, host]) {
    if (each === host) t.strictSame(await host.everything(), before, 'the original has not moved');
    await each.move(vcpu, { kind: 'vm_exit' });
    await lab.send('POST', `${each.path}/perf-events/${event.id}/disable`);
    await each.event({ counter: 'PMC1', precise_ip: 1 });
  }
  t.strictSame(await parts(copy), await parts(host), 'and what they do next');
  const { items } = await copy.trace();
  const same = await host.trace(`after=${copiedAt}&limit=1000`);
  t.strictSame(items, same.items, 'with the same numbers');

  await lab.send('DELETE', host.path);
  t.equal((await copy.read()).events, 2, 'a copy outlives its original');
});

t.test('a copy is made of the version asked for, and once under one key', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host();
  const ask = (headers: Record<string, string>, body = {}) =>
    lab.app.inject({ method: 'POST', url: `${host.path}/copies`, headers, payload: body });
  problemOf(t, await ask({ 'if-match': '"7"' }), 'precondition_failed');
  const first = await ask({ 'if-match': '"0"', 'idempotency-key': 'copy-once' });
  const again = await ask({ 'if-match': '"0"', 'idempotency-key': 'copy-once' });
  t.equal(first.statusCode, 201);
  t.equal(again.json().id, first.json().id);
  problemOf(t, await ask({}, { names: 'x' }), 'validation');
  problemOf(t, await lab.send('POST', '/v1/hosts/host_0/copies'), 'not_found');
});

t.test('the service counts what its hosts do', async (t) => {
  const lab = await openFreshLab(t);
  const host = await lab.host();
  await host.event();
  const vcpu = await host.vcpu();
  await host.move(vcpu, { count: 9 });
  await host.move(vcpu, {
    inject: [{ at: 'k8_prepare', nmi: { throttle: ['PMC0'] } }],
  });
  const metrics = await host.metrics();
  const text = (await lab.get('/metrics')).body;
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name} (\\S+)$`, 'gm'))]
      .map(([, counted]) => Number(counted))
      .reduce((total, counted) => total + counted, 0);
  const pair = '\\{kernel="[^"]+",platform_class="K\\d"\\}';
  t.equal(value(`pebslab_round_trips_total${pair}`), 10);
  t.equal(value('pebslab_throttles_total'), 1);
  t.equal(value('pebslab_hosts'), 1);
  for (const { msr, via, count } of metrics.msr_writes) {
    const label = msr.replace(/(PERFEVTSEL|PMC|FIXED_CTR)\d+$/, '$1x');
    const labels = `msr="${label}",via="${via}",cause="[a-z_]+"`;
    t.equal(sum(`pebslab_msr_writes_total\\{${labels}\\}`), count, `${msr} ${via}`);
  }
  const each = metrics.per_round_trip;
  t.equal(
    value(`pebslab_round_trip_msr_writes_total${pair}`) / value(`pebslab_round_trips_total${pair}`),
    each.kvm_wrmsr + each.vm_entry_load + each.vm_exit_load,
    'writes per round trip is one division',
  );
  for (const { invariant, count } of metrics.violations) {
    const labels = `invariant="${invariant}",origin="host"`;
    t.equal(value(`pebslab_violations_total\\{${labels}\\}`), count, invariant);
  }
  t.notMatch(text, /"(host|vcpu|ev)_/, 'no label is an id');
});
