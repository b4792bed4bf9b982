/**
 * Counters that overflow in the guest: what KVM shows of it in the guest's IA32_PERF_GLOBAL_STATUS, the guest's PMI, and
 * what KVM does to the events behind the counters before the vCPU runs again.
 */
import t from 'tap';
import { toU64 } from '../../src/pmu/arch/counter-set.js';
import { DS_BUFFER_OVERFLOW, statusToU64 } from '../../src/pmu/arch/selector.js';
import { PMI_PENDING, PMI_REQUESTED } from '../../src/pmu/kvm/vcpu-pmu.js';
import { type Machine, machine, names, set } from './machine.js';

const NEW = 'linux-7.3.4';
const OLD = 'linux-7.2.6';
const EMR = 'emerald-rapids';
const BIT_62 = 0x4000000000000000n;
/** EN, INT, OS, USR, and the event code of instructions. */
const SAMPLING = 0x5300c0;
const SILENT = 0x4300c0;

/** The guest's IA32_PERF_GLOBAL_STATUS. */
function status(m: Machine, vcpu = 0): bigint {
  const { hi, lo } = statusToU64(m.vcpuOf(vcpu).globalStatus);
  return (BigInt(hi) << 32n) | BigInt(lo);
}

/** What `pmu_pebs` of kvm-unit-tests does to sample on PMCs: selectors, DS area, PEBS_ENABLE, GLOBAL_CTRL. */
function samplesPebs(m: Machine, counters: readonly number[]): Machine {
  const mask = counters.reduce((bits, counter) => bits | (1 << counter), 0);
  m.guest('IA32_PERF_GLOBAL_CTRL', 0);
  for (const counter of counters) {
    m.guest(`IA32_PMC${counter}`, 0xffff_ffff_fff0n).guest(`IA32_PERFEVTSEL${counter}`, SAMPLING);
  }
  return m
    .guest('IA32_DS_AREA', 0xffff_8880_0004_9000n)
    .guest('IA32_PEBS_ENABLE', mask)
    .guest('IA32_PERF_GLOBAL_CTRL', mask);
}

/** A counter overflows in the guest, and its PMI makes the guest exit. */
function overflowsInGuest(m: Machine, counter: string, throttle: readonly string[] = []): Machine {
  return m.roundTrip({ nmi: { after: 'guest', overflow: [counter], throttle } });
}

for (const model of [EMR, 'ice-lake-sp']) {
  for (const kernel of [OLD, NEW]) {
    t.test(`pmu_pebs on ${kernel}, ${model}: bit 62, a PMI, and the reset`, async (t) => {
      const m = samplesPebs(machine(model, kernel).vcpu().roundTrip(), [0]);
      m.enter();
      t.equal(names(m.cpu.hardware.pebsEnable & m.gc()), 'PMC0', 'PEBS runs in the guest');
      m.leave();
      t.equal(status(m), 0n);
      overflowsInGuest(m, 'PMC0');
      t.equal(status(m), BIT_62, 'the buffer overflowed, and no bit of the counter is set');
      t.equal(m.vcpuOf(0).pmi, PMI_REQUESTED);
      t.equal(m.run.tally.sink.guestPmis, 0);
      m.runTo('k0_irq_off');
      t.equal(m.vcpuOf(0).pmi, PMI_PENDING, "the guest's APIC has it");
      m.runTo('v3_inject');
      t.equal(m.run.tally.sink.guestPmis, 1, 'injected with the next VM-entry');
      t.equal(m.vcpuOf(0).pmi, 0);
      m.leave();
      m.finish();
      t.match(m.guestFault('IA32_PERF_GLOBAL_STATUS', 0), /read-only/);
      m.guest('IA32_PERF_GLOBAL_CTRL', 0).guest('IA32_PERF_GLOBAL_STATUS_RESET', BIT_62);
      t.equal(status(m), 0n, 'a 1 clears the bit');
      m.roundTrip();
      t.equal(m.run.tally.sink.guestPmis, 1, 'and no further PMI comes');
      t.strictSame(m.violated(), []);
    });
  }
}

t.test('no further PMI is due while the guest has not cleared bit 62', async (t) => {
  const m = samplesPebs(machine(EMR, NEW).vcpu().roundTrip(), [0, 1]);
  overflowsInGuest(m, 'PMC0');
  overflowsInGuest(m, 'PMC1').roundTrip();
  t.equal(m.run.tally.sink.guestPmis, 1);
  m.guest('IA32_PERF_GLOBAL_STATUS_RESET', BIT_62);
  overflowsInGuest(m, 'PMC1').roundTrip();
  t.equal(m.run.tally.sink.guestPmis, 2);
});

t.test('a plain counter sets its own bit, and asks for a PMI only with INT set', async (t) => {
  const m = machine(EMR, NEW).vcpu().roundTrip();
  m.guest('IA32_PERFEVTSEL0', SAMPLING).guest('IA32_PERFEVTSEL1', SILENT);
  overflowsInGuest(m, 'PMC1').roundTrip();
  t.equal(status(m), 2n);
  t.equal(m.run.tally.sink.guestPmis, 0, 'PMC1 has INT clear');
  overflowsInGuest(m, 'PMC0').roundTrip();
  t.equal(status(m), 3n);
  t.equal(m.run.tally.sink.guestPmis, 1);
  overflowsInGuest(m, 'PMC0').roundTrip();
  t.equal(m.run.tally.sink.guestPmis, 2, 'with its bit still set, unlike bit 62');
  m.guest('IA32_PERF_GLOBAL_STATUS_RESET', 1);
  t.equal(status(m), 2n, 'the other bit stays');
});

t.test("the bit is that of the guest's counter, wherever it is backed", async (t) => {
  const m = machine(EMR, NEW).event({ counter: 'PMC0' }).vcpu().roundTrip();
  m.guest('IA32_PERFEVTSEL0', SAMPLING);
  t.equal(m.eventOf(1).counter, 1, 'guest PMC0 is on host PMC1');
  overflowsInGuest(m, 'PMC1');
  t.equal(status(m), 1n);
  m.guest('IA32_PERF_GLOBAL_CTRL', 1n << 32n).guest('IA32_FIXED_CTR_CTRL', 0xb);
  const fixed = m.state.events.findIndex((_, at) => m.world.eventConfigs[at]!.guestCounter === 16);
  const counter = names(1 << m.eventOf(fixed).counter);
  overflowsInGuest(m, counter);
  t.equal(status(m), (1n << 32n) | 1n, `FIXED0 on ${counter}`);
});

t.test('IA32_PERF_GLOBAL_STATUS_RESET takes the counters, bit 62 and bit 63', async (t) => {
  for (const pebs of [true, false]) {
    const fault = (bit: bigint): string | null =>
      machine(EMR, NEW)
        .vcpu({ pebs })
        .guestFault('IA32_PERF_GLOBAL_STATUS_RESET', 1n << bit);
    for (const bit of [0n, 7n, 32n, 34n, 62n, 63n]) {
      t.equal(fault(bit), null, `bit ${bit}`);
    }
    for (const bit of [8n, 31n, 35n, 48n, 55n, 58n, 61n]) {
      t.match(fault(bit), /reserved/, `bit ${bit}`);
    }
  }
});

t.test('host PEBS keeps guest PEBS off: no record, no bit 62', async (t) => {
  for (const kernel of [OLD, NEW]) {
    const m = samplesPebs(machine(EMR, kernel).vcpu().roundTrip(), [0]);
    m.event({ counter: 'PMC3', preciseIp: 2, excludeGuest: true });
    m.enter();
    const { globalCtrl, counterEnable, pebsEnable } = m.cpu.hardware;
    t.equal(names(globalCtrl & counterEnable & pebsEnable), '-', `${kernel}: nothing fires`);
    m.leave();
    m.nmi({ overflow: ['PMC3'] });
    t.equal(status(m), 0n, "a PMI of the host's event in the host is nothing to the guest");
    t.equal(m.vcpuOf(0).pmi, 0);
  }
});

t.test("a host PMI that comes late, in the guest, is taken for the guest's own", async (t) => {
  const m = samplesPebs(machine(EMR, NEW).vcpu().roundTrip(), [0]);
  m.event({ counter: 'PMC3', preciseIp: 2, excludeGuest: true });
  overflowsInGuest(m, 'PMC3');
  t.equal(status(m), BIT_62, 'a spurious overflow: why the two may not run side by side');
});

t.test('a PMI of guest PEBS that comes after the VM-exit never reaches the guest', async (t) => {
  const m = samplesPebs(machine(EMR, NEW).vcpu().roundTrip(), [0]);
  m.enter()
    .latch(['PMC0'])
    .leave({ nmi: { after: 'k11_host' } });
  t.equal(status(m), 0n, "perf finds the host's buffer empty, and no guest to blame");
  const plain = machine(EMR, NEW).vcpu().roundTrip().guest('IA32_PERFEVTSEL0', SAMPLING);
  plain
    .enter()
    .latch(['PMC0'])
    .leave({ nmi: { after: 'k11_host' } });
  t.equal(status(plain), 1n, "a plain counter's bit is in hardware until somebody serves it");
});

t.test('before the next run KVM pauses and resumes the counter, throttled or not', async (t) => {
  for (const throttle of [[], ['PMC0']]) {
    const m = samplesPebs(machine(EMR, NEW).vcpu().roundTrip(), [0]);
    overflowsInGuest(m, 'PMC0', throttle);
    t.equal(m.status(0), throttle.length === 0 ? 'active' : 'throttled');
    m.steps();
    m.runTo('k0_irq_off');
    t.equal(m.status(0), 'active', 'running again without a tick');
    const steps = m.steps();
    t.equal(steps.filter((step) => step === 'd1_n_added').length, 2, 'two sections');
    t.equal(steps.at(-1), 'k0_irq_off');
    t.equal(m.vcpuOf(0).reprogram, 0);
    m.finish();
    m.steps();
    m.roundTrip();
    t.equal(m.steps()[0], 'k0_irq_off', 'once');
    t.strictSame(m.violated(), []);
  }
});

t.test('an overflow between k0 and VM-entry waits for the run after', async (t) => {
  const m = machine(EMR, NEW).vcpu().roundTrip().guest('IA32_PERFEVTSEL0', SAMPLING);
  m.enter().latch(['PMC0']).leave();
  m.roundTrip({ nmi: { after: 'k8_prepare' } });
  t.equal(status(m), 1n);
  t.equal(m.run.tally.sink.guestPmis, 0);
  m.roundTrip();
  t.equal(m.run.tally.sink.guestPmis, 1);
});

t.test('with a request pending the fast path does not re-enter', async (t) => {
  const m = machine(EMR, NEW).vcpu().roundTrip().guest('IA32_PERFEVTSEL0', SAMPLING);
  m.roundTrip({ exit: 'fastpath_reenter' });
  t.not(m.cpu.operation, 0, 'about to re-enter');
  m.leave();
  m.enter().latch(['PMC0']);
  m.leave({ exit: 'fastpath_reenter', nmi: { after: 'k11_host' } });
  t.equal(m.cpu.operation, 0, "back in KVM's outer loop");
});

t.test('an event that the guest reprogrammed itself needs no second time', async (t) => {
  const m = samplesPebs(machine(EMR, NEW).vcpu().roundTrip(), [0]);
  overflowsInGuest(m, 'PMC0');
  t.equal(names(m.vcpuOf(0).reprogram), 'PMC0');
  m.guest('IA32_PERF_GLOBAL_CTRL', 0);
  t.equal(names(m.vcpuOf(0).reprogram), '-');
  m.steps();
  t.equal(m.roundTrip().steps()[0], 'k0_irq_off');
});

t.test('without PEBS in IA32_PERF_CAPABILITIES there is no IA32_PEBS_ENABLE', async (t) => {
  for (const kernel of [OLD, NEW]) {
    for (const model of [EMR, 'ice-lake-sp']) {
      const m = machine(model, kernel).vcpu({ pebs: false }).roundTrip();
      t.match(m.guestFault('IA32_PEBS_ENABLE', 1), /IA32_PERF_CAPABILITIES/);
      t.match(m.guestFault('IA32_PEBS_ENABLE', 0), /IA32_PERF_CAPABILITIES/);
      t.match(m.guestFault('MSR_PEBS_DATA_CFG', 0), /does not exist/);
      t.equal(m.guestFault('IA32_DS_AREA', 0x1000), null, 'which CPUID decides, not PEBS');
      m.guest('IA32_PERFEVTSEL0', SAMPLING);
      t.equal(m.eventOf(0).preciseIp, 0);
      overflowsInGuest(m, 'PMC0').roundTrip();
      t.equal(status(m), 1n, 'its counters are plain ones');
      t.equal(m.run.tally.sink.guestPmis, 1);
    }
  }
});

t.test('a guest with RTM may count inside transactions', async (t) => {
  const select = (rtm: boolean, counter: number, bit: bigint): string | null =>
    machine(EMR, NEW)
      .vcpu({ rtm })
      .guestFault(`IA32_PERFEVTSEL${counter}`, BigInt(SAMPLING) | (1n << bit));
  for (const counter of [0, 2, 7]) {
    t.match(select(false, counter, 32n), /reserved/);
    t.match(select(false, counter, 33n), /reserved/);
    t.equal(select(true, counter, 32n), null, `IN_TX on PMC${counter}`);
    t.match(select(true, counter, 34n), /reserved/);
  }
  t.equal(select(true, 2, 33n), null, 'IN_TXCP on PMC2');
  t.match(select(true, 0, 33n), /reserved/, 'and on no other');
  t.match(select(true, 3, 33n), /reserved/);
});

t.test('IN_TXCP is backed by PMC2 alone and never overflows into the guest', async (t) => {
  const m = machine(EMR, NEW).event({ counter: 'PMC0' }).vcpu({ rtm: true }).roundTrip();
  m.guest('IA32_PERFEVTSEL2', SAMPLING);
  t.equal(names(1 << m.eventOf(1).counter), 'PMC1', 'a plain event takes the first that is free');
  m.guest('IA32_PERFEVTSEL2', BigInt(SAMPLING) | (1n << 33n));
  t.equal(names(1 << m.eventOf(1).counter), 'PMC2', 'created anew');
  t.notOk(m.world.eventConfigs[1]!.sampling);
  overflowsInGuest(m, 'PMC2').roundTrip();
  t.equal(status(m), 0n);
  m.guest('IA32_PERFEVTSEL2', SAMPLING);
  t.ok(m.world.eventConfigs[1]!.sampling);
});

t.test('perf refuses PEBS inside transactions, so KVM backs nothing', async (t) => {
  const m = samplesPebs(machine(EMR, NEW).vcpu({ rtm: true }).roundTrip(), [0]);
  m.guest('IA32_PERFEVTSEL0', BigInt(SAMPLING) | (1n << 32n));
  t.equal(m.status(0), 'closed');
  m.guest('IA32_PEBS_ENABLE', 0);
  t.equal(m.status(0), 'active');
  t.equal(m.eventOf(0).preciseIp, 0);
});

t.test(
  'I15: before the series a cross-mapped plain counter stands still beside guest PEBS',
  async (t) => {
    const inGuest = (kernel: string): Machine => {
      const m = machine(EMR, kernel).event({ counter: 'PMC0' }).vcpu().roundTrip();
      m.guest('IA32_PERF_GLOBAL_CTRL', 0).guest('IA32_DS_AREA', 0xffff_8880_0004_9000n);
      m.guest('IA32_PEBS_ENABLE', 4);
      m.guest('IA32_PERFEVTSEL0', SAMPLING).guest('IA32_PERFEVTSEL2', SAMPLING);
      m.guest('IA32_PERF_GLOBAL_CTRL', 5);
      t.strictSame([m.eventOf(1).counter, m.eventOf(2).counter], [1, 2], 'PMC0 is taken');
      return m.enter();
    };
    const old = inGuest(OLD);
    t.strictSame(toU64(old.gc()), { hi: 0x1000f, lo: 0xfd });
    t.strictSame(old.violated(), ['I15']);
    const landed = inGuest(NEW);
    t.strictSame(toU64(landed.gc()), { hi: 0x1000f, lo: 0xff });
    t.strictSame(landed.violated(), []);
    t.equal(names(landed.cpu.hardware.pebsEnable & set(['PMC2'])), 'PMC2', 'guest PEBS runs too');
  },
);

t.test('I15 asks for nothing that is forced off by rule', async (t) => {
  for (const kernel of [OLD, NEW]) {
    const m = samplesPebs(machine(EMR, kernel).vcpu().roundTrip(), [0]);
    m.event({ counter: 'PMC3', preciseIp: 2, excludeGuest: true }).roundTrip();
    t.strictSame(m.violated(), [], `${kernel}: guest PEBS beside host PEBS`);
  }
});

t.test('bit 62 is where the architecture has it', async (t) => {
  t.strictSame(statusToU64(DS_BUFFER_OVERFLOW), { hi: 0x40000000, lo: 0 });
});
