/** The invariants of §7.7: they hold where the sheet says so, and each of them can fail. */
import t from 'tap';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { findInvariant, INVARIANTS } from '../../src/pmu/invariants/index.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { type Machine, machine, set } from './machine.js';
import { walk } from './random-walk.js';

const K1 = 'haswell-x';
const K3 = 'emerald-rapids';
const LANDED = 'linux-6.12.117';
const BASE = 'upstream-base';

t.test('ids, places and predicates', async (t) => {
  t.strictSame(
    INVARIANTS.map(({ id }) => id).sort(),
    [
      'I1',
      'I10',
      'I11',
      'I12',
      'I13',
      'I15',
      'I16',
      'I17',
      'I18',
      'I19',
      'I2',
      "I2'",
      'I20',
      'I21',
      'I22',
      'I23',
      'I3',
      'I3o',
      'I3s',
      'I4',
      'I5g',
      'I5h',
      'I6',
      'I7',
      'I7e',
      'I8',
      'I9',
    ].sort(),
  );
  for (const invariant of INVARIANTS) {
    t.equal(findInvariant(invariant.id), invariant);
    t.ok(
      invariant.points > 0 && invariant.statement.endsWith('.') && invariant.sources.length > 0,
      invariant.id,
    );
  }
  t.equal(findInvariant('I0'), undefined);
});

/**
 * §7.7, last line: without NMIs all hold, but for three faults. Until the series landed, guest counters that are
 * cross-mapped stand still beside guest PEBS (§7.7). v1's entries that nobody clears are wrong once the host's data
 * configuration changes (I6, I20), and after a migration the DS area is another CPU's (I5h). And a kernel that never switches
 * IA32_PEBS_ENABLE has host PEBS fire in the guest where nothing isolates it.
 */
function allowed(kernel: string, isolated: boolean, migrating: boolean): string[] {
  if (kernel === 'never-switch-pebs-enable') {
    return isolated ? [] : ['I3', 'I3o'];
  }
  const standing = hasSeries(kernel) ? [] : ['I15'];
  if (kernel === 'pebs-v1') {
    return [...standing, ...(migrating ? ['I5h'] : []), 'I6', 'I8', 'I9', 'I20'];
  }
  return [...standing, ...(PUBLISHED[kernel] ?? [])];
}

/** Whether the kernel's list is the one that landed, or has no guest PEBS in it. */
function hasSeries(kernel: string): boolean {
  const before = /^(linux-(7\.2\.6|6\.19|6\.16|6\.12\.107|6\.1\.187)|pebs-v[12].*)$/;
  return !before.test(kernel) && !(kernel in PUBLISHED);
}

/** Kernels with a published bug are caught without any NMI. */
const PUBLISHED: Readonly<Record<string, string[]>> = {
  'linux-6.12.27': ['I3s', 'I10'],
  'linux-6.6': ['I3', 'I3s', 'I5g', 'I10', 'I11', 'I20', 'I23'],
  'linux-6.4-rc2': ['I3', 'I3s', 'I5g', 'I6', 'I8', 'I10', 'I11', 'I19', 'I20', 'I23'],
  'linux-6.1': ['I3', 'I3s', 'I5g', 'I10', 'I11', 'I23'],
};

const OPERATIONS = 700;

for (const kernel of KERNELS) {
  t.test(
    `${kernel.id}: no invariant fails without NMIs but by a known fault, on any model`,
    async (t) => {
      const failed = new Set<string>();
      for (const [at, model] of CPU_MODELS.entries()) {
        for (const migrate of [false, true]) {
          const { machine: m, done } = walk(model.id, kernel.id, 1 + at, {
            operations: OPERATIONS,
            migrate,
          });
          t.ok(
            done > OPERATIONS / 2 || m.violated().includes('I19'),
            `${model.id}: ${done} operations, ${m.run.tally.microSteps} micro-steps`,
          );
          const known = allowed(kernel.id, m.state.noIsolation === 0, migrate);
          const unexpected = m.violated().filter((id) => !known.includes(id));
          t.strictSame(unexpected, [], `${model.id}, ${migrate ? 'migrating' : 'at home'}`);
          for (const id of m.violated()) {
            failed.add(id);
          }
        }
      }
      if (kernel.id in PUBLISHED) {
        t.ok(failed.has('I10'), `is caught by ${[...failed].join(' ')}`);
      }
    },
  );
}

t.test('v1 does fail in the walk: its entries go stale', async (t) => {
  const failed = new Set<string>();
  for (let seed = 0; seed < 20; seed += 1) {
    for (const id of walk(K3, 'pebs-v1', seed, {
      operations: OPERATIONS,
      migrate: true,
    }).machine.violated()) {
      failed.add(id);
    }
  }
  t.ok(failed.has('I9'), [...failed].join(' '));
  t.ok(failed.has('I8'));
});

/** With NMIs anywhere but in PMU sections, and throttling event by event, so that H1 to H4 stay out of it. */
function failingWithNmis(kernel: string, model: string, seeds = 14): string[] {
  const failed = new Set<string>();
  for (let seed = 0; seed < seeds; seed += 1) {
    const options = {
      operations: OPERATIONS,
      migrate: true,
      nmis: true,
      options: { groupThrottle: false },
    };
    const { machine: m } = walk(model, kernel, seed, options);
    t.ok(m.run.tally.sink.throttles > 0);
    for (const id of m.violated()) {
      failed.add(id);
    }
  }
  return [...failed].sort();
}

t.test(
  'with isolation the landed series keeps all but the value of GLOBAL_CTRL under any NMIs',
  async (t) => {
    const models = [K3, 'sapphire-rapids', 'ice-lake', 'cascade-lake', 'diamond-rapids'];
    const found = new Set<string>();
    const only = (kernel: string, model: string, allowed: readonly string[]): void => {
      const failed = failingWithNmis(kernel, model);
      for (const id of failed) found.add(id);
      t.ok(failed.includes('I7'), `${kernel} on ${model}: the value`);
      t.strictSame(
        failed.filter((id) => !allowed.includes(id)),
        [],
        `${kernel} on ${model}: nothing else`,
      );
    };
    for (const model of models) {
      // From 6.2 to 6.15 no tick comes to a sibling that was throttled by itself.
      only(LANDED, model, ['I18', 'I7']);
      // And v2 has guest counters stand still that are cross-mapped beside guest PEBS.
      only('pebs-v2', model, ['I15', 'I18', 'I7']);
    }
    t.strictSame([...found].sort(), ['I15', 'I18', 'I7'], 'each is found somewhere');
    for (const model of ['ice-lake-sp', 'ice-lake', 'cascade-lake']) {
      t.strictSame(failingWithNmis('linux-6.1.192', model), ['I7'], `linux-6.1.192 on ${model}`);
    }
  },
);

t.test('before the series, and without isolation, the same NMIs leave bits stuck', async (t) => {
  for (const [kernel, model] of [
    [BASE, K3],
    [BASE, K1],
    [LANDED, K1],
  ] as const) {
    const failed = failingWithNmis(kernel, model);
    t.ok(
      failed.includes('I1') && failed.includes('I8'),
      `${kernel} on ${model}: ${failed.join(' ')}`,
    );
  }
});

// Each invariant fails in a schedule, or where no schedule is known to break it, in a state made wrong by hand.

const pebsHost = (model: string, kernel: string): Machine =>
  machine(model, kernel).event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true }).vcpu();
const throttlePmc0 = { throttle: ['PMC0'] };

/** In the guest, on the landed K3 kernel, after `spoil` has touched the registers; evaluated by leaving. */
function spoiltInGuest(spoil: (m: Machine) => void): Machine {
  const m = pebsHost(K3, LANDED);
  m.runTo('v1_guest_state');
  spoil(m);
  return m.runTo('v2_entry_load');
}

const WAYS_TO_FAIL: Readonly<Record<string, () => Machine>> = {
  I1: () => pebsHost(K3, BASE).roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } }),
  "I2'": () => pebsHost(K1, LANDED).roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } }),
  I2: () => pebsHost(K3, BASE).roundTrip({ exit: 'vmfail' }),
  I3: () =>
    spoiltInGuest((m) => {
      m.cpu.hardware.globalCtrl |= set(['PMC0']);
    }),
  I3s: () =>
    // t9 and t10 of §7.2: a plain event on the counter whose bit is stuck.
    pebsHost(K3, BASE)
      .roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } })
      .close(0)
      .event({ counter: 'PMC0' })
      .roundTrip(),
  I3o: () => pebsHost(K1, LANDED).runTo('k7_lapic_wait').snapshot().finish(),
  I4: () => {
    const m = machine(K3, LANDED).event({ counter: 'PMC0', excludeHost: true });
    m.cpu.hardware.globalCtrl |= set(['PMC0']);
    // Anything on this CPU has the state looked at again; a latched overflow changes no register.
    return m.latch(['PMC0']);
  },
  // H8: a full area leaves the host's DS area loaded while guest PEBS fires.
  I5g: () =>
    machine(K3, LANDED, { autoloadSlotsTaken: 8 }).vcpu().roundTrip().guestPebs([0]).roundTrip(),
  I5h: () => migratedV1(),
  I6: () => migratedV1(4),
  I7: () =>
    machine(K3, LANDED)
      .event({ counter: 'PMC0', excludeHost: true })
      .vcpu()
      .roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } }),
  // An NMI between the exit loads and `enabled := 1` finds the PMU off and leaves GLOBAL_CTRL 0.
  I7e: () => pebsHost(K3, 'zero-global-ctrl-e2').roundTrip({ nmi: { after: 'k11_host' } }),
  I8: () => pebsHost(K1, LANDED).roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } }),
  I9: () => migratedV1(),
  I10: () =>
    spoiltInGuest((m) => {
      m.cpu.hardware.globalCtrl |= set(['PMC0']);
      m.cpu.hardware.pebsEnable = 0;
    }),
  I11: () => {
    const m = pebsHost(K3, LANDED).runTo('k4_read_masks');
    m.cpu.cpuc.guestSwitchMsrs.guest[0]! |= set(['PMC0']);
    return m.runTo('k4_list_build').finish();
  },
  I12: () =>
    pebsHost(K3, BASE)
      .event({ counter: 'PMC1', preciseIp: 2 })
      .roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } }),
  I13: () => pebsHost(K3, LANDED).section({ after: 'e2_enabled' }),
  // §7.7: the guest's plain PMC0 is backed by PMC1, since the host holds PMC0, while its PMC2 samples with PEBS.
  I15: () =>
    machine(K3, BASE)
      .event({ counter: 'PMC0' })
      .vcpu()
      .guest('IA32_PERF_GLOBAL_CTRL', 0)
      .guest('IA32_DS_AREA', 0xffff8880_00049000n)
      .guest('IA32_PEBS_ENABLE', 4)
      .guestCounts([0, 2])
      .guest('IA32_PERF_GLOBAL_CTRL', 5)
      .roundTrip(),
  // H11
  I16: () =>
    machine(K3, LANDED)
      .event({ counter: 'FIXED0', off: true })
      .enable(0, { after: 'e5_wrmsr_fixed_ctrl', throttle: ['FIXED0'] }),
  // H12
  I17: () =>
    machine(K3, BASE)
      .event({ counter: 'PMC0', preciseIp: 2 })
      .event({ counter: 'PMC1', preciseIp: 2, leader: 0 })
      .nmi({ throttle: ['PMC0', 'PMC1'] }),
  I18: () =>
    machine(K3, LANDED)
      .event({ counter: 'PMC0' })
      .event({ counter: 'PMC1', leader: 0 })
      .nmi({ throttle: ['PMC1'] }),
  // §7.9
  I19: () => machine('haswell-x', 'linux-5.11').event({ counter: 'VLBR', preciseIp: 1 }),
  I20: () => migratedV1(4),
  I21: () =>
    machine(K3, 'linux-6.16')
      .event({ counter: 'PMC1' })
      .event({ counter: 'PMC0', leader: 0, off: true })
      .nmi({ throttle: ['PMC1'] }),
  I22: () =>
    machine(K3, 'linux-6.19')
      .event({ counter: 'PMC7' })
      .event({ counter: 'PMC0', leader: 0, off: true })
      .event({})
      .close(0)
      .nmi({ throttle: ['PMC0'] })
      .enable(1)
      .tick(),
  I23: () =>
    machine(K3, 'linux-6.6').vcpu().guest('MSR_PEBS_DATA_CFG', 8).guestPebs([0]).roundTrip(),
};

/** H7: entries of the time when the guest used PEBS, loaded on another CPU. */
function migratedV1(hostDataCfg = 0): Machine {
  return machine(K3, 'pebs-v1', { cpus: 2 })
    .event({ counter: 'PMC7', cpu: 1, preciseIp: 2, dataCfg: hostDataCfg })
    .vcpu()
    .roundTrip()
    .guestPebs([0])
    .roundTrip()
    .guest('IA32_PEBS_ENABLE', 0)
    .roundTrip()
    .migrate(0, 1)
    .roundTrip();
}

for (const { id } of INVARIANTS) {
  t.test(`${id} can fail`, async (t) => {
    const fail = WAYS_TO_FAIL[id];
    t.ok(fail, 'there is a way');
    if (fail !== undefined) {
      t.ok(fail().violated().includes(id));
    }
  });
}
