/** What perf does to one logical CPU: PMU sections, events, the NMI handler, the tick. semantics.md §3, hazards of §7.6. */
import t from 'tap';
import { NMI, START_SECTION } from '../../src/pmu/machine/actions.js';
import { type Machine, machine, names } from './machine.js';

const K1 = 'haswell-x';
const K3 = 'emerald-rapids';
const LANDED = 'linux-6.12.117';

/** Without adaptive PEBS, so that only the rows of the section itself write. */
const i = 'PMC0 PMC1 PMC2 PMC3 FIXED0 FIXED1 FIXED2';

const pebs = (counter: string): { counter: string; preciseIp: number } => ({
  counter,
  preciseIp: 2,
});

function fresh(m: Machine): Machine {
  m.writes();
  return m;
}

t.test('a section with no PEBS event wanted never touches IA32_PEBS_ENABLE', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC0' });
  m.cpu.hardware.pebsEnable = 4;
  t.strictSame(fresh(m).section().writes(), [
    'd2 IA32_PERF_GLOBAL_CTRL=-',
    `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
  t.equal(m.stuck(), 'PMC2', 'so a wrong bit survives any number of them');
});

t.test(
  'a section with a PEBS event clears the whole register and writes the whole of what perf wants',
  async (t) => {
    const m = machine(K1, LANDED).event(pebs('PMC1'));
    m.cpu.hardware.pebsEnable |= 4;
    t.strictSame(fresh(m).section().writes(), [
      'd2 IA32_PERF_GLOBAL_CTRL=-',
      'd4 IA32_PEBS_ENABLE=-',
      'e3 IA32_PEBS_ENABLE=PMC1',
      `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
    ]);
    t.equal(m.stuck(), '-');
  },
);

t.test('the rows of a section come in the order of the sheet', async (t) => {
  const m = machine(K1, LANDED);
  m.steps();
  m.event({ counter: 'FIXED0' });
  t.strictSame(m.steps(), [
    'd1_n_added',
    'd2_global_ctrl',
    'd4_pebs_enable',
    'body_event',
    'e1_place_event',
    'e2_enabled',
    'e3_read_pebs_enabled',
    'e3_pebs_enable',
    'e5_read_fixed_ctrl',
    'e5_wrmsr_fixed_ctrl',
    'e5_fixed_ctrl',
    'e6_read_guest_mask',
    'e6_global_ctrl',
  ]);
  const beside = m.event({ counter: 'PMC0' });
  t.strictSame(
    beside.steps().filter((step) => /^(body|e1|e5)/.test(step)),
    [
      'body_other_event', // out,
      'body_other_event', // and in again,
      'body_event', // because of this one
      'e1_place_other_event',
      'e1_place_event',
      'e5_fixed_ctrl', // the register holds what is wanted, so nothing is read for a write
    ],
    'an event that opens beside another one reschedules it',
  );
});

t.test(
  'starting an event writes its counter and its control register, and never IA32_PEBS_ENABLE',
  async (t) => {
    const m = machine(K1, LANDED).event({ counter: 'PMC0' });
    t.strictSame(fresh(m).event(pebs('PMC1')).writes(), [
      'd2 IA32_PERF_GLOBAL_CTRL=-', // d4 writes nothing: no PEBS event was wanted
      'stop IA32_PERFEVTSEL0=0x130080', // the event beside it is rescheduled
      'start IA32_PMC0',
      'start IA32_PERFEVTSEL0=0x530080',
      'start IA32_PMC1',
      'start IA32_PERFEVTSEL1=0x430081',
      'e3 IA32_PEBS_ENABLE=PMC1',
      `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
    ]);
  },
);

t.test('stopping an event inside a section leaves IA32_PEBS_ENABLE to the section', async (t) => {
  const m = machine(K1, LANDED).event(pebs('PMC1'));
  t.strictSame(fresh(m).disable(0).writes(), [
    'd2 IA32_PERF_GLOBAL_CTRL=-',
    'd4 IA32_PEBS_ENABLE=-',
    'stop IA32_PERFEVTSEL1=0x30081',
    `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
  t.equal(m.p(), '-');
});

t.test(
  'exclude_host and exclude_guest go into the masks, and out of them with the stop',
  async (t) => {
    const m = machine(K1, LANDED)
      .event({ counter: 'PMC0', excludeHost: true })
      .event({ counter: 'PMC1', excludeGuest: true })
      .event({ counter: 'PMC2', excludeHost: true, excludeGuest: true });
    const masks = (): string =>
      `GM ${names(m.cpu.cpuc.intelCtrlGuestMask)}, HM ${names(m.cpu.cpuc.intelCtrlHostMask)}`;
    t.equal(masks(), 'GM PMC0 PMC2, HM PMC1 PMC2');
    t.equal(names(m.gc()), 'PMC1 PMC3 FIXED0 FIXED1 FIXED2', 'e6 leaves guest-only counters out');
    m.disable(0).disable(1).close(2);
    t.equal(masks(), 'GM -, HM -');
  },
);

t.test('a fixed counter is switched through IA32_FIXED_CTR_CTRL, by the section', async (t) => {
  const m = machine(K1, LANDED);
  t.strictSame(m.event({ counter: 'FIXED1' }).writes(), [
    'reserve IA32_DS_AREA=1',
    'd2 IA32_PERF_GLOBAL_CTRL=-',
    'start IA32_FIXED_CTR1',
    'e5 IA32_FIXED_CTR_CTRL=0xb0',
    `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
  t.notOk(
    m
      .section()
      .writes()
      .some((write) => write.startsWith('e5')),
    'e5 writes a change only',
  );
  t.ok(m.disable(0).writes().includes('e5 IA32_FIXED_CTR_CTRL=0x0'));
});

t.test('deleting a throttled event touches no register of it', async (t) => {
  const m = machine(K1, LANDED)
    .event(pebs('PMC0'))
    .nmi({ throttle: ['PMC0'] });
  t.equal(m.status(0), 'throttled');
  t.strictSame(fresh(m).close(0).writes(), [
    'd2 IA32_PERF_GLOBAL_CTRL=-',
    `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
  t.equal(m.status(0), 'closed');
});

t.test('an event that is off or was never scheduled needs no section to go', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC0', off: true });
  t.strictSame(fresh(m).close(0).writes(), []);
  t.equal(m.cpu.cpuc.ds, 0, 'the last event releases the DS area');
  t.equal(m.cpu.hardware.dsArea, 1, 'and the register keeps the old pointer');
});

t.test(
  'the first hardware event reserves the DS area of every CPU, the last one releases them',
  async (t) => {
    const m = machine(K3, LANDED, { cpus: 2 }).event({ counter: 'PMC0', off: true });
    t.strictSame(
      [0, 1].map((cpu) => m.cpuOf(cpu).cpuc.ds),
      [1, 2],
    );
    t.strictSame(
      [0, 1].map((cpu) => m.cpuOf(cpu).hardware.dsArea),
      [1, 2],
    );
    m.event({ counter: 'PMC0', cpu: 1 }).close(0);
    t.equal(m.cpu.cpuc.ds, 1, 'one is left');
    m.close(1);
    t.strictSame(
      [0, 1].map((cpu) => m.cpuOf(cpu).cpuc.ds),
      [0, 0],
    );
  },
);

t.test(
  'arch-PEBS has neither a DS area nor IA32_PEBS_ENABLE, and perf keeps its mask all the same',
  async (t) => {
    const m = machine('diamond-rapids', 'linux-7.3.4').event(pebs('PMC0'));
    t.notOk(m.writes().some((write) => /DS_AREA|PEBS_ENABLE/.test(write)));
    t.equal(m.p(), 'PMC0');
    t.equal(m.cpu.cpuc.ds, 0);
    t.equal(m.nmi({ throttle: ['PMC0'] }).p(), '-', 'throttled through bit 54, without a write');
    t.notOk(m.writes().some((write) => /PEBS_ENABLE/.test(write)));
  },
);

t.test(
  'the PEBS data configuration starts afresh with the first PEBS event, widens with others and never shrinks',
  async (t) => {
    const m = machine(K3, LANDED).event({ ...pebs('PMC0'), dataCfg: 1 });
    const { cpuc, hardware } = m.cpu;
    const configuration = (): number[] => [
      cpuc.pebsDataCfg,
      cpuc.activePebsDataCfg,
      hardware.pebsDataCfg,
    ];
    t.strictSame(configuration(), [1, 1, 1]);
    m.writes();
    m.event({ ...pebs('PMC1'), dataCfg: 4 });
    t.ok(m.writes().includes('start MSR_PEBS_DATA_CFG=5'));
    m.event({ ...pebs('PMC2'), dataCfg: 1 });
    t.notOk(
      m.writes().some((write) => write.includes('DATA_CFG')),
      'nothing new is wanted',
    );
    m.close(1);
    t.strictSame(configuration(), [5, 5, 5], 'a removal shrinks nothing');
    m.close(0).close(2);
    t.strictSame(configuration(), [5, 5, 5], 'the value is left over when PEBS goes idle (H10)');
    m.event({ ...pebs('PMC0'), dataCfg: 2 });
    t.strictSame(configuration(), [2, 2, 2], 'and gone with the next first event');
  },
);

t.test('without adaptive PEBS nobody writes MSR_PEBS_DATA_CFG', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC0', preciseIp: 1 });
  t.notOk(m.writes().some((write) => write.includes('DATA_CFG')));
});

t.test('on a counter clash the event with more choices moves', async (t) => {
  const m = machine(K3, LANDED).event({ preciseIp: 2 });
  t.equal(m.eventOf(0).counter, 0);
  m.writes();
  m.event({ ...pebs('PMC0'), preciseIp: 3 });
  t.strictSame(m.eventOf(0).counter, 1);
  t.strictSame(m.eventOf(1).counter, 0);
  t.strictSame(
    m.writes().filter((write) => /^(start|stop|e3)/.test(write)),
    [
      'stop IA32_PERFEVTSEL0=0x4000300a0',
      'start IA32_PMC1',
      'start IA32_PERFEVTSEL1=0x4004300a0',
      'start IA32_PMC0',
      'start IA32_PERFEVTSEL0=0x400430080',
      'e3 IA32_PEBS_ENABLE=PMC0 PMC1',
    ],
  );
  t.strictSame(m.violated(), []);
});

t.test('opening an event starts the throttled events beside it again', async (t) => {
  const m = machine(K3, LANDED)
    .event({ preciseIp: 2 })
    .nmi({ throttle: ['PMC0'] });
  m.event({ counter: 'PMC0' });
  t.equal(m.status(0), 'active');
  t.equal(m.p(), 'PMC1', 'on its new counter');
  t.strictSame(m.violated(), []);
});

t.test('a throttled event that has to move stays off until the tick', async (t) => {
  // The sibling of a closed leader is not pinned, so enabling it reschedules no pinned event.
  const m = machine(K3, LANDED)
    .event({ counter: 'PMC1' })
    .event({ counter: 'PMC0', leader: 0 })
    .close(0)
    .disable(1);
  m.event({ preciseIp: 2 }).nmi({ throttle: ['PMC0'] });
  m.enable(1);
  t.equal(m.eventOf(1).counter, 0);
  t.equal(m.status(0), 'throttled');
  t.equal(m.p(), '-');
  m.tick();
  t.equal(m.status(0), 'active');
  t.equal(m.p(), 'PMC1', 'on its new counter');
  t.strictSame(m.violated(), []);
});

t.test('an event that finds no counter goes to the error state and disturbs nobody', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC0' });
  t.throws(() => m.event({ counter: 'PMC0' }), /in use by scheduled/);
  t.equal(m.status(1), 'error');
  t.equal(m.status(0), 'active');
  m.close(0).disable(1).enable(1);
  t.equal(m.status(1), 'active', 'it can be enabled once the counter is free');
});

t.test('via-PT bits come with the first such event and can outlive it', async (t) => {
  const m = machine(K3, LANDED).event({ ...pebs('PMC0'), auxOutput: true });
  t.equal(m.p(), 'PMC0 PEBS_PMI_AFTER_EACH_RECORD PEBS_OUTPUT_PT');
  m.event(pebs('PMC1')).close(0);
  t.equal(m.p(), 'PMC1 PEBS_PMI_AFTER_EACH_RECORD PEBS_OUTPUT_PT', 'another PEBS event remains');
  m.close(1);
  t.equal(
    m.p(),
    'PEBS_PMI_AFTER_EACH_RECORD PEBS_OUTPUT_PT',
    'only the stop of a via-PT event looks at them',
  );
  const last = machine(K3, LANDED)
    .event(pebs('PMC1'))
    .event({ ...pebs('PMC0'), auxOutput: true, largePebs: true });
  t.equal(last.p(), 'PMC0 PMC1 PEBS_OUTPUT_PT', 'large PEBS wants no PMI after each record');
  t.equal(last.close(0).close(1).p(), '-', 'they go with it when it is the last');
  const alone = machine(K3, LANDED).event({ ...pebs('PMC0'), auxOutput: true });
  t.equal(alone.close(0).p(), '-');
});

t.test('a sibling is scheduled with its leader and goes with it', async (t) => {
  const m = machine(K1, LANDED)
    .event({ counter: 'PMC0', off: true })
    .event({ counter: 'PMC1', leader: 0 });
  t.equal(m.status(1), 'inactive', 'the leader is off');
  m.enable(0);
  t.strictSame([m.status(0), m.status(1)], ['active', 'active']);
  m.disable(0);
  t.strictSame([m.status(0), m.status(1)], ['off', 'inactive']);
  m.enable(0).close(0);
  t.strictSame([m.status(0), m.status(1)], ['closed', 'active'], 'closing detaches it');
  t.equal(names(m.cpu.cpuc.activeMask), 'PMC1', 'and it goes on counting by itself');
  m.disable(1);
  t.equal(m.status(1), 'off');
  t.equal(m.enable(1).status(1), 'active', 'with no leader to wait for');
});

// The NMI handler, §3.3.

t.test('a foreign NMI turns the PMU off and on and does nothing between', async (t) => {
  const m = machine(K1, LANDED).event(pebs('PMC0'));
  t.strictSame(fresh(m).nmi().writes(), [
    'n1 IA32_PERF_GLOBAL_CTRL=-',
    `n9 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
});

t.test('without any hardware event perf has no handler', async (t) => {
  t.strictSame(machine(K1, LANDED).nmi().writes(), []);
});

t.test('a record that throttles nobody leaves IA32_PEBS_ENABLE alone', async (t) => {
  const m = machine(K1, LANDED).event(pebs('PMC0'));
  t.strictSame(
    fresh(m)
      .nmi({ overflow: ['PMC0'] })
      .writes(),
    [
      'n1 IA32_PERF_GLOBAL_CTRL=-',
      'n3 IA32_PERF_GLOBAL_STATUS_RESET=0x4000000000000000', // bit 62: the DS buffer
      `n9 IA32_PERF_GLOBAL_CTRL=${i}`,
    ],
  );
});

t.test(
  'a throttling record writes IA32_PEBS_ENABLE, because what perf wants changed',
  async (t) => {
    const m = machine(K1, LANDED).event(pebs('PMC0')).event(pebs('PMC1'));
    t.strictSame(
      fresh(m)
        .nmi({ overflow: ['PMC0', 'PMC1'], throttle: ['PMC0'] })
        .writes(),
      [
        'n1 IA32_PERF_GLOBAL_CTRL=-',
        'n3 IA32_PERF_GLOBAL_STATUS_RESET=0x4000000000000000',
        'stop IA32_PERFEVTSEL0=0x30080',
        'n5 IA32_PEBS_ENABLE=PMC1',
        `n9 IA32_PERF_GLOBAL_CTRL=${i}`,
      ],
    );
    t.strictSame([m.status(0), m.status(1)], ['throttled', 'active']);
  },
);

t.test('a throttling plain overflow stops its event without IA32_PEBS_ENABLE', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC2' }).event(pebs('PMC0'));
  t.strictSame(
    fresh(m)
      .nmi({ throttle: ['PMC2'] })
      .writes(),
    [
      'n1 IA32_PERF_GLOBAL_CTRL=-',
      'n3 IA32_PERF_GLOBAL_STATUS_RESET=0x4',
      'n7 IA32_PMC2',
      'stop IA32_PERFEVTSEL2=0x130082',
      `n9 IA32_PERF_GLOBAL_CTRL=${i}`,
    ],
  );
});

t.test('status bits of PEBS counters are ignored: the buffer alone counts', async (t) => {
  const m = machine(K1, LANDED).event(pebs('PMC0'));
  m.cpu.hardware.status = 1;
  m.writes();
  m.run.interrupt(NMI, m.cpu, 0, 0);
  t.notOk(m.writes().some((write) => write.startsWith('n7')));
  t.equal(m.status(0), 'active');
});

t.test('a throttled fixed counter is switched off by n9', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'FIXED0' });
  t.ok(
    fresh(m)
      .nmi({ throttle: ['FIXED0'] })
      .writes()
      .includes('n9 IA32_FIXED_CTR_CTRL=0x0'),
  );
  t.equal(m.status(0), 'throttled');
});

t.test('an NMI while the PMU is off leaves GLOBAL_CTRL 0', async (t) => {
  const m = machine(K1, LANDED).event(pebs('PMC0')).event(pebs('PMC1'));
  m.writes();
  m.section({ after: 'd4_pebs_enable' });
  t.strictSame(m.writes(), [
    'd2 IA32_PERF_GLOBAL_CTRL=-',
    'd4 IA32_PEBS_ENABLE=-',
    'n1 IA32_PERF_GLOBAL_CTRL=-',
    'e3 IA32_PEBS_ENABLE=PMC0 PMC1',
    `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
});

t.test('a counting event is never throttled', async (t) => {
  const m = machine(K1, LANDED).event({ counter: 'PMC0', sampling: null });
  t.throws(() => m.nmi({ throttle: ['PMC0'] }), /counting event/);
  m.nmi({ overflow: ['PMC0'] });
  t.equal(m.status(0), 'active');
});

t.test('an overflow needs an event, and a late one a counter that counts', async (t) => {
  const m = machine(K1, LANDED).event(pebs('PMC0'));
  t.throws(() => m.nmi({ overflow: ['PMC1'] }), /active event/);
  t.throws(() => m.nmi({ throttle: ['PMC1'] }), /active events only/);
  t.throws(() => m.latch(['PMC1']), /only a running counter/);
  m.latch(['PMC0']).nmi();
  t.equal(names(m.cpu.hardware.dsRecords), '-', 'a foreign NMI serves what was pending');
});

t.test('up to 6.15 throttling stops one event, from 6.16 on its whole group', async (t) => {
  const statuses = (kernel: string, throttle: string): string[] => {
    const m = machine(K1, kernel)
      .event({ counter: 'PMC0' })
      .event({ counter: 'PMC1', leader: 0 })
      .event({ counter: 'PMC2' })
      .nmi({ throttle: [throttle] });
    return [0, 1, 2].map((at) => m.status(at));
  };
  t.strictSame(statuses(LANDED, 'PMC0'), ['throttled', 'active', 'active']);
  t.strictSame(statuses(LANDED, 'PMC1'), ['active', 'throttled', 'active']);
  t.strictSame(statuses('upstream-base', 'PMC0'), ['throttled', 'throttled', 'active']);
  t.strictSame(
    statuses('upstream-base', 'PMC1'),
    ['throttled', 'throttled', 'active'],
    'a sibling too',
  );
});

t.test('the tick starts throttled events again and repairs IA32_PEBS_ENABLE', async (t) => {
  const m = machine(K1, LANDED)
    .event(pebs('PMC0'))
    .nmi({ throttle: ['PMC0'] });
  m.cpu.hardware.pebsEnable = 8;
  t.strictSame(fresh(m).tick().writes(), [
    'd2 IA32_PERF_GLOBAL_CTRL=-',
    'start IA32_PMC0',
    'start IA32_PERFEVTSEL0=0x430080',
    'e3 IA32_PEBS_ENABLE=PMC0',
    `e6 IA32_PERF_GLOBAL_CTRL=${i}`,
  ]);
});

t.test('a tick without a throttled event or one in frequency mode does nothing', async (t) => {
  t.strictSame(
    fresh(machine(K1, LANDED).event(pebs('PMC0')))
      .tick()
      .writes(),
    [],
  );
  const freq = fresh(machine(K1, LANDED).event({ ...pebs('PMC0'), sampling: 'freq' }));
  t.ok(freq.tick().writes().includes('e3 IA32_PEBS_ENABLE=PMC0'));
});

t.test(
  'a branch snapshot turns everything off and on, whatever perf thinks of the PMU',
  async (t) => {
    const m = machine(K1, LANDED).event(pebs('PMC0'));
    t.strictSame(fresh(m).snapshot().writes(), [
      'snapshot IA32_PERF_GLOBAL_CTRL=-',
      'snapshot IA32_PEBS_ENABLE=PMC0',
      `snapshot IA32_PERF_GLOBAL_CTRL=${i}`,
    ]);
    const plain = machine(K1, LANDED).event({ counter: 'PMC0' });
    t.notOk(
      fresh(plain)
        .snapshot()
        .writes()
        .some((write) => write.includes('PEBS')),
      'with P 0 it leaves PE alone',
    );
    m.run.act(START_SECTION, 0, 0);
    m.run.advance(m.cpu);
    m.run.advance(m.cpu);
    m.snapshot();
    t.equal(names(m.gc()), i, 'in the middle of a PMU section too');
    m.finish();
  },
);

// Hazards that need no KVM, §7.6.

t.test(
  'H1: a plain group leader that throttles a PEBS sibling leaves its bit stuck, since 6.16',
  async (t) => {
    const drive = (kernel: string): Machine =>
      machine(K3, kernel)
        .event({ counter: 'PMC1' })
        .event({ ...pebs('PMC0'), leader: 0 })
        .nmi({ throttle: ['PMC1'] });
    const since = drive('pebs-v2');
    t.equal(since.stuck(), 'PMC0');
    t.strictSame(since.violated(), ['I1', "I2'"]);
    t.equal(since.tick().stuck(), '-', 'the tick heals it');
    const before = drive(LANDED);
    t.equal(before.stuck(), '-');
    t.equal(before.status(1), 'active');
  },
);

t.test('H1 does not happen when the PEBS sibling itself overflows', async (t) => {
  const m = machine(K3, 'pebs-v2')
    .event({ counter: 'PMC1' })
    .event({ ...pebs('PMC0'), leader: 0 });
  m.nmi({ throttle: ['PMC0'] });
  t.equal(m.stuck(), '-');
  t.equal(m.status(0), 'throttled');
});

t.test(
  'H2: a late PMI while the PMU is off writes IA32_PEBS_ENABLE, and the section may leave it so',
  async (t) => {
    const drive = (options = {}): Machine =>
      machine(K3, LANDED, { options })
        .event(pebs('PMC0'))
        .event(pebs('PMC1'))
        .disable(1, { after: 'd4_pebs_enable', throttle: ['PMC0'] });
    const m = drive();
    t.ok(m.writes().includes('n5 IA32_PEBS_ENABLE=PMC1'));
    t.equal(m.p(), '-');
    t.equal(m.stuck(), 'PMC1');
    t.strictSame(m.violated(), ['I1', "I2'"]);
    t.equal(drive({ nmiWritesPebsOnlyIfOn: true }).stuck(), '-', 'candidate fix in the handler');
    t.equal(drive({ enableAllAlwaysWritesPebs: true }).stuck(), '-', 'candidate fix in PMU enable');
  },
);

t.test(
  'H3: an NMI between the read and the write of e3 is overwritten by the older, larger value',
  async (t) => {
    const m = machine(K3, LANDED).event(pebs('PMC0')).event(pebs('PMC1'));
    m.section({ after: 'e3_read_pebs_enabled', throttle: ['PMC0'] });
    t.equal(m.p(), 'PMC1');
    t.equal(m.stuck(), 'PMC0');
    t.ok(m.violated().includes('I1'));
    const later = machine(K3, LANDED).event(pebs('PMC0')).event(pebs('PMC1'));
    t.equal(
      later.section({ after: 'e3_pebs_enable', throttle: ['PMC0'] }).stuck(),
      '-',
      'one step later it is fine',
    );
  },
);

t.test(
  'H4: an NMI between e2 and e3 turns GLOBAL_CTRL on while IA32_PEBS_ENABLE is still 0',
  async (t) => {
    const m = machine(K3, LANDED).event(pebs('PMC0'));
    m.section({ after: 'e2_enabled' });
    t.strictSame(
      m.violated(),
      ['I13'],
      'a PEBS counter counts without its bit: its overflow would be lost',
    );
    t.equal(m.firstViolation('I13'), 'nmi');
    t.equal(m.pe(), 'PMC0', 'over with e3');
  },
);

t.test(
  'H11: IA32_FIXED_CTR_CTRL keeps the field of an event that was throttled while it was being written',
  async (t) => {
    const enabled = (m: Machine): string => names(m.cpu.hardware.counterEnable);
    const beside = (after: string, options = {}): Machine =>
      machine(K3, LANDED, { options })
        .event({ counter: 'FIXED0' })
        .event({ counter: 'FIXED1', off: true })
        .enable(1, { after, throttle: ['FIXED0'] });
    const read = 'e5_read_fixed_ctrl';
    const m = beside(read);
    t.equal(m.status(0), 'throttled');
    t.equal(names(m.cpu.cpuc.activeMask), 'FIXED1');
    t.equal(enabled(m), 'FIXED0 FIXED1', 'the throttled one still counts');
    t.equal(enabled(m.section()), 'FIXED0 FIXED1', 'no section repairs it');
    t.equal(enabled(m.close(0)), 'FIXED0 FIXED1', 'nor does the end of the event');
    t.equal(enabled(m.event({ counter: 'FIXED2' })), 'FIXED1 FIXED2', 'the next change does');
    t.equal(enabled(beside('e2_enabled')), 'FIXED1', 'before the read it is fine');
    t.equal(enabled(beside('e5_wrmsr_fixed_ctrl')), 'FIXED1', 'and after the write');

    const alone = (after: string, options = {}): Machine =>
      machine(K3, LANDED, { options })
        .event({ counter: 'FIXED0', off: true })
        .enable(0, { after, throttle: ['FIXED0'] });
    const written = 'e5_wrmsr_fixed_ctrl';
    t.equal(enabled(alone(written)), 'FIXED0', 'where the register is to be as it was, it is not');
    t.equal(enabled(alone('e5_fixed_ctrl')), '-', 'once perf has noted its write it is fine');

    t.equal(enabled(beside(read, { fixedCtrl: 'written' })), 'FIXED1', 'candidate fix');
    t.equal(enabled(alone(written, { fixedCtrl: 'written' })), '-');
    t.equal(enabled(beside(read, { fixedCtrl: 'always' }).section()), 'FIXED1', 'candidate fix');
    t.equal(enabled(alone(written, { fixedCtrl: 'always' }).section()), '-');
  },
);

t.test(
  'IA32_PERF_GLOBAL_CTRL gets an old value if a guest-only event is throttled before it is written',
  async (t) => {
    const drive = (after: string): Machine =>
      machine(K3, LANDED)
        .event({ counter: 'PMC0', excludeHost: true })
        .section({ after, throttle: ['PMC0'] });
    const missing = (m: Machine): string => names(m.world.caps.intelCtrl & ~m.gc());
    const m = drive('e6_read_guest_mask');
    t.equal(missing(m), 'PMC0');
    t.ok(m.violated().includes('I7'), 'in value');
    t.notOk(m.violated().includes('I7e'), 'not in effect');
    t.equal(missing(m.section()), '-', 'the next section repairs it');
    t.equal(missing(drive('e6_global_ctrl')), '-', 'one step later the handler does');
  },
);

t.test(
  'H12: a PEBS sibling whose record throttles after its leader has lost its mark, and may never start again',
  async (t) => {
    const drive = (kernel: string): Machine =>
      machine(K3, kernel)
        .event(pebs('PMC0'))
        .event({ ...pebs('PMC1'), leader: 0 })
        .nmi({ throttle: ['PMC0', 'PMC1'] });
    const m = drive('pebs-v2');
    t.strictSame([m.status(0), m.status(1)], ['throttled', 'stopped']);
    t.equal(drive('pebs-v2').tick().p(), 'PMC0 PMC1', "the leader's mark restarts both");
    m.close(0).tick();
    t.equal(m.status(1), 'stopped', 'without the leader no tick does');
    m.event({ counter: 'PMC2' });
    t.equal(m.status(1), 'active', 'only a reschedule does');
    const before = drive(LANDED).close(0).tick();
    t.equal(before.status(1), 'active', 'each event has a mark of its own before 6.16');
  },
);
