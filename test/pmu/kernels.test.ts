/** The registry of kernels, and what each kernel makes of each CPU model (semantics sheet §9.1 and §9.8). */
import t from 'tap';
import { CPU_MODELS, findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { findKernel, KERNELS } from '../../src/pmu/kernels/index.js';
import { modelOnKernel } from '../../src/pmu/kernels/pmu-support.js';
import { COST_SCENARIOS, measureWrites, msrWrites } from '../../src/pmu/scenarios/write-costs.js';
import { table } from '../routes/lab.js';
import { machine, names, present } from './machine.js';

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
  ]);
});

// §9.8, first table; "-" is a class that nobody read there.
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
  t.equal(CLASSES.length, CPU_MODELS.length);
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
  for (const id of ['linux-6.6.158', 'linux-6.18.55']) {
    t.equal(modelOnKernel(kernelOf(id), modelOf('emerald-rapids')).certainty, 'derived', id);
  }
});

t.test('a model without a case takes the generic branch: precise_ip 2 at most', async (t) => {
  const unknown = (kernel: string): string[] =>
    CPU_MODELS.filter((model) => !modelOnKernel(kernelOf(kernel), model).known).map(({ id }) => id);
  t.strictSame(unknown('linux-6.1.192'), ['granite-rapids', 'sierra-forest', 'diamond-rapids']);
  t.strictSame(unknown('linux-6.12.117'), ['diamond-rapids']);
  t.strictSame(unknown('linux-7.3.4'), []);
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

// §9.8: where precise_ip 3 may go.
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
});
