/** Each rule by itself, and what nearly fulfils it. */
import t from 'tap';
import {
  brief,
  dump,
  type Entry,
  entry,
  exit,
  findingsOf,
  judge,
  read,
  snapshot,
  verdictsOf,
  write,
} from './records.js';

/** KVM zeroes, perf's NMI writes what it is given, and a read follows the exit. */
const overlap = (nmi: string, after: string): Entry[] => [
  entry(),
  write('0', 'task'),
  write(nmi, 'nmi'),
  exit(),
  read(after),
];

t.test('R0: a zero outside NMI context between entry and exit proves the path', async (t) => {
  const proved = judge([entry(), write('0', 'task'), exit()]);
  t.equal(proved.path, 'autoload');
  t.match(findingsOf(proved), ['R6 inconclusive 3 - [2]', 'R0 none 3 - [1,2,3]']);
  t.match(proved.findings[1]?.text, '10.1-10.2');
  const misses: Record<string, Entry[]> = {
    'no context': [entry(), write('0', 'unknown'), exit()],
    'irq, which old kernels print for an NMI too': [entry(), write('0', 'irq'), exit()],
    NMI: [entry(), write('0', 'nmi'), exit()],
    'not zero': [entry(), write('1', 'task'), exit()],
    'no entry': [write('0', 'task'), exit()],
    'no exit': [entry(), write('0', 'task')],
    'after the exit': [entry(), exit(), write('0', 'task')],
    'another MSR': [entry(), write('0', 'task', { msr: 0x38f }), exit()],
    'another CPU': [entry(4), write('0', 'task'), exit(4)],
    'a CPU that is not named': [entry(null), write('0', 'task', { cpu: null }), exit(null)],
    'a loss in between': [entry(), ['loss', { cpu: 3 }], write('0', 'task'), exit()],
    'a loss of this CPU, told at the end': [
      entry(),
      write('0', 'task'),
      exit(),
      ['loss', { cpu: 3, count: 2 }],
    ],
    'a loss somewhere': [entry(), write('0', 'task'), exit(), ['loss', { count: 2 }]],
    'a clock that goes back': [['vm_entry', { cpu: 3, at: '900.1' }], write('0', 'task'), exit()],
  };
  for (const [name, entries] of Object.entries(misses)) {
    t.equal(judge(entries).path, 'unknown', name);
  }
  const marked = judge([
    entry(),
    write('0', 'task'),
    exit(),
    ['loss', { cpu: 3 }],
    entry(),
    exit(),
  ]);
  t.equal(marked.path, 'autoload', 'a mark says where the gap is');
  const refused = judge([entry(), write('0', 'task', { refused: true }), exit()]);
  t.equal(refused.path, 'autoload', 'a write that faulted was made all the same');
});

t.test('R0: a list that was printed proves the path', async (t) => {
  const list = (value: string, guest: string): Entry => [
    'load_list',
    { cpu: 0, msr: 0x3f1, value, guest },
  ];
  t.equal(judge([list('0', '1')]).path, 'autoload');
  t.equal(judge([list('1', '1')]).path, 'unknown', 'KVM takes out what needs no switch');
});

t.test('R0: a thousand round trips with host PEBS on and no zero prove the opposite', async (t) => {
  const trips = (count: number, between: Entry[] = []): Entry[] => [
    write('1', 'task'),
    ...Array.from({ length: count }, () => [entry(), ...between, exit()]).flat(),
  ];
  t.equal(judge(trips(1000)).path, 'none');
  t.equal(judge(trips(999)).path, 'unknown');
  t.equal(judge(trips(1000), { cut: true }).path, 'unknown');
  t.equal(judge(trips(1000).slice(1)).path, 'unknown', 'host PEBS is not known to be on');
  t.equal(judge(trips(1000, [write('0', 'unknown')])).path, 'unknown', 'it may have been KVM');
  t.equal(judge([...trips(1000), entry(), write('0', 'task'), exit()]).path, 'autoload');
});

t.test('R0b: the name of the writer proves the path, without a trace', async (t) => {
  const by = (writer: string, fields = {}): Entry =>
    write('0', 'unknown', { cpu: null, writer, refused: true, ...fields });
  const proved = judge([by('add_atomic_switch_msr')]);
  t.equal(proved.path, 'autoload');
  t.match(findingsOf(proved), [
    'R6 inconclusive - - [1]',
    'R0b none - - [1]',
    'refused_write none - - [1]',
  ]);
  t.equal(judge([by('add_atomic_switch_msr.constprop.0')]).path, 'autoload');
  t.equal(judge([by('intel_pmu_pebs_disable')]).path, 'unknown', "perf's own");
  t.equal(judge([by('add_atomic_switch_msr', { msr: 0x38f })]).path, 'unknown', 'another MSR');
  t.equal(judge([by('intel_pmu_pebs_disable')]).verdict, 'inconclusive', 'refused is not stuck');
});

t.test(
  'R1: two reads two ticks apart with a common bit, while no PEBS event is open',
  async (t) => {
    const twice = (first: string, second: string, at = '02', attributes = {}): Entry[] => [
      snapshot('00', attributes),
      read(first),
      snapshot(at, attributes),
      read(second),
    ];
    const stuck = judge(twice('5', '4'));
    t.equal(stuck.verdict, 'stuck');
    t.strictSame(findingsOf(stuck), ['R1 stuck 3 PMC2 [1,2,3,4]']);
    const misses: Record<string, Entry[]> = {
      'no common bit': twice('1', '2'),
      'zero first': twice('0', '1'),
      'at the same time': twice('1', '1', '00'),
      'a second apart, which may be none': twice('1', '1', '01'),
      'time going back': [snapshot('05'), read('1'), snapshot('02'), read('1')],
      'PEBS in use': twice('1', '1', '02', { pebs_events: '2' }),
      'PEBS in use at the second read': [
        snapshot('00'),
        read('1'),
        snapshot('02', { pebs_events: '1' }),
        read('1'),
      ],
      'no word about PEBS': twice('1', '1', '02', { pebs_events: '' }),
      'no time': twice('1', '1', '02', { ts: '' }),
      'another boot': [
        snapshot('00', { boot_id: 'a' }),
        read('1'),
        snapshot('02', { boot_id: 'b' }),
        read('1'),
      ],
      'another machine': [
        snapshot('00', { host: 'a' }),
        read('1'),
        snapshot('02', { host: 'b' }),
        read('1'),
      ],
      'a write in between': [...twice('1', '1').slice(0, 3), write('1', 'task'), read('1')],
      'no headings': [read('1'), read('1')],
    };
    for (const [name, entries] of Object.entries(misses)) {
      t.equal(judge(entries).verdict, 'inconclusive', name);
    }
    const moved = judge([...twice('1', '3'), snapshot('04'), read('2')]);
    t.equal(moved.verdict, 'stuck', 'the last two reads have another bit');
    t.strictSame(findingsOf(moved), [
      'R1 stuck 3 PMC1 [3,4,5,6]',
      'R4 transient 3 PMC0 [1,2,3,4,6]',
    ]);
    const fine = twice('1', '1', '00', { ts: '2026-11-20T10:00:00.100Z' }).slice(0, 2);
    const apart = (ts: string): Entry[] => [...fine, snapshot('00', { ts }), read('1')];
    t.equal(judge(apart('2026-11-20T10:00:00.150Z')).verdict, 'stuck', 'milliseconds are finer');
    t.equal(judge(apart('2026-11-20T10:00:00.115Z')).verdict, 'inconclusive');
    const given = judge(
      [
        ['snapshot', { attributes: { ts: '2026-11-20T10:00:00Z' } }],
        read('1'),
        ['snapshot', { attributes: { ts: '2026-11-20T10:00:05Z' } }],
        read('1'),
      ],
      { facts: { pebs_events: '0' } },
    );
    t.equal(given.verdict, 'stuck', 'the sender may say that PEBS is idle');
    const at = (seconds: string): { at: string } => ({ at: `2026-11-20T10:00:${seconds}` });
    const lines = [read('1', at('00.5')), read('1', at('02.5'))];
    t.equal(judge(lines, { facts: { pebs_events: '0' } }).verdict, 'stuck', 'a time in each line');
    t.equal(judge(lines).verdict, 'inconclusive');
  },
);

t.test('a CPU is clean whose register was zero, at two moments, wholly', async (t) => {
  const twice = (fields = {}): Entry[] => [
    snapshot('00'),
    read('0', fields),
    snapshot('02'),
    read('0', fields),
  ];
  t.strictSame(verdictsOf(judge(twice())), { 3: 'clean' });
  t.equal(judge(twice()).verdict, 'clean');
  t.equal(judge(twice({ known: 'ffffffff' })).verdict, 'inconclusive', '32 bits of 64');
  t.equal(judge(twice().slice(0, 2)).verdict, 'inconclusive', 'a single read');
  t.equal(judge([read('0'), read('0')]).verdict, 'inconclusive', 'no times');
  t.equal(judge(twice(), { cut: true }).verdict, 'inconclusive', 'the text is cut');
  t.equal(judge([...twice(), ['loss', { cpu: 3, count: 1 }]]).verdict, 'inconclusive', 'a loss');
  t.equal(judge([...twice(), ['unreadable', { cpu: 3 }]]).verdict, 'inconclusive', 'unreadable');
  t.equal(judge([...twice(), ['unreadable', { cpu: 4 }]]).verdict, 'inconclusive', 'not all CPUs');
  t.equal(
    judge([snapshot('00'), read('1'), snapshot('02'), read('0'), snapshot('04'), read('0')])
      .verdict,
    'inconclusive',
    'it was not zero once',
  );
});

t.test('R2: a dump in which the register has more than active_mask', async (t) => {
  const stuck = judge(dump('1', '200000000'));
  t.strictSame(findingsOf(stuck), ['R2 stuck 3 PMC0 [2,3]']);
  const verdict = (pebs: string, active: string, version?: string): string =>
    judge(dump(pebs, active), version === undefined ? {} : { facts: { pmu_version: version } })
      .verdict;
  t.equal(verdict('1', '1'), 'inconclusive', 'perf has an event there');
  t.equal(verdict('100000000', '3', '5'), 'stuck', 'a fixed counter');
  t.equal(verdict('100000000', '3', '4'), 'inconclusive', 'load latency');
  t.equal(verdict('100000000', '3'), 'inconclusive', 'one or the other');
  t.match(judge(dump('100000000', '3')).cpus[0]?.reason, /PMU version 5/);
  t.equal(verdict('8000000300000001', '1', '4'), 'inconclusive', 'bit 63 is precise store');
  t.equal(verdict('8000000000000001', '1', '5'), 'inconclusive', 'bit 63 is no counter');
  t.strictSame(findingsOf(judge(dump('300000001', '0'), { facts: { pmu_version: '5' } })), [
    'R2 stuck 3 PMC0+FIXED0+FIXED1 [2,3]',
  ]);
  t.equal(judge([read('1'), ...dump('0', '0').slice(2)]).verdict, 'inconclusive', 'two tools');
  const [, pebs, active] = dump('1', '0');
  const [ctrl] = dump('0', '0');
  t.equal(judge([pebs!, ctrl!, active!]).verdict, 'inconclusive', 'two dumps');
  const mixed = judge([pebs!, ...dump('2', '2', 5), active!]);
  t.strictSame(verdictsOf(mixed), { 3: 'stuck', 5: 'inconclusive' });
});

t.test('R2: a dump without the register is of a CPU without PEBS', async (t) => {
  const without = judge([dump('0', '1')[2]!]);
  t.strictSame(findingsOf(without), ['R5 not_applicable 3 - [1]']);
  t.equal(without.verdict, 'not_applicable');
});

t.test("R3: after the exit the register has bits that perf's NMI did not write", async (t) => {
  const stuck = judge(overlap('0', '1'));
  t.equal(stuck.verdict, 'stuck');
  t.match(findingsOf(stuck), ['R3 stuck 3 PMC0 [1,3,4,5]', 'R0 none 3 - [1,2,4]']);
  t.match(stuck.cpus[0]?.reason, '10.1-10.2');
  t.equal(judge(overlap('2', '3')).findings.map(brief)[0], 'R3 stuck 3 PMC0 [1,3,4,5]');
  const nmi = write('0', 'nmi');
  const misses: Record<string, Entry[]> = {
    'what perf wrote is there, whatever KVM wrote': overlap('1', '1'),
    'less than perf wrote': overlap('3', '1'),
    'no context': [entry(), write('0', 'unknown'), write('0', 'unknown'), exit(), read('1')],
    'the NMI outside the window': [nmi, entry(), exit(), read('1')],
    'no exit': [entry(), nmi, read('1')],
    'the head is missing': [nmi, exit(), read('1')],
    'perf wrote since': [...overlap('0', '1').slice(0, 4), write('1', 'task'), read('1')],
    'somebody wrote since': [...overlap('0', '1').slice(0, 4), write('1', 'unknown'), read('1')],
    'a loss': [...overlap('0', '1').slice(0, 4), ['loss', { cpu: 3, count: null }], read('1')],
    'a loss afterwards': [...overlap('0', '1'), ['loss', { cpu: 3, count: 4 }]],
    'a loss, nobody knows where': [...overlap('0', '1'), ['loss', { count: 4 }]],
    'a refused write': [entry(), write('0', 'nmi', { refused: true }), exit(), read('1')],
    'an exit that is missing': [entry(), nmi, entry(), exit(), read('1')],
    'a clock that goes back before the exit': [
      ['vm_entry', { cpu: 3, at: '900.1' }],
      nmi,
      exit(),
      read('1', { at: '10.3' }),
    ],
    'a clock that goes back before the read': [
      ...overlap('0', '1').slice(0, 4),
      read('1', { at: '9.9' }),
    ],
    'a refused read': [...overlap('0', '1').slice(0, 4), read('1', { refused: true })],
    'another CPU': [...overlap('0', '1').slice(0, 4), read('1', { cpu: 4 })],
  };
  for (const [name, entries] of Object.entries(misses)) {
    t.equal(judge(entries).verdict, 'inconclusive', name);
  }
  const later = [...overlap('0', '0'), entry(), write('0', 'task'), exit(), read('2')];
  t.equal(judge(later).verdict, 'stuck', "KVM's later zero is not perf's");
});

t.test('R4: what was stuck is gone in a later read', async (t) => {
  const healed = judge([...overlap('0', '1'), read('0')]);
  t.equal(healed.verdict, 'transient');
  t.equal(findingsOf(healed)[0], 'R4 transient 3 PMC0 [1,3,4,5,6]');
  t.equal(judge([...overlap('0', '3'), read('2')]).verdict, 'stuck', 'a part of it');
  t.equal(judge([...overlap('0', '1'), read('0', { cpu: 4 })]).verdict, 'stuck', 'another CPU');
  t.equal(
    judge([...overlap('0', '1'), read('0', { known: 'ff' })]).verdict,
    'stuck',
    'not all bits',
  );
  t.equal(judge([...overlap('0', '1'), read('0'), ...overlap('0', '1')]).verdict, 'stuck', 'again');
  t.equal(judge([...dump('1', '0'), ...dump('0', '0')]).verdict, 'transient', 'a later dump');
  const boots = (second: string): Entry[] => [
    snapshot('00', { boot_id: 'a' }),
    read('1'),
    snapshot('02', { boot_id: 'a' }),
    read('1'),
    snapshot('04', { boot_id: second }),
    read('0'),
  ];
  t.equal(judge(boots('a')).verdict, 'transient');
  t.equal(judge(boots('b')).verdict, 'stuck', 'a reboot heals nothing');
});

t.test('R5: a machine that cannot have the problem', async (t) => {
  const zero: Entry[] = [read('0')];
  const verdict = (facts: Record<string, string>, entries = zero): string =>
    judge(entries, { facts }).verdict;
  t.equal(verdict({ cpu_vendor: 'AuthenticAMD' }), 'not_applicable');
  t.equal(verdict({ pebs: 'no' }), 'not_applicable');
  t.equal(verdict({ pebs: 'disabled' }), 'not_applicable');
  t.equal(verdict({ fix_state: 'fixed', isolation: 'true' }), 'not_applicable');
  t.equal(verdict({ fix_state: 'fixed', isolation: 'false' }), 'inconclusive');
  t.equal(verdict({ fix_state: 'partly', isolation: 'true' }), 'inconclusive');
  t.equal(verdict({ pebs: 'no' }, [read('1')]), 'inconclusive', 'it has bits all the same');
  t.equal(verdict({ pebs: 'no' }, dump('1', '0')), 'stuck');
  t.equal(verdict({ pebs: 'no' }, []), 'not_applicable', 'nothing was read');
  const fixed = { fix_state: 'fixed', isolation: 'true' };
  t.equal(verdict(fixed, [entry(), write('0', 'task'), exit()]), 'inconclusive', 'R0 knows better');
});

t.test('R6: what does not suffice', async (t) => {
  const nowhere = judge([read('0', { cpu: null }), read('100000001', { cpu: null })]);
  t.equal(nowhere.verdict, 'inconclusive');
  t.strictSame(findingsOf(nowhere), ['R6 inconclusive - PMC0+FIXED0 [2]']);
  t.match(nowhere.findings[0]?.text, '1 of 2 readings');
  const lost = judge([read('1'), read('0', { cpu: 4 }), ['loss', { cpu: 3, count: 2 }]]);
  t.match(lost.cpus, [
    { cpu: 3, verdict: 'inconclusive', reason: /lost/ },
    { cpu: 4, verdict: 'inconclusive', reason: /single/ },
  ]);
  const everywhere = judge([entry(7), exit(7), ['loss', { count: 9 }]]);
  t.strictSame(verdictsOf(everywhere), { 7: 'inconclusive' }, 'a loss may have been of any CPU');
  t.strictSame(verdictsOf(judge([entry(7), exit(7)])), {}, 'there is nothing to judge');
  t.equal(judge([entry(7), exit(7)]).verdict, 'none');
});

t.test('a user who wrote the register taints what is read afterwards', async (t) => {
  const byHand: Entry = ['device_write', { msr: 0x3f1, comm: 'wrmsr' }];
  t.equal(judge([byHand]).verdict, 'inconclusive');
  t.equal(judge([byHand, ...dump('1', '0')]).verdict, 'inconclusive');
  t.equal(judge([...dump('1', '0'), byHand]).verdict, 'stuck', 'it was stuck before');
  t.equal(judge([...dump('1', '0'), byHand, read('0')]).verdict, 'stuck', 'nor was it healed');
  t.equal(judge([['device_write', { msr: 0x10 }], ...dump('1', '0')]).verdict, 'stuck');
  t.strictSame(findingsOf(judge([byHand])), ['device_write inconclusive - - [1]']);
});

t.test('other findings', async (t) => {
  const list = (msr: number, value: string, guest: string): Entry => [
    'load_list',
    { cpu: 0, msr, value, guest },
  ];
  const withoutDs = judge([entry(0), list(0x600, 'ffff', '0'), list(0x3f1, '0', '1')]);
  t.ok(findingsOf(withoutDs).includes('guest_pebs_without_ds_area none 0 PMC0 [2,3]'));
  const withDs = judge([list(0x600, 'ffff', '1000'), list(0x3f1, '0', '1')]);
  t.notOk(withDs.findings.some(({ rule }) => rule === 'guest_pebs_without_ds_area'));
  const nextEntry = judge([list(0x600, 'ffff', '0'), entry(0), list(0x3f1, '0', '1')]);
  t.notOk(nextEntry.findings.some(({ rule }) => rule === 'guest_pebs_without_ds_area'));
  t.match(findingsOf(judge([['list_full', { msr: 0x1234 }]])), ['autoload_overflow none - - [1]']);
  const fault: Entry = ['fault', { text: 'BUG: kernel NULL pointer dereference' }];
  t.strictSame(findingsOf(judge([fault])), [], 'a fault alone is nothing of ours');
  const kvm = write('0', 'unknown', { writer: 'add_atomic_switch_msr', cpu: null });
  t.ok(findingsOf(judge([kvm, fault])).includes('kernel_fault none - - [1,2]'));
  const throttle: Entry = ['throttle', { cpu: 5 }];
  t.strictSame(findingsOf(judge([throttle])), ['throttled none 5 - [1]']);
  t.strictSame(findingsOf(judge([throttle, ['unthrottle', { cpu: 5 }]])), []);
  t.equal(judge([throttle]).verdict, 'none', 'supporting evidence only');
});

t.test('guest accesses, other MSRs and tests judge no CPU', async (t) => {
  t.equal(
    judge([['guest_access', { cpu: 3, msr: 0x3f1, value: '1', writes: true }]]).verdict,
    'none',
  );
  t.equal(judge([read('1', { msr: 0x38f })]).verdict, 'none');
  t.equal(judge([['test', { result: 'pass' }]]).verdict, 'none');
  t.equal(judge([['test', { result: 'skip' }]]).verdict, 'not_applicable');
});

t.test('a cut text accuses no CPU', async (t) => {
  for (const entries of [overlap('0', '1'), dump('1', '0'), [...overlap('0', '1'), read('0')]]) {
    const cut = judge(entries, { cut: true });
    t.equal(cut.verdict, 'inconclusive');
    t.ok(cut.findings.every(({ verdict }) => verdict === 'inconclusive' || verdict === 'none'));
    t.ok(
      cut.findings.some(({ rule }) => /R[234]/.test(rule)),
      'but shows what was found so far',
    );
  }
  const cut = judge(overlap('0', '1'), { cut: true });
  t.equal(cut.path, 'unknown', 'statistics may follow, and tell of a loss in the window');
  t.ok(
    cut.findings.some(({ rule }) => rule === 'R0'),
    'but the window is shown',
  );
});
