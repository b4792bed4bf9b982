/** What KVM and the hardware do: guest MSRs, the events behind guest counters, the MSR-load areas, VM-entry and VM-exit. */
import t from 'tap';
import { FIXED } from '../../src/pmu/arch/counter-set.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, PEBS_ENABLE } from '../../src/pmu/arch/msr.js';
import { MsrAutoload } from '../../src/pmu/kvm/msr-autoload.js';
import { type Machine, machine, names, set } from './machine.js';

const K1 = 'haswell-x';
const K2 = 'ice-lake';
const K3 = 'emerald-rapids';
const K4 = 'diamond-rapids';
const LANDED = 'linux-6.12.117';
const BASE = 'upstream-base';
/** The model that stands for K3: on 6.1 only Ice Lake-SP is. */
const k3On = (kernel: string): string => (kernel === 'linux-6.1.192' ? 'ice-lake-sp' : K3);
const ENABLED = 0x43003c;

const withVcpu = (model: string, kernel = LANDED): Machine => machine(model, kernel).vcpu();

// Guest MSRs, §1.3.

t.test('a guest may set its counters in IA32_PERF_GLOBAL_CTRL and nothing else', async (t) => {
  const fault = (model: string, value: bigint): string | null =>
    withVcpu(model).guestFault('IA32_PERF_GLOBAL_CTRL', value);
  t.equal(fault(K3, 0x7_000000ffn), null, 'three fixed counters, not four');
  for (const bit of [8n, 31n, 35n, 48n, 63n]) {
    t.match(fault(K3, 1n << bit), /reserved/, `bit ${bit}`);
  }
  t.equal(fault(K1, 0x7_0000000fn), null);
  t.match(fault(K1, 0x10n), /reserved/);
});

t.test(
  'a guest has IA32_PEBS_ENABLE and IA32_DS_AREA only where PEBS is EPT-friendly',
  async (t) => {
    for (const model of [K1, K2, K4, 'skylake-sp', 'sierra-forest']) {
      const m = withVcpu(model);
      t.match(m.guestFault('IA32_PEBS_ENABLE', 1), /does not exist/, model);
      t.match(m.guestFault('IA32_DS_AREA', 0), /does not exist/, model);
    }
    for (const model of [K3, 'ice-lake-sp', 'sapphire-rapids', 'granite-rapids']) {
      const m = withVcpu(model);
      t.equal(m.guestFault('IA32_PEBS_ENABLE', 0xff), null, model);
      t.equal(m.guestFault('IA32_DS_AREA', 0x1000), null, model);
    }
  },
);

t.test('guest PEBS is on general-purpose counters only', async (t) => {
  const m = withVcpu(K3);
  for (const bit of [8n, 32n, 34n, 60n, 61n, 63n]) {
    t.match(m.guestFault('IA32_PEBS_ENABLE', 1n << bit), /general-purpose/, `bit ${bit}`);
  }
  t.equal(names(m.vcpuOf(0).pebsEnable), '-', 'a refused write changes nothing');
});

t.test('IA32_DS_AREA takes canonical addresses', async (t) => {
  const m = withVcpu(K3);
  for (const address of [0n, 0x7fff_ffff_ffffn, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_ffffn]) {
    t.equal(m.guestFault('IA32_DS_AREA', address), null, address.toString(16));
  }
  for (const address of [0x8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 1n << 63n, 1n << 48n]) {
    t.match(m.guestFault('IA32_DS_AREA', address), /canonical/, address.toString(16));
  }
});

t.test('MSR_PEBS_DATA_CFG does not exist for any guest', async (t) => {
  for (const model of [K1, K3, K4]) {
    t.match(withVcpu(model).guestFault('MSR_PEBS_DATA_CFG', 0), /does not exist/, model);
  }
});

t.test(
  'IA32_FIXED_CTR_CTRL: two ring bits and the PMI bit for each of three counters',
  async (t) => {
    const m = withVcpu(K3);
    t.equal(m.guestFault('IA32_FIXED_CTR_CTRL', 0xbbb), null);
    for (const bit of [2n, 6n, 10n, 12n, 15n, 32n]) {
      t.match(m.guestFault('IA32_FIXED_CTR_CTRL', 1n << bit), /reserved/, `bit ${bit}`);
    }
    t.equal(m.guestFault('IA32_FIXED_CTR_CTRL', 0x8), null, 'the PMI bit alone enables nothing');
    t.equal(names(m.vcpuOf(0).counterEnable & FIXED), '-');
    t.equal(m.guestFault('IA32_FIXED_CTR_CTRL', 0x120), null);
    t.equal(names(m.vcpuOf(0).counterEnable & FIXED), 'FIXED1 FIXED2');
  },
);

t.test(
  'IA32_PERFEVTSELx: ANY and the upper half are reserved, and only the counters of the model exist',
  async (t) => {
    const m = withVcpu(K3);
    t.equal(m.guestFault('IA32_PERFEVTSEL7', ENABLED), null);
    t.match(m.guestFault('IA32_PERFEVTSEL8', ENABLED), /no such MSR/);
    t.match(m.guestFault('IA32_PERFEVTSEL0', 1n << 21n), /reserved/);
    t.match(
      m.guestFault('IA32_PERFEVTSEL0', 1n << 34n),
      /reserved/,
      'ADAPTIVE, as there is no PEBS_BASELINE',
    );
    t.match(withVcpu(K1).guestFault('IA32_PERFEVTSEL4', ENABLED), /no such MSR/);
  },
);

t.test(
  'a vCPU without a vPMU, and every vCPU on a hybrid part, has no PMU register at all',
  async (t) => {
    const msrs = ['IA32_PERF_GLOBAL_CTRL', 'IA32_PEBS_ENABLE', 'IA32_DS_AREA', 'IA32_PERFEVTSEL0'];
    for (const m of [machine(K3, LANDED).vcpu({ vpmu: false }), withVcpu('alder-lake-p')]) {
      for (const msr of msrs) {
        t.match(m.guestFault(msr, 0), /no vPMU/, msr);
      }
    }
  },
);

t.test('a WRMSR is emulated outside the guest', async (t) => {
  t.throws(() => withVcpu(K3).enter().guest('IA32_PERF_GLOBAL_CTRL', 0), /in the guest of v0: a/);
});

// The perf events behind guest counters.

t.test('an enabled guest counter is a pinned event that excludes the host', async (t) => {
  const m = withVcpu(K3).roundTrip().guestCounts([0]);
  t.equal(m.state.events.length, 1);
  const config = m.world.eventConfigs[0]!;
  t.strictSame(
    [config.owner, config.guestCounter, config.excludeHost, config.excludeGuest, config.freq],
    [0, 0, true, false, false],
  );
  t.equal(m.eventOf(0).preciseIp, 0);
  t.equal(m.status(0), 'active');
  t.equal(names(m.cpu.cpuc.intelCtrlGuestMask), 'PMC0');
  t.equal(names(m.gc() & set(['PMC0'])), '-', 'it does not count in the host');
  m.enter();
  t.equal(names(m.gc() & set(['PMC0'])), 'PMC0', 'it does in the guest');
  m.leave();
  t.strictSame(m.violated(), []);
});

t.test('it gets its counter at once, also before the vCPU first runs', async (t) => {
  const m = machine(K3, LANDED).event({ counter: 'FIXED1' }).vcpu().guestCounts([0]);
  t.equal(m.status(1), 'active');
  t.equal(m.eventOf(1).counter, 0);
  const another = m.vcpu().guestCounts([0], 1);
  t.equal(another.status(1), 'inactive', "another vCPU's WRMSR takes the thread off the CPU");
  t.equal(another.status(2), 'active');
  t.equal(another.eventOf(2).counter, 0);
  t.strictSame(m.violated(), []);
});

t.test('a counter must be enabled globally and locally to have an event', async (t) => {
  const m = withVcpu(K3).roundTrip().guest('IA32_PERF_GLOBAL_CTRL', 0).guestCounts([0]);
  t.equal(m.state.events.length, 0);
  m.guest('IA32_PERF_GLOBAL_CTRL', 1);
  t.equal(m.status(0), 'active');
  m.guest('IA32_PERF_GLOBAL_CTRL', 0);
  t.equal(m.status(0), 'off', 'paused, not closed');
  m.guest('IA32_PERF_GLOBAL_CTRL', 1).guest('IA32_PERFEVTSEL0', 0);
  t.equal(m.status(0), 'off');
});

t.test('guest PEBS runs at precise_ip 1, on PMC0 of Sapphire Rapids at 3', async (t) => {
  const levels = (model: string): number[] => {
    const m = withVcpu(model).roundTrip().guestPebs([0, 1]);
    return m.state.events.map((event) => event.preciseIp);
  };
  t.strictSame(levels(K3), [1, 1]);
  t.strictSame(levels('ice-lake-sp'), [1, 1]);
  t.strictSame(levels('sapphire-rapids'), [3, 1]);
});

t.test(
  'precise_ip 1 asks for general-purpose registers in the record, 3 for nothing',
  async (t) => {
    t.equal(withVcpu(K3).roundTrip().guestPebs([0]).cpu.cpuc.activePebsDataCfg, 2);
    t.equal(withVcpu('sapphire-rapids').roundTrip().guestPebs([0]).cpu.cpuc.activePebsDataCfg, 0);
  },
);

t.test('flipping a bit of IA32_PEBS_ENABLE creates the event anew', async (t) => {
  const m = withVcpu(K3).roundTrip().guestPebs([0]);
  t.equal(m.p(), 'PMC0');
  m.guest('IA32_PEBS_ENABLE', 0);
  t.equal(m.state.events.length, 1, 'in its slot');
  t.equal(m.eventOf(0).preciseIp, 0);
  t.equal(m.p(), '-');
  t.equal(m.status(0), 'active');
  t.strictSame(m.violated(), []);
});

t.test(
  'a guest counter on another host counter is cross-mapped and its PEBS does not run',
  async (t) => {
    for (const kernel of [BASE, 'pebs-v2', LANDED]) {
      const m = machine(K3, kernel).event({ counter: 'PMC0' }).vcpu().roundTrip().guestPebs([0]);
      t.equal(m.eventOf(1).counter, 1, 'PMC0 is taken');
      m.runTo('k4_list_build');
      t.equal(names(m.vcpuOf(0).crossMapped), 'PMC1');
      m.run.enter(0, 1);
      t.equal(names(m.gc() & set(['PMC1'])), '-', kernel);
      m.leave();
      t.strictSame(m.violated(), [], kernel);
    }
  },
);

// §5d: the only behavioural GC difference between the baseline and the landed series.
t.test(
  'a cross-mapped plain counter runs in the guest with the landed series and not before it',
  async (t) => {
    const runs = (kernel: string): string => {
      const m = machine(K3, kernel).event({ counter: 'PMC0' }).vcpu().roundTrip();
      m.guest('IA32_PEBS_ENABLE', 0x80).guestCounts([0]).enter();
      return names(m.gc() & set(['PMC1']));
    };
    t.equal(runs(BASE), '-');
    t.equal(runs('pebs-v2'), '-');
    t.equal(runs(LANDED), 'PMC1');
  },
);

t.test('without any guest PEBS counter no mask of cross-mapped counters is computed', async (t) => {
  const m = machine(K3, BASE).event({ counter: 'PMC0' }).vcpu().roundTrip().guestCounts([0]);
  m.runTo('k4_list_build');
  t.equal(m.eventOf(1).counter, 1);
  t.equal(names(m.vcpuOf(0).crossMapped), '-');
});

t.test('host PEBS forces guest PEBS off', async (t) => {
  for (const kernel of [BASE, 'pebs-v1', 'pebs-v2', 'linux-6.1.192', LANDED]) {
    const m = machine(k3On(kernel), kernel).vcpu().roundTrip().guestPebs([0]);
    const inGuest = (): string => {
      const running = names(m.enter().gc() & set(['PMC0']));
      m.leave();
      return running;
    };
    t.equal(inGuest(), 'PMC0', `${kernel}: alone it runs`);
    m.event({ counter: 'PMC3', preciseIp: 2, excludeGuest: true });
    t.equal(inGuest(), '-', `${kernel}: beside host PEBS it does not`);
    t.strictSame(
      m.violated(),
      kernel === 'pebs-v1' ? ['I9'] : [],
      `${kernel}: v1 leaves its entries behind`,
    );
  }
});

// H9
t.test('via-PT bits left in P keep guest PEBS off', async (t) => {
  for (const kernel of [BASE, LANDED]) {
    const m = machine(K3, kernel).event({ counter: 'PMC2', preciseIp: 2, auxOutput: true }).vcpu();
    m.roundTrip().guestPebs([0]).close(0).enter();
    t.equal(m.p(), 'PMC0 PEBS_PMI_AFTER_EACH_RECORD PEBS_OUTPUT_PT', 'no host event is left');
    t.equal(names(m.gc() & set(['PMC0'])), '-', kernel);
  }
});

t.test(
  "while guest PEBS runs the DS area and the data configuration are the guest's",
  async (t) => {
    for (const kernel of [BASE, 'pebs-v1', 'pebs-v2', 'linux-6.1.192', LANDED]) {
      const m = machine(k3On(kernel), kernel).vcpu().roundTrip().guestPebs([0]).enter();
      const { dsArea, pebsDataCfg } = m.cpu.hardware;
      t.strictSame([dsArea, pebsDataCfg], [m.vcpuOf(0).dsArea, 0], kernel);
      m.leave();
      t.strictSame(
        [m.cpu.hardware.dsArea, m.cpu.hardware.pebsDataCfg],
        [1, 2],
        `${kernel}: and back`,
      );
      t.strictSame(m.violated(), [], kernel);
    }
  },
);

t.test(
  "before the series an exit drops the guest's own bits of IA32_PEBS_ENABLE until the next section",
  async (t) => {
    const m = machine(K3, BASE).vcpu().roundTrip().guestPebs([0]);
    t.equal(m.pe(), 'PMC0');
    m.roundTrip();
    t.equal(m.pe(), '-', 'P & ~GM');
    t.strictSame(m.violated(), [], 'by design');
    t.equal(m.section().pe(), 'PMC0');
  },
);

// Context switches and migration.

t.test('the events of a vCPU leave with its thread and come back with it', async (t) => {
  const m = machine(K3, LANDED, { cpus: 2 }).vcpu().vcpu();
  m.roundTrip().guestCounts([0]);
  m.roundTrip({ vcpu: 1 });
  t.equal(m.status(0), 'inactive');
  t.equal(names(m.cpu.cpuc.intelCtrlGuestMask), '-');
  m.roundTrip();
  t.equal(m.status(0), 'active');
  m.migrate(0, 1).roundTrip();
  t.equal(m.status(0), 'active');
  t.equal(m.eventOf(0).cpu, 1);
  t.equal(names(m.cpuOf(1).cpuc.intelCtrlGuestMask), 'PMC0');
  t.strictSame(m.violated(), []);
});

t.test('a vCPU does not migrate in the middle of a run', async (t) => {
  const m = machine(K3, LANDED, { cpus: 2 }).vcpu().enter();
  t.throws(() => m.migrate(0, 1), /middle of a run/);
  m.leave();
  t.throws(() => m.migrate(0, 0), /already/);
});

// The MSR-load areas, §4.

t.test('add appends, or updates in place', async (t) => {
  const areas = new MsrAutoload();
  t.ok(areas.add(DS_AREA, 1, 9, 8));
  t.ok(areas.add(PEBS_ENABLE, 3, 0, 8));
  t.ok(areas.add(DS_AREA, 2, 8, 8));
  t.equal(areas.count, 2);
  t.equal(areas.order[0], DS_AREA, 'the slot stays');
  t.strictSame([areas.host[DS_AREA], areas.guest[DS_AREA]], [2, 8]);
});

t.test('clear overwrites the slot with the last entry, so the order changes', async (t) => {
  const areas = new MsrAutoload();
  for (const msr of [DS_AREA, PEBS_DATA_CFG, PEBS_ENABLE]) {
    areas.add(msr, msr, 0, 8);
  }
  areas.clear(DS_AREA);
  t.strictSame([...areas.order].slice(0, areas.count), [PEBS_ENABLE, PEBS_DATA_CFG]);
  t.notOk(areas.has(DS_AREA));
  areas.clear(DS_AREA);
  t.equal(areas.count, 2, 'clearing what is absent does nothing');
  areas.clear(PEBS_DATA_CFG);
  t.strictSame([...areas.order].slice(0, areas.count), [PEBS_ENABLE], 'clearing the last one');
});

t.test('a full area takes no new entry, but updates the ones it has', async (t) => {
  const areas = new MsrAutoload();
  t.ok(areas.add(DS_AREA, 1, 9, 1));
  t.notOk(areas.add(PEBS_ENABLE, 1, 0, 1));
  t.equal(areas.count, 1);
  t.ok(areas.add(DS_AREA, 2, 9, 1));
});

t.test(
  'H8: with a full area IA32_PEBS_ENABLE is quiesced and not added: its bits are lost',
  async (t) => {
    const m = machine(K1, LANDED, { autoloadSlotsTaken: 8 });
    m.event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true }).vcpu().roundTrip();
    t.strictSame(m.areas(), []);
    t.equal(m.p(), 'PMC0');
    t.equal(m.pe(), '-');
    t.match(m.violated(), ['I2']);
    t.equal(m.section().pe(), 'PMC0', 'until the next e3');
  },
);

t.test(
  'on the run after, an entry that perf returns equal is taken out of the areas',
  async (t) => {
    const m = machine(K1, LANDED)
      .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
      .vcpu();
    t.strictSame(m.roundTrip().areas(), ['IA32_PEBS_ENABLE -/PMC0']);
    t.strictSame(m.close(0).roundTrip().areas(), []);
  },
);

t.test(
  'adding IA32_PEBS_ENABLE writes 0 to it on every run, also when it is listed already',
  async (t) => {
    const m = machine(K1, LANDED)
      .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
      .vcpu()
      .roundTrip();
    m.writes();
    t.ok(m.roundTrip().writesVia().includes('kvm_wrmsr IA32_PEBS_ENABLE=-'));
  },
);

// VM-entry and VM-exit.

t.test('entry loads the VMCS field before the area, exit in the same order', async (t) => {
  const m = machine(K3, BASE)
    .event({ counter: 'PMC0', preciseIp: 2, dataCfg: 1, excludeGuest: true })
    .vcpu();
  m.writes();
  t.strictSame(
    m
      .roundTrip()
      .writes()
      .map((write) => write.split('=')[0]),
    [
      'k5 IA32_PEBS_ENABLE',
      'v1 IA32_PERF_GLOBAL_CTRL',
      'v2 IA32_DS_AREA',
      'v2 MSR_PEBS_DATA_CFG',
      'v2 IA32_PEBS_ENABLE',
      'v5 IA32_PERF_GLOBAL_CTRL',
      'v6 IA32_DS_AREA',
      'v6 MSR_PEBS_DATA_CFG',
      'v6 IA32_PEBS_ENABLE',
    ],
  );
});

t.test('with equal values GLOBAL_CTRL is left alone on entry and exit', async (t) => {
  const m = machine(K3, LANDED).event({ counter: 'PMC0' }).vcpu();
  m.writes();
  t.strictSame(m.roundTrip().writes(), []);
  m.event({ counter: 'PMC1', excludeGuest: true }).writes();
  t.equal(m.roundTrip().writes().length, 2);
  m.close(1).writes();
  t.strictSame(m.roundTrip().writes(), [], 'the controls are off again');
  t.equal(m.vcpuOf(0).loadGlobalCtrl, 0);
});

t.test('without the VMCS controls GLOBAL_CTRL is the first entry of the areas', async (t) => {
  const m = machine(K3, BASE).event({ counter: 'PMC0', excludeGuest: true }).vcpu();
  const caps = { ...m.world.caps, loadPerfGlobalCtrl: false };
  m.run.world = { ...m.world, caps };
  m.roundTrip();
  t.equal(m.vcpuOf(0).loadGlobalCtrl, 0);
  t.equal(m.vcpuOf(0).autoload.order[0], GLOBAL_CTRL);
  t.equal(m.gc(), m.world.caps.intelCtrl);
  t.strictSame(m.violated(), []);
});

// H5
t.test('a failed VMLAUNCH loads nothing, so a quiesced IA32_PEBS_ENABLE stays 0', async (t) => {
  for (const [model, kernel] of [
    [K3, BASE],
    [K1, BASE],
    [K1, LANDED],
  ] as const) {
    const m = machine(model, kernel)
      .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
      .vcpu();
    m.steps();
    m.roundTrip({ exit: 'vmfail' });
    t.notOk(
      m.steps().some((step) => step.startsWith('v')),
      'no V-step',
    );
    t.equal(m.pe(), '-');
    t.match(m.violated(), ['I2', 'I13'], `${kernel} on ${model}`);
    t.equal(m.section().pe(), 'PMC0', 'until the next e3');
  }
  const m = machine(K3, LANDED).event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true }).vcpu();
  t.strictSame(
    m.roundTrip({ exit: 'vmfail' }).violated(),
    [],
    'the landed series does not quiesce there',
  );
});

t.test('a failed VMLAUNCH after zeroing GLOBAL_CTRL restores it by hand', async (t) => {
  for (const kernel of ['zero-global-ctrl-e1', 'zero-global-ctrl-e2', 'zero-global-ctrl-e3']) {
    const m = machine(K3, kernel)
      .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
      .vcpu();
    m.roundTrip({ exit: 'vmfail' });
    t.equal(m.gc(), m.world.caps.intelCtrl, kernel);
    t.equal(m.cpu.cpuc.enabled, 1);
    t.strictSame(m.violated(), [], kernel);
  }
});

t.test(
  'a VM-entry failure in the guest-state checks loads host state and the exit area',
  async (t) => {
    const m = machine(K3, BASE).event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true }).vcpu();
    m.steps();
    m.roundTrip({ exit: 'entry_failure' });
    const steps = m.steps();
    t.strictSame(steps.slice(steps.indexOf('k9_vmlaunch'), -2), [
      'k9_vmlaunch',
      'v5_host_state',
      'v6_exit_load',
      'k11_host',
    ]);
    t.equal(m.pe(), 'PMC0');
    t.strictSame(m.violated(), []);
  },
);

t.test('the fast path re-enters with interrupts off and builds the list again', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true }).vcpu();
  m.steps();
  m.roundTrip({ exit: 'fastpath_reenter' });
  t.equal(m.steps().at(-1), 'k12_fastpath');
  m.nmi({ throttle: ['PMC0'] });
  m.roundTrip();
  const steps = m.steps();
  t.notOk(steps.includes('k0_irq_off'), 'back to k1');
  t.ok(steps.includes('k4_list_build'));
  t.equal(m.stuck(), '-', 'so a throttling NMI between the two is seen');
  t.strictSame(m.areas(), []);
  t.strictSame(m.violated(), []);
});

t.test("an NMI in the guest is handled at k10, with the host's values loaded", async (t) => {
  const m = machine(K3, BASE).event({ counter: 'PMC0', preciseIp: 2 }).vcpu().enter();
  m.writes();
  m.nmi({ throttle: ['PMC0'] });
  t.strictSame(m.writes(), [], 'it makes the guest exit and nothing more');
  m.leave();
  const writes = m.writes();
  t.ok(
    writes.findIndex((write) => write.startsWith('v6 IA32_PEBS_ENABLE')) <
      writes.findIndex((write) => write.startsWith('n1')),
  );
  t.equal(m.status(0), 'throttled');
  t.equal(m.stuck(), '-');
  t.strictSame(m.violated(), []);
});

t.test(
  'an NMI pending at VM-entry causes an exit before the first guest instruction',
  async (t) => {
    const m = machine(K3, LANDED).event({ counter: 'PMC0', preciseIp: 2 }).vcpu();
    m.steps();
    m.roundTrip({ nmi: { after: 'v3_inject' } });
    const steps = m.steps();
    t.notOk(steps.includes('guest'));
    t.ok(steps.includes('k10_nmi_exit'));
  },
);

t.test('only one NMI is delivered in the guest', async (t) => {
  const m = machine(K3, LANDED).event({ counter: 'PMC0' }).vcpu().enter().nmi();
  t.throws(() => m.nmi(), /being delivered/);
});

t.test('a guest PEBS overflow can throttle the event KVM owns', async (t) => {
  const m = machine(K3, LANDED).vcpu().roundTrip().guestPebs([0]).enter();
  m.nmi({ throttle: ['PMC0'] }).leave();
  t.equal(m.status(0), 'throttled');
  t.equal(m.p(), '-');
  t.equal(m.stuck(), '-');
  t.strictSame(m.violated(), []);
  t.equal(m.tick().status(0), 'active');
});

// §3.5: the handler cannot tell which counter wrote the guest's record, so the first event with guest PEBS is the one.
t.test('a guest PEBS overflow is always put down to the first guest PEBS event', async (t) => {
  const m = machine(K3, LANDED).vcpu().roundTrip().guestPebs([0, 1]).enter();
  t.strictSame([m.eventOf(0).counter, m.eventOf(1).counter], [0, 1]);
  m.nmi({ overflow: ['PMC1'], throttle: ['PMC1'] }).leave();
  t.equal(m.status(1), 'active', 'PMC1 wrote the record, and perf gave PMC0 the fake overflow');
});

t.test('the branch snapshot and the NMI of perf happen in the host only', async (t) => {
  t.throws(
    () => machine(K3, LANDED).event({ counter: 'PMC0' }).vcpu().enter().snapshot(),
    /in the guest/,
  );
});

t.test('two vCPUs keep areas of their own', async (t) => {
  const m = machine(K1, LANDED)
    .event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true })
    .vcpu()
    .vcpu();
  m.roundTrip({ vcpu: 0 }).close(0).roundTrip({ vcpu: 1 });
  t.strictSame(m.areas(0), ['IA32_PEBS_ENABLE -/PMC0'], 'not run since');
  t.strictSame(m.areas(1), []);
  m.roundTrip({ vcpu: 0 });
  t.strictSame(m.areas(0), []);
  t.strictSame(m.violated(), []);
});
