/** The registry of kernels, what each kernel makes of each CPU model, and published bugs (semantics.md §2.2 to §2.4, §7.9). */
import t from 'tap';
import { CPU_MODELS, findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { firing } from '../../src/pmu/arch/hardware.js';
import { DS_AREA, PEBS_DATA_CFG, PEBS_ENABLE } from '../../src/pmu/arch/msr.js';
import { COST_SCENARIOS } from '../../src/pmu/cost-cases/cost-scenarios.js';
import { measureWrites, msrWrites } from '../../src/pmu/cost-cases/write-costs.js';
import { findKernel, KERNELS } from '../../src/pmu/kernels/index.js';
import { isIsolatedOn, modelOnKernel } from '../../src/pmu/kernels/pmu-support.js';
import { formatDataCfg } from '../../src/service/wire.js';
import { table } from '../routes/lab.js';
import { machine, names, present, set } from './machine.js';

const kernelOf = (id: string) => present(findKernel(id), id);
const modelOf = (id: string) => present(findCpuModel(id), id);

t.test('the registry leads with releases, newest first', async (t) => {
  t.strictSame(
    KERNELS.map(({ id }) => id),
    [
      'linux-7.3.4',
      'linux-6.18.55',
      'linux-6.12.117',
      'linux-6.6.158',
      'linux-6.1.192',
      'linux-7.2.6',
      'linux-6.12.107',
      'linux-6.1.187',
      'pebs-v1',
      'pebs-v2-1of4',
      'pebs-v2-2of4',
      'pebs-v2-3of4',
      'pebs-v2-4of4',
      'zero-global-ctrl-e1',
      'zero-global-ctrl-e2',
      'zero-global-ctrl-e3',
      'post-exit-fixup',
      'pebs-handler-guard',
      'pebs-enable-all-always',
      'never-switch-pebs-enable',
      'linux-6.12.27',
      'linux-6.6',
      'linux-6.4-rc2',
      'linux-6.1',
      'linux-5.6',
      'linux-6.19',
      'linux-6.16',
      'linux-5.11',
      'metrics-never-precise',
      'pebs-handler-compares-last',
      'pebs-enable-all-recheck',
      'fixed-ctrl-recheck',
      'fixed-ctrl-handler-clears',
      'fixed-ctrl-always',
      'host-side-hardened',
    ],
  );
  t.equal(findKernel('pebs-v2')?.id, 'pebs-v2-4of4', 'a series is known by its last patch');
  t.equal(findKernel('upstream-base')?.id, 'linux-7.2.6', 'mainline before the series');
  t.equal(findKernel('pebs-v9'), undefined);
});

t.test('a kernel is a release as it is, or a change to another that exists', async (t) => {
  const all = KERNELS.flatMap(({ id, aliases }) => [id, ...(aliases ?? [])]);
  t.equal(new Set(all).size, all.length, 'ids and aliases are unique');
  for (const { id, base, patches, sources } of KERNELS) {
    t.ok(sources.length > 0, `${id} names its sources`);
    t.equal(patches.length > 0, base !== undefined, `${id} has patches where it has a base`);
    if (base !== undefined) {
      t.ok(findKernel(base), `${id} on ${base}`);
    }
  }
});

t.test('only trees since 6.16 stop a whole group when they throttle', async (t) => {
  const lone = KERNELS.filter(({ options }) => !options.groupThrottle).map(({ id }) => id);
  t.strictSame(lone, [
    'linux-6.12.117',
    'linux-6.6.158',
    'linux-6.1.192',
    'linux-6.12.107',
    'linux-6.1.187',
    'linux-6.12.27',
    'linux-6.6',
    'linux-6.4-rc2',
    'linux-6.1',
    'linux-5.6',
    'linux-5.11',
  ]);
});

// §2.2, first table; "-" is a class that nobody read there.
const CLASSES = table(`
  model           | 6.1.187 | 6.1.192 | 6.12.107 | 6.12.117 | 7.2.6 | 7.3.4
  haswell-x       | K1      | K1      | K1       | K1       | K1    | K1
  broadwell-x     | K1      | K1      | K1       | K1       | K1    | K1
  skylake-sp      | K2      | K2      | K2       | K2       | K2    | K2
  cascade-lake    | K2      | K2      | K2       | K2       | K2    | K2
  comet-lake      | K1      | K1      | K1       | K1       | K1    | K1
  ice-lake-sp     | K3      | K3      | K3       | K3       | K3    | K3
  ice-lake        | K2      | K2      | K2       | K2       | K2    | K2
  sapphire-rapids | K2      | K2      | K3       | K3       | K3    | K3
  emerald-rapids  | K2      | K2      | K3       | K3       | K3    | K3
  granite-rapids  | K2      | K2      | K3       | K3       | K3    | K3
  sierra-forest   | K2      | K2      | K2       | K2       | K2    | K2
  diamond-rapids  | K4      | K4      | K4       | K4       | K4    | K4
  alder-lake-p    | K2      | K2      | K2       | K2       | K2    | K2
`);

t.test('the class of a CPU model depends on the kernel', async (t) => {
  t.strictSame(
    CLASSES.map(({ model }) => model).sort(),
    CPU_MODELS.map(({ id }) => id).sort(),
    'every CPU model has its row in CLASSES',
  );
  for (const { model = '', ...row } of CLASSES) {
    for (const [release, platform] of Object.entries(row)) {
      const made = modelOnKernel(kernelOf(`linux-${release}`), modelOf(model));
      t.equal(made.platformClass, platform, `${model} on ${release}`);
      const isRead = model !== 'sierra-forest';
      t.equal(made.certainty, isRead ? 'read' : 'derived', `${model} on ${release}: certainty`);
      t.match(made.source, `Linux ${release} arch/x86/events/intel/core.c`);
    }
  }
});

t.test('what was not read in a release is called derived', async (t) => {
  for (const kernel of KERNELS) {
    for (const model of CPU_MODELS) {
      const { certainty, source } = modelOnKernel(kernel, model);
      t.ok(source.length > 0);
      t.ok(certainty === 'derived' || /core\.c(:\d+| intel_pmu_init)/.test(source), source);
    }
  }
  for (const id of ['linux-6.6.158', 'linux-6.18.55', 'linux-6.6', 'linux-5.6']) {
    t.equal(modelOnKernel(kernelOf(id), modelOf('emerald-rapids')).certainty, 'derived', id);
  }
});

t.test('a model without a case takes the generic branch: precise_ip 2 at most', async (t) => {
  const unknown = (kernel: string): string[] =>
    CPU_MODELS.filter((model) => !modelOnKernel(kernelOf(kernel), model).known).map(({ id }) => id);
  for (const [kernel, models] of Object.entries({
    'linux-6.1.192': ['granite-rapids', 'sierra-forest', 'diamond-rapids'],
    'linux-6.12.117': ['diamond-rapids'],
    'linux-7.3.4': [],
  })) {
    t.strictSame(unknown(kernel), models, `model-cases.ts has no line of these in ${kernel}`);
  }
  const max = (kernel: string, model: string): number =>
    modelOnKernel(kernelOf(kernel), modelOf(model)).caps.precise.max;
  t.equal(max('linux-6.1.192', 'granite-rapids'), 2);
  t.equal(max('linux-6.12.117', 'granite-rapids'), 3);
});

t.test('architectural PEBS came with 7.x; before, Diamond Rapids has no PEBS at all', async (t) => {
  for (const kernel of ['linux-6.1.192', 'linux-6.12.117', 'linux-6.18.55']) {
    const made = modelOnKernel(kernelOf(kernel), modelOf('diamond-rapids'));
    t.match(made, {
      pebs: 'none',
      platformClass: 'K4',
      caps: { dsPebs: false, precise: { max: 0 } },
    });
    t.throws(
      () => machine('diamond-rapids', kernel).event({ counter: 'PMC0', preciseIp: 1 }),
      /EOPNOTSUPP/,
      kernel,
    );
  }
  t.match(modelOnKernel(kernelOf('linux-7.3.4'), modelOf('diamond-rapids')), {
    pebs: 'arch',
    platformClass: 'K4',
    caps: { dsPebs: false, pebsEpt: true, precise: { max: 3 } },
  });
});

const RAPIDS = ['sapphire-rapids', 'emerald-rapids', 'granite-rapids'];

t.test('Linux 6.1 knows no EPT-friendly PEBS but on Ice Lake-SP', async (t) => {
  for (const kernel of ['linux-6.1.187', 'linux-6.1.192']) {
    for (const model of RAPIDS) {
      for (const scenario of COST_SCENARIOS) {
        const writes = msrWrites(measureWrites(scenario, modelOf(model), kernelOf(kernel)));
        t.equal(writes, 0, `${kernel} on ${model}, ${scenario.id}`);
      }
      const m = machine(model, kernel).vcpu();
      t.match(m.guestFault('IA32_PEBS_ENABLE', 1), /does not exist/, `${kernel} on ${model}`);
      t.match(m.guestFault('IA32_DS_AREA', 0), /does not exist/, `${kernel} on ${model}`);
    }
    const m = machine('ice-lake-sp', kernel).vcpu();
    t.equal(m.guestFault('IA32_PEBS_ENABLE', 1), null, `${kernel} on Ice Lake-SP`);
  }
});

t.test(
  'a vCPU starts with IA32_PERF_GLOBAL_CTRL 0 on 6.1, and all its PMCs set later',
  async (t) => {
    const reset = (kernel: string, model: string): string =>
      names(machine(model, kernel).vcpu().vcpuOf(0).globalCtrl);
    const eight = 'PMC0 PMC1 PMC2 PMC3 PMC4 PMC5 PMC6 PMC7';
    t.equal(reset('linux-6.1.192', 'ice-lake-sp'), '-');
    t.equal(reset('linux-6.1.187', 'haswell-x'), '-');
    t.equal(reset('linux-6.12.117', 'ice-lake-sp'), eight);
    t.equal(reset('linux-7.3.4', 'haswell-x'), 'PMC0 PMC1 PMC2 PMC3');

    // So guest PEBS does not run before the guest writes the register.
    const pebs = (kernel: string): string => {
      const m = machine('ice-lake-sp', kernel).vcpu().roundTrip();
      m.guest('IA32_DS_AREA', 0xffff8880_00049000n).guest('IA32_PEBS_ENABLE', 1);
      return names(m.guest('IA32_PERFEVTSEL0', 0x43003c).cpu.cpuc.pebsEnabled);
    };
    t.equal(pebs('linux-6.1.192'), '-');
    t.equal(pebs('linux-6.12.117'), 'PMC0');
  },
);

// §2.3: where precise_ip 3 may go.
const PRECISE_3 = table(`
  model           | PMC0 | PMC1 | PMC2   | FIXED0 | FIXED2
  cascade-lake    | ok   | ok   | ok     | EINVAL | EINVAL
  ice-lake-sp     | ok   | ok   | ok     | ok     | ok
  ice-lake        | ok   | ok   | ok     | ok     | ok
  sapphire-rapids | ok   | EINVAL | EINVAL | ok   | EINVAL
  emerald-rapids  | ok   | EINVAL | EINVAL | ok   | EINVAL
  granite-rapids  | ok   | EINVAL | EINVAL | ok   | EINVAL
  diamond-rapids  | ok   | EINVAL | EINVAL | ok   | EINVAL
  sierra-forest   | ok   | ok   | EINVAL | ok     | EINVAL
`);

t.test('precise_ip 3 is bound to the counters that can do it', async (t) => {
  const answer = (kernel: string, model: string, counter: string): string => {
    try {
      machine(model, kernel).event({ counter, preciseIp: 3 });
      return 'ok';
    } catch (error) {
      return String(error).match(/E[A-Z]+/)?.[0] ?? 'thrown';
    }
  };
  for (const { model = '', ...row } of PRECISE_3) {
    for (const [counter, expected] of Object.entries(row)) {
      t.equal(answer('linux-7.3.4', model, counter), expected, `${model} ${counter}`);
    }
  }
  t.equal(answer('linux-6.1.192', 'emerald-rapids', 'PMC1'), 'EINVAL', 'in 6.1 too');
  t.equal(answer('linux-6.1.192', 'granite-rapids', 'PMC0'), 'EOPNOTSUPP', 'generic branch');
});

t.test('KVM raises guest PEBS on PMC0 to precise_ip 3 on Sapphire Rapids only', async (t) => {
  const precise = (kernel: string, model: string): number =>
    machine(model, kernel).vcpu().roundTrip().guestPebs([0]).eventOf(0).preciseIp;
  t.equal(precise('linux-6.12.117', 'sapphire-rapids'), 3);
  for (const model of ['emerald-rapids', 'granite-rapids', 'ice-lake-sp']) {
    t.equal(precise('linux-6.12.117', model), 1, model);
  }
  t.equal(precise('linux-6.1.192', 'ice-lake-sp'), 1);

  // On guest FIXED0, which does PEBS only where guests see adaptive PEBS.
  const onFixed0 = (kernel: string, model: string): string => {
    const m = machine(model, kernel).vcpu().roundTrip();
    m.guest('IA32_PEBS_ENABLE', 1n << 32n).guest('IA32_FIXED_CTR_CTRL', 3);
    m.guest('IA32_PERF_GLOBAL_CTRL', 1n << 32n);
    return `${m.eventOf(0).preciseIp} on ${names(1 << m.eventOf(0).counter)}`;
  };
  t.equal(onFixed0('linux-6.6', 'ice-lake-sp'), '3 on FIXED0');
  t.equal(onFixed0('linux-6.6', 'sapphire-rapids'), '3 on FIXED0');
  t.equal(onFixed0('linux-6.1', 'ice-lake-sp'), '3 on FIXED0');
  t.match(onFixed0('linux-6.6', 'emerald-rapids'), /^1 on/);
});

// §7.9, each with a report.

t.test("6.12.27 takes a guest-only PEBS event of the host for the guest's own", async (t) => {
  const run = (kernel: string) =>
    machine('emerald-rapids', kernel)
      .event({ counter: 'PMC0', preciseIp: 2, excludeHost: true })
      .vcpu()
      .enter();
  const m = run('linux-6.12.27');
  const { autoload, guestGlobalCtrl, hostGlobalCtrl } = m.vcpuOf(0);
  t.notOk(names(hostGlobalCtrl).startsWith('PMC0'), 'as reported: host 1000f000000fe');
  t.ok(names(guestGlobalCtrl).startsWith('PMC0'), 'guest 1000f000000ff');
  t.equal(names(autoload.host[PEBS_ENABLE]!), '-', '3f1 host 0');
  t.equal(names(autoload.guest[PEBS_ENABLE]!), 'PMC0', '3f1 guest 1');
  t.equal(autoload.guest[DS_AREA], 0, '600 guest 0');
  t.equal(names(firing(m.cpu.hardware)), 'PMC0', 'PEBS fires in the guest');
  t.ok(m.violated().includes('I3s'), m.violated().join(' '));
  t.strictSame(run('linux-6.12.107').violated(), [], 'mended');
});

t.test('up to 6.6 host-only counters run in the guest, on any CPU', async (t) => {
  const run = (kernel: string, model: string) =>
    machine(model, kernel)
      .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
      .event({ counter: 'PMC1', excludeGuest: true })
      .event({ counter: 'PMC2', preciseIp: 2 })
      .vcpu()
      .enter();
  for (const kernel of ['linux-6.1', 'linux-6.6']) {
    for (const model of ['haswell-x', 'cascade-lake', 'ice-lake-sp', 'emerald-rapids']) {
      const m = run(kernel, model);
      t.equal(names(m.gc() & set(['PMC0', 'PMC1', 'PMC2'])), 'PMC1 PMC2', `${kernel} ${model}`);
      t.ok(m.violated().includes('I10'), `${kernel} ${model}: ${m.violated().join(' ')}`);
    }
    const violated = run(kernel, 'cascade-lake').violated();
    t.ok(violated.includes('I3'), `${kernel}: host PEBS fires in the guest, ${violated.join(' ')}`);
  }
  for (const kernel of ['linux-6.12.27', 'linux-6.1.187']) {
    t.strictSame(run(kernel, 'cascade-lake').violated(), [], `${kernel}: mended`);
  }
});

t.test('from 6.4 to 6.8 removing a PEBS event narrows the records of the last one', async (t) => {
  const run = (kernel: string) =>
    machine('emerald-rapids', kernel)
      .event({ counter: 'PMC0', preciseIp: 2, dataCfg: 3 })
      .event({ counter: 'PMC1', preciseIp: 2 })
      .close(1)
      .nmi({ throttle: ['PMC0'] })
      .tick();
  t.equal(run('linux-6.6').cpu.hardware.pebsDataCfg, 0);
  t.equal(run('linux-6.12.27').cpu.hardware.pebsDataCfg, 3, 'mended');
});

t.test("6.4-rc2 hands KVM perf's own bit 63 as the host's MSR_PEBS_DATA_CFG", async (t) => {
  const run = (kernel: string) =>
    machine('emerald-rapids', kernel)
      .event({ counter: 'PMC0', preciseIp: 2, dataCfg: 3 })
      .event({ counter: 'PMC1', preciseIp: 2 })
      .close(1)
      .vcpu()
      .enter();
  const host = (kernel: string): string =>
    formatDataCfg(run(kernel).vcpuOf(0).autoload.host[PEBS_DATA_CFG]!);
  t.equal(host('linux-6.4-rc2'), '0x8000000000000000');
  t.equal(host('linux-6.6'), '0x0000000000000003', 'mended');
  t.ok(run('linux-6.4-rc2').leave().violated().includes('I19'), 'a VMX abort');
});

t.test('before 6.9 guests see adaptive PEBS', async (t) => {
  const guest = (kernel: string) => machine('ice-lake-sp', kernel).vcpu();
  for (const kernel of ['linux-6.1', 'linux-6.6']) {
    const m = guest(kernel);
    t.equal(m.guestFault('IA32_PEBS_ENABLE', 0x7_000000ffn), null, `${kernel}: fixed counters`);
    t.match(m.guestFault('IA32_PEBS_ENABLE', 1n << 35n), /reserved/, kernel);
    t.equal(m.guestFault('MSR_PEBS_DATA_CFG', 0xff00000fn), null, `${kernel}: data configuration`);
    t.match(m.guestFault('MSR_PEBS_DATA_CFG', 0x10), /reserved/, kernel);
    t.equal(m.guestFault('IA32_PERFEVTSEL0', 0x4_0043003cn), null, `${kernel}: ADAPTIVE`);
    t.equal(m.guestFault('IA32_FIXED_CTR_CTRL', 0x1_00000003n), null, kernel);
  }
  for (const kernel of ['linux-6.1.187', 'linux-6.12.27']) {
    const m = guest(kernel);
    t.match(m.guestFault('IA32_PEBS_ENABLE', 1n << 32n), /general-purpose/, kernel);
    t.match(m.guestFault('MSR_PEBS_DATA_CFG', 2), /does not exist/, kernel);
    t.match(m.guestFault('IA32_PERFEVTSEL0', 0x4_0043003cn), /reserved/, kernel);
  }
  const m = guest('linux-6.6').roundTrip();
  m.guest('IA32_PERF_GLOBAL_CTRL', 0).guest('MSR_PEBS_DATA_CFG', 5).guestPebs([1]).enter();
  t.equal(m.cpu.hardware.pebsDataCfg, 5, 'and the guest runs with its own');
});

t.test('up to 5.6 the NMI handler switches PEBS, so H2 is not there', async (t) => {
  const m = machine('ice-lake', 'linux-5.6').event({ counter: 'PMC0', preciseIp: 2 });
  m.event({ counter: 'PMC1', preciseIp: 2 }).writes();
  const switched = (): string[] =>
    m
      .nmi({ throttle: ['PMC1'] })
      .writes()
      .filter((write) => /PEBS_ENABLE|GLOBAL_CTRL/.test(write))
      .map((write) => write.replace(/=(-|.*PMC7).*/, (_, set) => (set === '-' ? '=-' : '=on')));
  t.strictSame(switched(), [
    'n1 IA32_PERF_GLOBAL_CTRL=-',
    'n1 IA32_PEBS_ENABLE=-',
    'n9 IA32_PEBS_ENABLE=PMC0',
    'n9 IA32_PERF_GLOBAL_CTRL=on',
  ]);

  // H2: the late PMI of PMC1 lands in the section that disables PMC0, after d4.
  const stuck = (kernel: string): string => {
    const h2 = machine('ice-lake', kernel)
      .event({ counter: 'PMC0', preciseIp: 2 })
      .event({ counter: 'PMC1', preciseIp: 2 });
    h2.disable(0, { after: 'd4_pebs_enable', throttle: ['PMC1'], overflow: ['PMC1'] });
    return h2.stuck();
  };
  t.equal(stuck('linux-6.12.107'), 'PMC0');
  t.equal(stuck('linux-5.6'), '-');
});

t.test('5.6 has no guest PEBS and an isolation table with a fault and a gap', async (t) => {
  const classOf = (model: string): string =>
    modelOnKernel(kernelOf('linux-5.6'), modelOf(model)).platformClass;
  t.equal(classOf('ice-lake-sp'), 'K2');
  t.equal(classOf('emerald-rapids'), 'K2');
  t.equal(classOf('cascade-lake'), 'K1', 'added in 2021');
  const isolated = (kernel: string): boolean =>
    isIsolatedOn(kernelOf(kernel), modelOf('broadwell-x'), 1, 0x0b000014);
  t.equal(isolated('linux-5.6'), false, 'names stepping 2, which does not exist');
  t.equal(isolated('linux-6.1.187'), true);
});

t.test('never-switch-pebs-enable saves every write, which is what is wrong with it', async (t) => {
  for (const scenario of COST_SCENARIOS) {
    const writes = measureWrites(
      scenario,
      modelOf('comet-lake'),
      kernelOf('never-switch-pebs-enable'),
    );
    t.equal(msrWrites(writes), 0, scenario.id);
  }
  const m = machine('comet-lake', 'never-switch-pebs-enable')
    .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
    .vcpu()
    .enter();
  t.equal(m.pe(), 'PMC0', 'a host PEBS bit is set in the guest, without isolation');
});
