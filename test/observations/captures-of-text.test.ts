/** What the readers of everything but traces get from the captures: the rows of EXPECT.md, record by record. */
import t from 'tap';
import { FORMATS, recognise } from '../../src/observations/formats.js';
import { withoutAnsi } from '../../src/observations/lines.js';
import { brief, capture, linesOf, type Outcome, read } from './texts.js';

interface Row {
  readonly file: string;
  readonly format: string;
  readonly records?: readonly string[];
  readonly rejects?: readonly string[];
  readonly facts?: readonly string[];
}

const ROWS: readonly Row[] = [
  {
    file: 'rdmsr-all-plain.txt',
    format: 'rdmsr',
    records: [
      '2: reading 3f1=0000000000000000',
      '3: reading 3f1=0000000000000000',
      '4: reading 3f1=0000000000000001',
      '5: reading 3f1=0000000000000000',
      '6: reading 3f1=0000000100000001',
      '7: reading 3f1=0000000000000000',
      '8: reading 3f1=0000000000000000',
      '9: reading 3f1=0000000000000000',
    ],
  },
  {
    file: 'rdmsr-decimal.txt',
    format: 'rdmsr',
    records: [
      '2: reading 3f1=0000000000000000',
      '3: reading 3f1=0000000100000001',
      '4: reading 3f1=000000000000000c',
      '5: reading 3f1=0000000000000000',
    ],
  },
  {
    file: 'rdmsr-errors.txt',
    format: 'rdmsr',
    records: [
      '1: reading cpu 0 3f1=0000000000000000',
      '2: unreadable cpu 1 msr 3f1 (CPU 1 cannot read MSR 0x000003f1)',
      '3: unreadable cpu 9 (No CPU 9)',
      "4: unreadable cpu 10 (CPU 10 doesn't support MSRs)",
      '5: unreadable (open: Operation not permitted)',
      '7: reading cpu 3 3f1=0000000000000000',
    ],
    rejects: ['6: a reading is "cpu=N 3f1=<hex>" and nothing else (cpu 2)'],
  },
  {
    file: 'rdmsr-loop-cpu-equals.txt',
    format: 'rdmsr',
    records: [
      '1: snapshot {"host":"host-17","boot_id":"6f0c7b1e","pebs_events":"0","ts":"2026-11-20T10:00:00Z"} at 2026-11-20T10:00:00Z',
      '2: reading cpu 0 3f1=0000000000000000',
      '3: reading cpu 1 3f1=0000000000000000',
      '4: reading cpu 2 3f1=0000000000000000',
      '5: reading cpu 3 3f1=0000000000000001',
      '6: snapshot {"host":"host-17","boot_id":"6f0c7b1e","pebs_events":"0","ts":"2026-11-20T10:00:02Z"} at 2026-11-20T10:00:02Z',
      '7: reading cpu 0 3f1=0000000000000000',
      '8: reading cpu 1 3f1=0000000000000000',
      '9: reading cpu 2 3f1=0000000000000000',
      '10: reading cpu 3 3f1=0000000000000001',
    ],
    facts: ['boot_id=6f0c7b1e', 'boot_id=6f0c7b1e'],
  },
  {
    file: 'rdmsr-loop-healed.txt',
    format: 'rdmsr',
    records: [
      '1: snapshot {"pebs_events":"0","ts":"2026-11-20T10:05:00Z"} at 2026-11-20T10:05:00Z',
      '2: reading cpu 5 3f1=0000000000000004',
      '3: snapshot {"pebs_events":"0","ts":"2026-11-20T10:05:02Z"} at 2026-11-20T10:05:02Z',
      '4: reading cpu 5 3f1=0000000000000004',
      '5: snapshot {"pebs_events":"0","ts":"2026-11-20T10:05:04Z"} at 2026-11-20T10:05:04Z',
      '6: reading cpu 5 3f1=0000000000000000',
    ],
  },
  {
    file: 'rdmsr-loop-in-use.txt',
    format: 'rdmsr',
    records: [
      '1: snapshot {"pebs_events":"4","ts":"2026-11-20T10:07:00Z"} at 2026-11-20T10:07:00Z',
      '2: reading cpu 0 3f1=0000000000000003',
      '3: reading cpu 1 3f1=0000000000000003',
      '4: snapshot {"pebs_events":"4","ts":"2026-11-20T10:07:02Z"} at 2026-11-20T10:07:02Z',
      '5: reading cpu 0 3f1=0000000000000003',
      '6: reading cpu 1 3f1=0000000000000003',
    ],
  },
  {
    file: 'rdmsr-many-msrs-no-cpu.txt',
    format: 'rdmsr',
    records: [
      '1: reading 38d=0000000000000bbb',
      '2: reading 38e=0000000000000000',
      '3: reading 38f=0000000f000000ff',
      '4: reading 390=0000000000000000',
      '5: reading 3f1=0000000000000001',
      '6: reading 600=fffffe0000016000',
    ],
  },
  {
    file: 'rdmsr-od-little-endian.txt',
    format: 'rdmsr',
    records: ['2: reading cpu 0 3f1=0000000000000000', '3: reading cpu 3 3f1=0000000200000001'],
  },
  {
    file: 'rdmsr-table-columns.txt',
    format: 'rdmsr',
    records: [
      '3: reading cpu 0 3f1=0000000000000000',
      '4: reading cpu 1 3f1=0000000000000002',
      '5: unreadable cpu 14 msr 3f1 ((unreadable))',
      '6: reading cpu 15 3f1=0000000000000000',
    ],
    rejects: ['5: unreadable (cpu 14)'],
  },
  {
    file: 'rdmsr-terminal-ansi.txt',
    format: 'rdmsr',
    records: [
      '4: reading cpu 0 3f1=0000000000000000',
      '5: reading cpu 1 3f1=0000000000000000',
      '6: reading cpu 2 3f1=0000000000000001',
      '7: reading cpu 3 3f1=0000000000000000',
    ],
  },
  {
    file: 'turbostat-add-raw.txt',
    format: 'turbostat',
    records: [
      '3: snapshot',
      '4: reading cpu 0 3f1=0000000000000000',
      '5: reading cpu 3 3f1=0000000000000001',
    ],
  },
  {
    file: 'turbostat-summary-only.txt',
    format: 'turbostat',
    rejects: [
      '2: a summary of all CPUs, which older versions print as 0: leave out --Summary',
      '3: a summary of all CPUs, which older versions print as 0: leave out --Summary',
    ],
  },
  {
    file: 'turbostat-u32-truncates.txt',
    format: 'turbostat',
    records: ['2: snapshot', '3: reading cpu 3 3f1=0000000000000001 known 00000000ffffffff'],
  },
  {
    file: 'turbostat-with-preamble.txt',
    format: 'turbostat',
    records: [
      '8: snapshot',
      '9: reading cpu 0 3f1=0000000000000000',
      '10: reading cpu 64 3f1=0000000000000002',
      '11: reading cpu 32 3f1=0000000000000000',
    ],
    facts: [
      'cpu_vendor=GenuineIntel',
      'cpu_family=6',
      'cpu_model=207',
      'cpu_stepping=2',
      'microcode=0x21000240',
    ],
  },
  {
    file: 'sysrq-callerid-interleaved.txt',
    format: 'console',
    records: [
      '1: reading cpu 3 3f1=0000000000000001 pebs at 500.000001',
      '2: reading cpu 5 38f=0000000f000000ff ctrl at 500.000002',
      '3: active_mask cpu 3 =0000000000000000 active at 500.000003',
      '4: reading cpu 5 3f1=0000000000000002 pebs at 500.000004',
      '5: active_mask cpu 5 =0000000000000002 active at 500.000005',
    ],
  },
  {
    file: 'sysrq-irq-loop-stuck.txt',
    format: 'console',
    records: [
      '1: notice perfevents: irq loop stuck!',
      '6: reading cpu 0 38f=0000000000000000 ctrl',
      '7: reading cpu 0 38e=0000000400000000 status',
      '8: reading cpu 0 390=0000000000000000 overflow',
      '9: reading cpu 0 38d=0000000000000bb0 fixed',
      '10: reading cpu 0 3f1=0000000000000000 pebs',
      '11: reading cpu 0 1d9=0000000000000000 debugctl',
      '12: active_mask cpu 0 =0000000600000000 active',
      '13: pmu_cleared cpu 0',
    ],
  },
  {
    file: 'sysrq-journal-prefix.txt',
    format: 'console',
    records: [
      '2: reading cpu 5 38f=0000000f000000ff ctrl at Nov 20 10:00:01',
      '3: reading cpu 5 3f1=0000000100000000 pebs at Nov 20 10:00:01',
      '4: active_mask cpu 5 =0000000000000003 active at Nov 20 10:00:01',
    ],
  },
  {
    file: 'sysrq-no-pebs-line.txt',
    format: 'console',
    records: ['1: active_mask cpu 10 =0000000000000001 active at 253.143207'],
  },
  {
    file: 'sysrq-old-cpu-pebs-quirk.txt',
    format: 'console',
    records: [
      '1: reading cpu 1 38f=000000070000000f ctrl at 700.000001',
      '2: reading cpu 1 3f1=8000000300000001 pebs at 700.000002',
      '3: active_mask cpu 1 =0000000000000001 active at 700.000003',
    ],
  },
  {
    file: 'sysrq-stuck.txt',
    format: 'console',
    records: [
      '3: reading cpu 3 38f=0001000f000000ff ctrl at 160673.642701',
      '4: reading cpu 3 38e=0000000000000000 status at 160673.642702',
      '5: reading cpu 3 390=0000000000000000 overflow at 160673.642702',
      '6: reading cpu 3 38d=00000000000000b0 fixed at 160673.642702',
      '7: reading cpu 3 3f1=0000000000000001 pebs at 160673.642703',
      '8: reading cpu 3 1d9=0000000000004000 debugctl at 160673.642703',
      '9: active_mask cpu 3 =0000000200000000 active at 160673.642704',
    ],
  },
  {
    file: 'dmesg-msr-device-write.txt',
    format: 'console',
    records: ['1: device_write msr 3f1 wrmsr pid 142969 at 177764.874555'],
  },
  {
    file: 'dmesg-pmu-host.txt',
    format: 'console',
    facts: [
      'cpu_name=Intel(R) Xeon(R) Platinum Test CPU',
      'cpu_family=6',
      'cpu_model=207',
      'cpu_stepping=2',
      'pmu_driver=Intel',
      'pebs=yes',
      'pebs_format=4',
      'pebs_baseline=yes',
      'pmu_events=Sapphire Rapids',
      'pmu_version=5',
      'counter_width=48',
      'general_counters=8',
      'fixed_counters=4',
      'counter_mask=0001000f000000ff',
    ],
  },
  {
    file: 'dmesg-pmu-variants.txt',
    format: 'console',
    facts: [
      'pmu_driver=Intel',
      'pebs=yes',
      'pebs_format=3',
      'pmu_events=Goldmont',
      'pmu_driver=AMD',
      'pmu_driver=none',
      'pmu_driver=Intel',
      'pebs=yes',
      'pebs_format=1',
      'pmu_events=SandyBridge',
      'pebs=disabled',
      'pmu_driver=Intel',
      'pebs=yes',
      'pebs_format=4',
      'pebs_baseline=yes',
      'pmu_events=Alderlake Hybrid',
      'hybrid=yes',
      'hybrid=yes',
    ],
  },
  {
    file: 'dmesg-quoted-printable.txt',
    format: 'console',
    facts: [
      'pmu_driver=Intel',
      'pebs=yes',
      'pebs_format=4',
      'pebs_baseline=yes',
      'pmu_events=Icelake',
      'pmu_version=5',
    ],
  },
  {
    file: 'dmesg-throttle-notices.txt',
    format: 'console',
    records: [
      '1: notice count 1356000 NMI handler (perf_event_nmi_handler) took too long to run: 1.356 msecs at 95.445015',
      '2: notice count 50000 perf: interrupt took too long (3985 > 3976), lowering kernel.perf_event_max_sample_rate to 50000 at 95.445015',
      '3: notice cpu 3 count 3000 perf: interrupt took too long (66639 > 66480), lowering kernel.perf_event_max_sample_rate to 3000 at 55.481144',
      '4: notice count 38000 perf: interrupt took too long (5143 > 5080), lowering kernel.perf_event_max_sample_rate to 38000',
      '5: notice count 50000 perf samples too long (2502 > 2500), lowering kernel.perf_event_max_sample_rate to 50000 at 4573.218656',
      '6: notice count 12500 perf samples too long (10001 > 10000), lowering kernel.perf_event_max_sample_rate to 12500 at 67249.846237',
    ],
  },
  {
    file: 'dmesg-unchecked-wrmsr-kvm.txt',
    format: 'console',
    records: [
      '1: list_full msr abd1e896 pid 10420 at 67.921889',
      '2: write 3f1=0000000000000000 refused by add_atomic_switch_msr pid 10420 at 67.932797',
    ],
  },
  {
    file: 'bpftrace-json-lines.json',
    format: 'bpftrace',
    records: [
      '3: write cpu 3 3f1=0000000000000000 at 1442116042846',
      '5: write cpu 3 3f1=0000000100000001 at 1442116042999',
      '6: loss count 17',
    ],
  },
  {
    file: 'bpftrace-text.txt',
    format: 'bpftrace',
    records: [
      '2: write cpu 1 6e0=00000368c57f8773 at 1441656042654',
      '3: write cpu 3 3f1=0000000000000000 at 1441656042999',
      '4: write cpu 3 3f1=0000000000000001 at 1441656043010',
    ],
  },
  {
    file: 'cpuid-raw.txt',
    format: 'cpuinfo',
    facts: [
      'cpu 0 cpu_vendor=GenuineIntel',
      'cpu 0 cpu_family=6',
      'cpu 0 cpu_model=207',
      'cpu 0 cpu_stepping=2',
      'cpu 0 pmu_version=5',
      'cpu 0 general_counters=8',
      'cpu 0 counter_width=48',
      'cpu 0 fixed_counters=4',
      'cpu 0 fixed_mask=0x7',
      'cpu 1 cpu_family=6',
      'cpu 1 cpu_model=207',
      'cpu 1 cpu_stepping=2',
      'cpu 1 pmu_version=0',
      'cpu 1 general_counters=0',
      'cpu 1 counter_width=0',
      'cpu 1 fixed_counters=0',
      'cpu 1 fixed_mask=0x0',
    ],
  },
  {
    file: 'cpuinfo-cometlake.txt',
    format: 'cpuinfo',
    facts: [
      'cpu 0 cpu_vendor=GenuineIntel',
      'cpu 0 cpu_family=6',
      'cpu 0 cpu_model=166',
      'cpu 0 cpu_name=Intel(R) Celeron(R) CPU 5205U @ 1.90GHz',
      'cpu 0 cpu_stepping=0',
      'cpu 0 microcode=0xc9',
      'cpu 0 pebs=yes',
    ],
  },
  {
    file: 'cpuinfo-coreboot-console.txt',
    format: 'console',
    facts: [
      'cpu_family=6',
      'cpu_model=166',
      'cpu_stepping=0',
      'microcode=0xc9',
      'cpu_name=Intel(R) Celeron(R) CPU 5205U @ 1.90GHz',
      'cpu_family=6',
      'cpu_model=166',
      'cpu_stepping=0',
      'cpu_family=6',
      'cpu_model=166',
      'cpu_stepping=0',
      'microcode=0xc9',
    ],
  },
  {
    file: 'cpuinfo-microcode-skew.txt',
    format: 'cpuinfo',
    facts: [
      'cpu 0 cpu_vendor=GenuineIntel',
      'cpu 0 cpu_family=6',
      'cpu 0 cpu_model=63',
      'cpu 0 cpu_stepping=2',
      'cpu 0 microcode=0x49',
      'cpu 1 cpu_vendor=GenuineIntel',
      'cpu 1 cpu_family=6',
      'cpu 1 cpu_model=63',
      'cpu 1 cpu_stepping=2',
      'cpu 1 microcode=0x2e',
    ],
  },
  {
    file: 'kut-pmu_pebs-fail.txt',
    format: 'kut',
    records: [
      '8: test pass pmu_pebs/GP counter 0 (0xfffffffffffe): PEBS record (written seq 0) is verified (including size, counters and cfg).',
      '9: test fail pmu_pebs/Multiple (0x700000055): No OVF irq, none PEBS records.',
      '11: test fail pmu_pebs/Adaptive (0x1f000008): Multiple (0x700000055): No OVF irq, none PEBS records.',
    ],
  },
  {
    file: 'kut-run_tests-ansi.txt',
    format: 'kut',
    records: [
      '1: test pass apic-split (56 tests)',
      '2: test pass vmexit_cpuid',
      '3: test skip pmu_pebs (1 tests, 1 skipped)',
      '4: test error emulator (timeout; duration=90s)',
      '5: test error pmu (terminated on SIGSEGV)',
    ],
  },
  {
    file: 'kut-skip-reasons.txt',
    format: 'kut',
    records: [
      '2: test skip PEBS not enumerated in PERF_CAPABILITIES',
      '4: test skip pmu_pebs (PEBS not enumerated in PERF_CAPABILITIES)',
      '5: test skip pmu_lbr (/proc/sys/kernel/nmi_watchdog not equal to 0)',
      '6: test skip pks (0 tests)',
      '7: test skip access_fep (test marked as manual run only)',
    ],
    facts: ['nmi_watchdog=on'],
  },
  {
    file: 'kselftest-lava-nested.txt',
    format: 'console',
    records: [
      '8: test pass kvm/pmu_counters_test/pmu_counters_test arch events (version 2)',
      '9: test fail kvm/pmu_counters_test/pmu_counters_test gp counters',
      '11: test fail kvm/pmu_counters_test (exit=254)',
      '14: test skip kvm/vmx_pmu_caps_test (requires enable_pmu)',
      '17: test error kvm/steal_time (TIMEOUT 120 seconds)',
    ],
  },
  {
    file: 'ktap-kunit-indent.txt',
    format: 'console',
    records: [
      '6: test pass pebs/pebs_enable_cpu0 at 1.000006',
      '7: test fail pebs/pebs_enable_cpu3 at 1.000007',
      '9: test fail pebs at 1.000009',
      '10: test skip ds_area (no PEBS) at 1.000010',
    ],
  },
  {
    file: 'tap13-lava-export.txt',
    format: 'console',
    records: [
      '4: test pass lava/validate',
      '6: test fail 0_pebs-stuck/cpu3',
      '8: reading cpu 3 3f1=0000000000000001 at 2026-11-20T10:00:03.000000',
      '10: test skip 0_pebs-stuck/cpu4 (test skipped)',
      '11: test unknown 0_pebs-stuck/cpu5 (TODO unknown result)',
    ],
  },
  {
    file: 'lkvs-results.txt',
    format: 'lkvs',
    records: [
      '5: test pass timed_pebs_msr (pmu_tests.sh -t timed_pebs_msr: exit value 0)',
      '6: test fail data_src (apebs_tests.sh -t data_src -w 0: exit value 1)',
      '7: test error lbr_1 (apebs_tests.sh -t lbr_1 -w 0: exit value 2)',
    ],
  },
  {
    file: 'lava-log-split-signal.txt',
    format: 'console',
    records: [
      '4: reading cpu 3 3f1=0000000000000001 at 2026-11-20T10:00:03.000000',
      '5: notice count 79000 perf: interrupt took too long (2526 > 2500), lowering kernel.perf_event_max_sample_rate to 79000 at 240.000001',
      '7: test pass lava/validate at 2026-11-20T10:00:04.000000',
    ],
    rejects: ['5: a message of the kernel cuts into the line (cpu 4)'],
  },
  {
    file: 'syzkaller-console.txt',
    format: 'console',
    records: [
      '3: write 3f1=0000000000000000 refused by add_atomic_switch_msr pid 10420 at 67.932797',
      '5: fault pid 10421 (BUG: kernel NULL pointer dereference, address: 0000000000000028) at 68.004000',
      '6: fault pid 10421 (Oops: 0000 [#1] PREEMPT SMP NOPTI) at 68.004001',
    ],
  },
  {
    file: 'perf-data-json.json',
    format: 'perf-json',
    rejects: [
      '3: perf data convert --to-json gives no values of MSRs: send the output of "perf script" instead',
    ],
    facts: [
      'kernel_release=6.12.90',
      'cpu_name=Intel(R) Xeon(R) Test',
      'cpus=8',
      'cpu_vendor=GenuineIntel',
      'cpu_family=6',
      'cpu_model=207',
      'cpu_stepping=2',
    ],
  },
];

const formatOf = ({ format }: Row) => FORMATS.find(({ name }) => name === format)!;
const outcomeOf = (row: Row, text: string): Outcome => read(formatOf(row).makeReader, text);

t.test('each capture gives its records, and nothing else', async (t) => {
  for (const row of ROWS) {
    const { records, rejects, facts, refused } = outcomeOf(row, capture(row.file));
    t.strictSame(records.map(brief), row.records ?? [], row.file);
    t.strictSame(rejects, row.rejects ?? [], `${row.file}: rejected`);
    t.strictSame(facts, row.facts ?? [], `${row.file}: facts`);
    t.equal(refused, null);
  }
});

t.test('the format is recognised', async (t) => {
  for (const row of ROWS)
    t.equal(recognise(linesOf(capture(row.file)))?.name, row.format, row.file);
});

t.test('a message of the kernel that cuts into a line makes no other value of it', async (t) => {
  const spliced = /^(?:rdmsr-(?:loop|all)|sysrq|dmesg-(?:pmu|unchecked|msr)|lkvs|syzkaller)/;
  for (const row of ROWS.filter(({ file }) => spliced.test(file))) {
    const text = withoutAnsi(capture(row.file));
    const said = (outcome: Outcome): string[] => [
      ...outcome.records.map((record) => brief(record).replace(/^\d+: | pid \d+| at .*$/g, '')),
      ...outcome.facts,
    ];
    const whole = new Set(said(outcomeOf(row, text)));
    const news = new Set<string>();
    for (let place = 0; place < text.length; place++) {
      const cut = `${text.slice(0, place)}[  240.000001] foo: bar\n${text.slice(place)}`;
      for (const what of said(outcomeOf(row, cut)))
        if (!whole.has(what)) news.add(`${place}: ${what}`);
    }
    t.strictSame([...news], [], row.file);
  }
});
