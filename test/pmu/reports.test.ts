/** Public reports (semantics.md §7.9), value by value: each is caught on the faulty kernel and not on the repaired one. */
import t from 'tap';
import { SCENARIOS } from '../../src/model/worlds/scenarios.js';
import { firing } from '../../src/pmu/arch/hardware.js';
import { DS_AREA, PEBS_DATA_CFG, PEBS_ENABLE } from '../../src/pmu/arch/msr.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { NMI_RESET } from '../../src/pmu/machine/actions.js';
import { STEP_NAMES } from '../../src/pmu/machine/micro-step.js';
import { formatCounterSet, formatDataCfg } from '../../src/service/wire.js';
import { type Machine, machine, names, requestOf } from './machine.js';

const PEBS = { counter: 'PMC0', preciseIp: 2, excludeGuest: true } as const;
const violates = (m: Machine, id: string): boolean => m.violated().includes(id);

t.test('every report of §7.9 is a scenario with its source', async (t) => {
  const ids = SCENARIOS.filter(({ id }) => id.startsWith('report-'));
  const reported = (kernel: string) => ids.filter(({ model }) => model.kernel === kernel);
  for (const kernel of [
    'linux-5.6',
    'linux-5.11',
    'linux-6.1',
    'linux-6.4-rc2',
    'linux-6.6',
    'linux-6.12.27',
    'linux-6.16',
    'linux-6.19',
  ]) {
    t.ok(reported(kernel).length > 0, kernel);
  }
  const faulty = ids.filter(({ expected }) => Object.values(expected).includes('violated'));
  for (const { id, sources, title } of faulty) {
    t.ok(sources.length > 0 && title.length < 300, id);
    const name = id.replace(/-(linux-.*|metrics-never-precise)$/, '');
    const repaired = ids.filter((other) => other.id.startsWith(`${name}-`) && other.id !== id);
    t.ok(repaired.length > 0, `${name} is there on another kernel too`);
  }
});

t.test('CVE-2025-37936: guest-only PEBS of host user space, value by value', async (t) => {
  const run = (kernel: string) =>
    machine('emerald-rapids', kernel)
      .event({ counter: 'PMC0', preciseIp: 2, excludeHost: true })
      .vcpu()
      .enter();
  const m = run('linux-6.12.27');
  const { autoload, guestGlobalCtrl, hostGlobalCtrl, dsArea } = m.vcpuOf(0);
  t.equal(formatCounterSet(hostGlobalCtrl), '0x0001000f000000fe', '38f host');
  t.equal(formatCounterSet(guestGlobalCtrl), '0x0001000f000000ff', '38f guest');
  t.equal(autoload.host[DS_AREA], m.cpu.cpuc.ds, '600 host');
  t.not(autoload.host[DS_AREA], 0);
  t.equal(autoload.guest[DS_AREA], 0, '600 guest');
  t.notOk(autoload.listed().includes(PEBS_DATA_CFG), '3f2 0/0: KVM clears the entry');
  t.equal(formatCounterSet(autoload.host[PEBS_ENABLE]!), '0x0000000000000000', '3f1 host');
  t.equal(formatCounterSet(autoload.guest[PEBS_ENABLE]!), '0x0000000000000001', '3f1 guest');
  t.equal(names(firing(m.cpu.hardware)), 'PMC0', 'PEBS fires in the guest');
  t.equal(dsArea, 0);
  t.equal(m.cpu.hardware.dsArea, 0, 'with DS_AREA 0');
  t.strictSame(m.violated(), ['I3s', 'I10'], 'DS_AREA is the guest’s own, so I5g says nothing');
  t.strictSame(run('linux-6.12.107').leave().violated(), [], 'mended');
});

t.test('bit 63 in the VM-exit area shuts the CPU down, and nothing brings it back', async (t) => {
  const run = (kernel: string) =>
    machine('emerald-rapids', kernel)
      .event({ ...PEBS, dataCfg: 3 })
      .event({ ...PEBS, counter: 'PMC1' })
      .close(1)
      .vcpu()
      .roundTrip();
  const m = run('linux-6.4-rc2');
  t.equal(formatDataCfg(m.vcpuOf(0).autoload.host[PEBS_DATA_CFG]!), '0x8000000000000000');
  t.equal(STEP_NAMES[m.cpu.pc], 'v6_vmx_abort');
  t.equal(m.firstViolation('I19'), 'v6_exit_load');
  const { hardware } = m.cpu;
  t.equal(hardware.dsArea, m.cpu.cpuc.ds, 'what comes before it in the area was loaded');
  t.equal(hardware.pebsDataCfg, 0, 'the register keeps the value of the guest');
  for (const act of [
    () => m.roundTrip(),
    () => m.nmi(),
    () => m.tick(),
    () => m.section(),
    () => m.close(0),
  ]) {
    t.throws(act, { message: /VMX abort/ });
  }
  t.throws(() => m.latch(['PMC0']), { message: /VMX abort/ });
  const mended = run('linux-6.6');
  t.equal(STEP_NAMES[mended.cpu.pc], 'rest');
  t.notOk(violates(mended, 'I19'), mended.violated().join(' '));
});

t.test('5.11: a precise VLBR event, and a WRMSR that faults', async (t) => {
  const vlbr = { counter: 'VLBR', preciseIp: 1, excludeGuest: true } as const;
  const m = machine('haswell-x', 'linux-5.11').event(vlbr);
  t.equal(formatCounterSet(m.cpu.cpuc.pebsEnabled), '0x0400000000000000', 'as reported');
  t.equal(m.pe(), '-', 'the register keeps its value');
  t.notOk(
    m.writes().some((write) => /IA32_PEBS_ENABLE=VLBR|_CTR\d|_PMC|PERFEVTSEL/.test(write)),
    'no write of it, and a pseudo counter has no counter to write',
  );
  t.ok(violates(m, 'I19') && violates(m, 'I2'), m.violated().join(' '));
  const plan = machine('haswell-x', 'linux-6.1.187').planOf(requestOf(vlbr));
  t.match(plan, { errno: 'EINVAL' }, 'mended: refused');
  t.match(machine('haswell-x', 'linux-5.6').planOf(requestOf(vlbr)), { errno: 'EINVAL' });

  // Derived: without isolation the register is in the load areas, and the VM-exit loads the bit.
  m.vcpu().roundTrip();
  t.equal(STEP_NAMES[m.cpu.pc], 'v6_vmx_abort');
});

t.test('up to 7.3.4: a precise metrics event takes the bit of another one away', async (t) => {
  const metrics = { counter: 'PERF_METRICS', preciseIp: 1, sampling: 'freq' } as const;
  for (const kernel of ['linux-6.1.192', 'linux-6.12.117', 'linux-7.2.6', 'linux-7.3.4']) {
    const m = machine('alder-lake-p', kernel).event(PEBS).event(metrics);
    t.equal(formatCounterSet(m.cpu.cpuc.pebsEnabled), '0x0001000000000001', `${kernel}: wanted`);
    t.equal(m.pe(), '-', 'PMU disable has written 0, the value of PMU enable is refused');
    t.ok(violates(m, 'I19') && violates(m, 'I2') && violates(m, 'I13'), m.violated().join(' '));
    m.close(1);
    t.equal(m.pe(), 'PMC0', 'closing it mends that');
  }
  const refused = (model: string, kernel: string): void => {
    const plan = machine(model, kernel).planOf(requestOf(metrics));
    t.match(plan, { errno: 'EINVAL' }, `${model}, ${kernel}`);
  };
  refused('alder-lake-p', 'metrics-never-precise');
  refused('haswell-x', 'linux-7.3.4');
});

t.test('a precise metrics event beside a guest: VMX abort where 3f1 is switched', async (t) => {
  const exit = (kernel: string): string | undefined => {
    const m = machine('emerald-rapids', kernel);
    m.event({ counter: 'PERF_METRICS', preciseIp: 1, sampling: 'freq', excludeGuest: true });
    return STEP_NAMES[m.vcpu().roundTrip().cpu.pc];
  };
  t.equal(exit('linux-7.2.6'), 'v6_vmx_abort');
  t.equal(exit('linux-6.12.107'), 'v6_vmx_abort');
  t.equal(exit('linux-7.3.4'), 'rest', 'the series never lists it');
});

t.test('6.16.0 starts a member of a throttled group that is off', async (t) => {
  const run = (kernel: string) =>
    machine('emerald-rapids', kernel)
      .event({ counter: 'PMC1' })
      .event({ ...PEBS, leader: 0 })
      .disable(1)
      .nmi({ throttle: ['PMC1'] });
  const m = run('linux-6.16');
  t.ok(violates(m, 'I21'), 'the throttle mark is on an event that holds no counter');
  m.writes();
  m.tick();
  const selectors = m.writes().filter((write) => /PERFEVTSEL|PEBS_ENABLE/.test(write));
  t.strictSame(
    selectors.map((write) => write.replace(/=0x.*/, '')),
    ['start IA32_PERFEVTSEL1', 'start IA32_PERFEVTSEL0', 'e3 IA32_PEBS_ENABLE=PMC0'],
  );
  t.equal(m.status(1), 'off', 'perf has it off, and it makes PEBS records');
  t.equal(names(firing(m.cpu.hardware)), 'PMC0');
  m.nmi({ throttle: ['PMC1'] });
  t.equal(names(firing(m.cpu.hardware)), '-', 'throttling the group stops it again');

  const mended = run('linux-7.3.4').tick();
  t.equal(names(firing(mended.cpu.hardware)), '-');
  t.notOk(violates(mended, 'I21'));

  // The report's own member never was on a counter: Linux warns, and nothing starts.
  const never = machine('emerald-rapids', 'linux-6.16')
    .event({ counter: 'PMC1' })
    .event({ ...PEBS, leader: 0, off: true })
    .nmi({ throttle: ['PMC1'] });
  t.ok(violates(never, 'I21'));
  t.equal(names(firing(never.tick().cpu.hardware)), '-');
});

/** A throttled event that may be on any counter, and has to leave PMC0 for a former sibling. */
function moved(kernel: string): Machine {
  const m = machine('emerald-rapids', kernel)
    .event({ counter: 'PMC7' })
    .event({ counter: 'PMC0', leader: 0, off: true })
    .event({})
    .close(0)
    .nmi({ throttle: ['PMC0'] });
  t.equal(m.status(2), 'throttled');
  return m.enable(1).tick();
}

t.test('6.19.0 loses sight of a throttled event that moves', async (t) => {
  const m = moved('linux-6.19');
  t.equal(m.eventOf(2).counter, 1);
  t.equal(m.status(2), 'active');
  t.ok(violates(m, 'I22'), m.violated().join(' '));
  m.writes();
  m.nmi({ overflow: ['PMC1'] });
  t.notOk(
    m.writes().some((write) => write.startsWith('n7')),
    'its overflow is not served, and the counter not armed again',
  );
  m.nmi({ throttle: ['PMC1'] });
  t.equal(m.status(2), 'active', 'nor can it be throttled');
  t.notOk(violates(m.disable(2).enable(2), 'I23'));
  t.equal(m.eventOf(2).unseen, 0, 'scheduling it again mends that');

  const mended = moved('linux-7.3.4');
  t.notOk(violates(mended, 'I22'));
  mended.writes();
  t.ok(
    mended
      .nmi({ overflow: ['PMC1'] })
      .writes()
      .some((write) => write.startsWith('n7 IA32_PMC1')),
  );
});

t.test('before 6.9 a guest can have the LBR entries of the host in its records', async (t) => {
  const m = machine('emerald-rapids', 'linux-6.6').vcpu().guest('MSR_PEBS_DATA_CFG', 8);
  t.ok(violates(m.guestPebs([0]).roundTrip(), 'I23'));
  const without = machine('emerald-rapids', 'linux-6.6').vcpu().guest('MSR_PEBS_DATA_CFG', 7);
  t.notOk(violates(without.guestPebs([0]).roundTrip(), 'I23'), 'other groups hold nothing of it');
});

t.test('after 100 loops the PMU is reset, and a stuck bit stays stuck', async (t) => {
  const m = machine('emerald-rapids', 'linux-7.3.4')
    .event({ counter: 'PMC1', excludeGuest: true })
    .event({ ...PEBS, leader: 0 })
    .event({ counter: 'FIXED1' })
    .nmi({ throttle: ['PMC1'] });
  t.equal(m.stuck(), 'PMC0', 'H1');
  m.tick().disable(1).writes();
  t.equal(m.stuck(), '-');
  m.enable(1)
    .nmi({ throttle: ['PMC1'] })
    .close(1)
    .tick()
    .writes();
  t.equal(m.stuck(), 'PMC0', 'and it outlives the tick once the event is gone');
  m.run.interrupt(NMI_RESET, m.cpu, 0, 0);
  const writes = m.writes();
  t.strictSame(
    writes
      .filter((write) => !/^n8 IA32_(PMC|FIXED_CTR|PERFEVTSEL)\d/.test(write))
      .map((write) => write.split('=')[0]),
    ['n1 IA32_PERF_GLOBAL_CTRL', 'n8 IA32_PERF_GLOBAL_CTRL', 'n9 IA32_PERF_GLOBAL_CTRL'],
    'IA32_PEBS_ENABLE is left alone',
  );
  t.equal(writes.length, 3 + 8 + 8 + 4, 'every selector and counter, fixed ones included');
  t.equal(m.stuck(), 'PMC0');
  t.equal(m.status(0), 'active');
  t.equal(names(m.cpu.hardware.counterEnable), 'FIXED1', 'FIXED_CTR_CTRL is not written');
  t.ok(violates(m, 'I17'), 'perf counts the plain event as active, and its counter is off');
  m.disable(0).enable(0);
  t.equal(names(m.cpu.hardware.counterEnable), 'PMC1 FIXED1', 'scheduling it again mends that');
});

t.test('no reset in the guest', async (t) => {
  const m = machine('emerald-rapids', 'linux-7.3.4').event(PEBS).vcpu().enter();
  t.throws(() => m.run.interrupt(NMI_RESET, m.cpu, 0, 0), { message: /in the guest/ });
});

t.test('without NMIs every kernel that quiesces keeps host records out of the guest', async (t) => {
  for (const kernel of KERNELS) {
    const quiesces = kernel.id !== 'never-switch-pebs-enable';
    for (const model of ['haswell-x', 'broadwell-x', 'comet-lake']) {
      const m = machine(model, kernel.id)
        .event(PEBS)
        .event({ ...PEBS, counter: 'PMC1', sampling: 'freq' })
        .vcpu()
        .vcpu();
      m.roundTrip().roundTrip({ vcpu: 1 }).tick().section().disable(0).roundTrip().enable(0);
      m.roundTrip({ exit: 'fastpath_reenter' }).roundTrip({ exit: 'hlt' }).close(1).roundTrip();
      t.equal(violates(m, 'I3o'), !quiesces, `${kernel.id} on ${model}: I3o`);
      t.equal(violates(m, 'I3'), !quiesces, `${kernel.id} on ${model}: I3`);
    }
    for (const model of ['cascade-lake', 'ice-lake-sp']) {
      const m = machine(model, kernel.id).event(PEBS).vcpu().roundTrip();
      t.notOk(violates(m, 'I3o') || violates(m, 'I3'), `${kernel.id} on ${model}`);
    }
  }
});
