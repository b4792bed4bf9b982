/** The scenarios as the catalogue hands them out: names that hold for any kernel, and set-ups to redo on a host. */
import t from 'tap';
import { COST_SCENARIOS } from '../../schemas/comparison.js';
import type { HostMetrics } from '../../schemas/metrics.js';
import { PerfEventPageSchema } from '../../schemas/perf-event.js';
import { type Scenario, ScenarioPageSchema, ScenarioSchema } from '../../schemas/scenario.js';
import { VcpuPageSchema } from '../../schemas/vcpu.js';
import { kernels } from '../../src/service/catalogue.js';
import { bodyOf } from '../helper.js';
import { type LabHost, openLab } from './lab.js';

t.test("a world's name claims no kernel and no class, and is one world", async (t) => {
  const lab = await openLab(t);
  const { items } = bodyOf(t, await lab.get('/v1/scenarios?limit=1000'), ScenarioPageSchema);
  const worldOf = (id: string) => items.find((item) => item.id === id)?.world;
  for (const [id, world] of [
    ['matrix-linux-7.2.6-k3-late', 'main-race-late'],
    ['matrix-pebs-v2-4of4-k3-late', 'main-race-late'],
    ['matrix-zero-global-ctrl-e1-k1-prompt', 'main-race-prompt'],
    ['h1-group-throttle-linux-7.3.4', 'h1-group-throttle'],
    ['h1-plain-sibling-linux-7.3.4', 'h1-plain-sibling'],
    ['h2-late-pmi-linux-6.12.117', 'h2-late-pmi'],
    ['h2-prompt-pebs-handler-guard', 'h2-prompt'],
    ['h3-tick-linux-7.3.4', 'h3-tick'],
    ['h5-vmfail-k1', 'h5-vmfail'],
    ['h7-migration-pebs-v1', 'h7-migration'],
    ['h11-fixed-ctrl-linux-6.1.192-late', 'h11-fixed-ctrl-late'],
    ['h12-lost-mark-linux-7.3.4', 'h12-lost-mark'],
    ['pmu-left-off-zero-global-ctrl-e2', 'pmu-left-off'],
    ['quiescence-k1-bpf-snapshot', 'quiescence-bpf-snapshot'],
    ['no-nmi-k3', 'no-nmi'],
    ['global-ctrl-in-nmi', 'global-ctrl-in-nmi'],
    ['Bc', 'Bc'],
  ] as const) {
    t.equal(worldOf(id), world, id);
  }
  const names = kernels.map(({ id }) => id);
  const known = new Map<string, unknown>();
  const properties = new Map<string, string[]>();
  for (const { world, model, expected } of items) {
    t.notOk(names.some((name) => world.includes(name)) || /k[1-4]\b/.test(world), world);
    const { cpu_model: _, kernel: __, ...what } = model ?? {};
    t.strictSame(known.get(world) ?? what, what, `${world} is the same in each of its scenarios`);
    known.set(world, what);
    if (expected.properties === undefined) continue;
    const asked = Object.keys(expected.properties);
    t.strictSame(properties.get(world) ?? asked, asked, `${world} asks the same in each of them`);
    properties.set(world, asked);
  }
});

t.test('a scenario of the matrix has the names of its kernel', async (t) => {
  const lab = await openLab(t);
  for (const [name, id] of [
    ['matrix-upstream-base-k3-late', 'matrix-linux-7.2.6-k3-late'],
    ['matrix-pebs-v2-k1-prompt', 'matrix-pebs-v2-4of4-k1-prompt'],
  ] as const) {
    t.equal(bodyOf(t, await lab.get(`/v1/scenarios/${name}`), ScenarioSchema).id, id);
  }
});

function writesOf({ msr_writes }: HostMetrics): Scenario['expected'] {
  const by = (...vias: string[]): number =>
    msr_writes.reduce((sum, { via, count }) => sum + (vias.includes(via) ? count : 0), 0);
  return {
    msr_writes: by('kvm_wrmsr', 'vm_entry_load', 'vm_exit_load'),
    vmcs_field: by('vmcs_field'),
  };
}

/** The events of the host's own, and what the guest's registers hold. */
async function openOn(host: LabHost) {
  const events = await host.lab.get(`${host.path}/perf-events`);
  const vcpus = await host.lab.get(`${host.path}/vcpus`);
  return {
    events: bodyOf(host.lab.t, events, PerfEventPageSchema).items.filter(
      ({ owner }) => owner === 'host',
    ),
    vcpus: bodyOf(host.lab.t, vcpus, VcpuPageSchema).items,
  };
}

t.test('every set-up, run on a host, leads to the writes that are expected', async (t) => {
  const lab = await openLab(t);
  for (const id of COST_SCENARIOS) {
    const item = bodyOf(t, await lab.get(`/v1/scenarios/${id}`), ScenarioSchema);
    const host = await lab.host(item.cpu_model, item.kernel);
    const { results } = await host.script(item.set_up ?? []);
    t.notOk(
      results.some(({ gp }) => gp),
      `${id}: the guest may write all that it writes`,
    );
    const open = await openOn(host);
    t.match(
      open.events.map(({ name, precise_ip }) => ({ name, precise_ip })),
      item.events.map(({ name, precise_ip = 0 }) => ({ name, precise_ip })),
      `${id}: the events it shows are open`,
    );
    t.equal(open.events.length, item.events.length);
    t.strictSame(
      open.vcpus.map(({ name }) => name),
      item.vcpus.map(({ name }) => name),
    );
    const guest = item.vcpus[0]?.name ?? 'none';
    const trips = (count: number) =>
      host.script([{ action: 'transition', vcpu: guest, kind: 'round_trip', count }]);
    await trips(2);
    const before = writesOf(await host.metrics());
    await trips(1);
    const after = writesOf(await host.metrics());
    t.strictSame(
      {
        msr_writes: (after.msr_writes ?? 0) - (before.msr_writes ?? 0),
        vmcs_field: (after.vmcs_field ?? 0) - (before.vmcs_field ?? 0),
      },
      item.expected,
      `${id}: the writes of the third round trip`,
    );
  }
});

t.test('a cost scenario shows what is open once it is set up', async (t) => {
  const lab = await openLab(t);
  const item = async (id: string) =>
    bodyOf(t, await lab.get(`/v1/scenarios/${id}`), ScenarioSchema);
  t.match((await item('Bc')).events, [
    { precise_ip: 2, exclude_guest: true, pebs_data_cfg: '0x0000000000000003' },
  ]);
  const leftOver = await item('A1c');
  t.strictSame(
    leftOver.events.map(({ name }) => name),
    ['watchdog'],
  );
  t.ok(leftOver.set_up?.some(({ action }) => action === 'close_event'));
  t.match((await item('C')).vcpus[0]?.wrmsr?.[2], {
    msr: 'IA32_PEBS_ENABLE',
    value: '0x0000000000000002',
  });
  t.equal((await item('C3')).cpu_model, 'sapphire-rapids', 'KVM makes it so only there');
});
