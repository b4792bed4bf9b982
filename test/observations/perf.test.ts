/** What perf prints: the rows of EXPECT.md, and lines of the same kinds that no sample has. */
import t from 'tap';
import { looksLikePerfDump } from '../../src/observations/readers/perf-dump.js';
import { makePerfScriptReader } from '../../src/observations/readers/perf-script.js';
import { looksLikePerfScript } from '../../src/observations/readers/perf-script-sample.js';
import {
  looksLikePerfTrace,
  makePerfTraceReader,
} from '../../src/observations/readers/perf-trace.js';
import { capture } from './captures.js';
import { readText, shownAll } from './read-text.js';

const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  'perf-dump-lost.txt': [
    '1 cpu3 1370355646288 unknown throttle',
    '2 cpu3 1370355646999 unknown loss count=42',
    '3 cpu5 1370355647001 unknown loss count=7',
    '4 cpu3 1370357495751 unknown unthrottle',
  ],
  'perf-dump-throttle.txt': [
    '2 cpu3 1370355600001 unknown precise_sample (kernel) null-719180 tgid=719180',
    '3 cpu3 1370355646288 unknown throttle',
    '4 cpu3 1370357495751 unknown unthrottle',
    '5 cpu5 1370357600000 unknown throttle',
    '6 cpu3 1370357700000 unknown precise_sample (guest_kernel) null-4242 tgid=4242',
  ],
  'perf-prof-wallclock.txt': [
    '1 cpu17 15504452.408994 task vm_exit EXTERNAL_INTERRUPT <...>-206966 {"wall_clock":"2026-11-20 16:11:10.214139"}',
    '2 cpu17 15504452.412981 task vm_entry vcpu=20 <...>-206966 {"wall_clock":"2026-11-20 16:11:10.214203"}',
    '3 cpu17 15504452.412983 task write 3f1 =0 <...>-206966 {"wall_clock":"2026-11-20 16:11:10.214209"}',
  ],
  'perf-script-callchain.txt': [
    '1 cpu3 1371.863102 task write 3f1 =0 by add_atomic_switch_msr CPU 0/KVM-4242',
    '6 cpu3 1371.863104 nmi write 3f1 =0 by handle_pmi_common CPU 0/KVM-4242',
  ],
  'perf-script-default.txt': [
    '1 cpu0 1371.863081 unknown write 6e0 =33ebd10c4c6 swapper-0',
    '2 cpu3 1371.863101 unknown vm_entry vcpu=0 CPU 0/KVM-4242',
    '3 cpu3 1371.863102 unknown write 3f1 =0 CPU 0/KVM-4242',
    '4 cpu3 1371.863104 unknown write 3f1 =0 CPU 0/KVM-4242',
    '5 cpu3 1371.863120 unknown vm_exit vcpu=0 HLT CPU 0/KVM-4242',
    '6 cpu3 1371.863400 unknown reading 3f1 =1 rdmsr-5150',
  ],
  'perf-script-nocomm.txt': [
    '1 cpu1 770.850287 unknown vm_entry vcpu=0',
    '2 cpu1 770.850289 unknown write 3f1 =0',
    '3 cpu1 770.850307 unknown vm_exit vcpu=0 TRIPLE_FAULT',
    '4 cpu1 770.850313 unknown event kvm_fpu (unload)',
    '5 cpu1 770.850316 unknown event kvm_userspace_exit (reason KVM_EXIT_SHUTDOWN (8))',
  ],
  'perf-trace-relative.txt': [
    '1 cpu? 0.000 unknown write 3f1 =1 SCTP timer-6158',
    '2 cpu? 0.014 unknown write 3f1 =0 CPU 0/KVM-4242',
    '3 cpu? 2.310 unknown write 38f =f000000ff CPU 0/KVM-4242',
  ],
};

for (const [file, expected] of Object.entries(SAMPLES)) {
  t.test(file, async (t) => {
    const make = file.startsWith('perf-trace') ? makePerfTraceReader : makePerfScriptReader;
    t.strictSame(shownAll(readText(make, capture(file))), expected);
  });
}

const script = (text: string) => shownAll(readText(makePerfScriptReader, `${text}\n`));
const trace = (text: string) => shownAll(readText(makePerfTraceReader, `${text}\n`));

t.test('samples in other columns', async (t) => {
  const samples = [
    [
      'fc_vcpu 1  599500 [039] 12.345678901: kvm:kvm_entry: vcpu 1 rip 0x1000',
      'cpu39 12.345678901 unknown vm_entry vcpu=1 fc_vcpu 1-599500',
    ],
    [
      'perf 2000/2001 [003]  1.000001:  1 msr:read_msr: 3f1, value 1',
      'cpu3 1.000001 unknown reading 3f1 =1 perf-2001 tgid=2000',
    ],
    [
      'rdmsr 5150  1371.863400: msr:read_msr: 3f1, value 1',
      'cpu? 1371.863400 unknown reading 3f1 =1 rdmsr-5150',
    ],
    [
      ':-1    -1 [003] 1.000001: nmi:nmi_handler: perf_event_nmi_handler() delta_ns: 2117 handled: 1',
      'cpu3 1.000001 nmi nmi count=2117 perf_event_nmi_handler (handled: 1) :-1-null',
    ],
    [
      'perf 2000 [003] 1.000001:  100003 cycles:pp:  ffffffff81000aa0 intel_pmu+0x1 ([kernel.kallsyms])',
      'cpu3 1.000001 unknown event cycles:pp (ffffffff81000aa0 intel_pmu+0x1 ([kernel.kallsyms])) perf-2000',
    ],
    [
      'CPU 0/KVM  4242 [003] msr:write_msr: 3f1, value 0',
      'cpu3 - unknown write 3f1 =0 CPU 0/KVM-4242',
    ],
    ['msr:write_msr: 3f1, value 0', 'cpu? - unknown write 3f1 =0'],
    [
      '4200/4242  1371.863102: msr:write_msr: 3f1, value 0',
      'cpu? 1371.863102 unknown write 3f1 =0 null-4242 tgid=4200',
    ],
    [
      '4242 [003] 1371.863102: msr:write_msr: 3f1, value 0',
      'cpu3 1371.863102 unknown write 3f1 =0 null-4242',
    ],
    [
      'CPU 0/KVM [003] K     1371.863102: msr:write_msr: 3f1, value 0',
      'cpu3 1371.863102 unknown write 3f1 =0 CPU 0/KVM-null',
    ],
    [
      'CPU 0/KVM 1371.863102: msr:write_msr: 3f1, value 0 ffffffff81c42cda do_trace_write_msr+0x4a ([kernel.kallsyms])',
      'cpu? 1371.863102 unknown write 3f1 =0 CPU 0/KVM-null',
    ],
  ];
  for (const [line, expected] of samples) t.strictSame(script(line!), [`1 ${expected}`]);
});

t.test('what is cut or has something in it gives no value', async (t) => {
  for (const line of [
    'perf 2000 [003] 1.000001: msr:write_msr: 3f1, value 1[    7.1] x',
    'perf 2000 [003] 1.000001: msr:write_msr: 3f1, val',
    '[003] 1.00: msr:write_msr: 3f1, value 1',
    'x 1 [003] 1.000001 msr:write_msr: 3f1, value 1',
    'x 1 [003] 1.000001: msr:write_msr: 3f1, value 1 ffffffff81c42cda',
    'VM:13376 VCPU:003   CPU 0/KVM  4242 [003] 1.000001: msr:write_msr: 3f1, value 1',
    '3 1370355600001 0x9200 [0x38]: PERF_RECORD_SAMPLE(IP, 0x4001): 719180/719180: 0xffff',
  ]) {
    t.strictSame(script(line), ['1 rejected'], line);
  }
  for (const line of [
    '     0.014 CPU 0/KVM/4242 msr:write_msr(msr: IA32_PEBS_ENABLE, val: 1',
    '     0.014 CPU 0/KVM/4242 msr:write_msr(msr: IA32_PEBS_ENABLE, val: )',
    '     0.014 CPU 0/KVM/4242 msr:write_msr(msr: IA32_PEBS_ENABLE, val: 18446744073709551616)',
  ]) {
    t.strictSame(trace(line), ['1 rejected'], line);
  }
});

t.test(
  'the innermost frame that tells the context decides, and short stacks tell none',
  async (t) => {
    const of = (...frames: string[]) =>
      script(
        `x 1 [003] 1.000001: msr:write_msr: 3f1, value 0\n${frames.map((frame) => `\tffffffff8107a1b4 ${frame} ([kernel.kallsyms])`).join('\n')}\n`,
      )[0]
        ?.replace('1 cpu3 1.000001 ', '')
        .replace(' x-1', '');
    t.equal(
      of('native_write_msr', 'x2apic_send_IPI', 'asm_sysvec_apic_timer_interrupt', 'do_syscall_64'),
      'irq write 3f1 =0 by x2apic_send_IPI',
    );
    t.equal(
      of('native_write_msr', 'foo.isra.0', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'),
      'task write 3f1 =0 by foo',
    );
    t.equal(of('native_write_msr+0x4', 'foo+0x1c'), 'unknown write 3f1 =0 by foo');
    t.equal(of('[unknown]', 'exc_nmi', 'vmx_vcpu_run'), 'nmi write 3f1 =0');
  },
);

t.test('perf trace: numbers and names', async (t) => {
  const of = (args: string) =>
    trace(`     0.014 x/1 msr:write_msr(${args})`)[0]?.replace('1 cpu? 0.014 unknown ', '');
  t.equal(of('msr: 1009, val: -9223372036854775807'), 'write 3f1 =8000000000000001 x-1');
  t.equal(of('msr: 0x3f1, val: 0x300000001'), 'write 3f1 =300000001 x-1');
  t.equal(of('msr: IA32_PMC0, val: 1'), 'write 4c1 =1 x-1', "Linux's MSR_IA32_PMC0");
  t.equal(of('msr: IA32_PEBS_ENABLE, val: 1, failed: 1'), 'write 3f1 =1 refused x-1');
  t.equal(of('msr: AMD64_BU_CFG2, val: 1'), 'write =1 (AMD64_BU_CFG2) x-1', 'one we do not know');
  t.strictSame(trace('  1.000 ( 0.003 ms): cat/12 read(fd: 3, count: 1) = 1\nLOST 12 events!'), [
    '2 cpu? - unknown loss count=12',
  ]);
  t.strictSame(
    trace('  1.000 kvm:kvm_entry(rip: 65520)\n  2.000 sched:sched_switch(prev_comm: "a, b")'),
    [
      '1 cpu? 1.000 unknown vm_entry vcpu=0',
      '2 cpu? 2.000 unknown event sched_switch (prev_comm: "a, b")',
    ],
  );
});

t.test('dumps without columns, and loss in every spelling', async (t) => {
  const text = `147224656598815 0x4ac0 [0x28]: PERF_RECORD_THROTTLE
4294967295 18446744073709551615 0x4ae8 [0x28]: PERF_RECORD_UNTHROTTLE
0x4ae8 [0x28]: PERF_RECORD_UNTHROTTLE
3 12 0x4ae8 [0x28]: PERF_RECORD_LOST_SAMPLES: lost samples : 7
  swapper     0 [003]  1370.355646: PERF_RECORD_LOST lost 42
Processed 2000 events and lost 5 chunks!
        LOST events:          3  ( 0.1%)
        LOST_SAMPLES events:          0  ( 0.0%)`;
  t.strictSame(script(text), [
    '1 cpu? 147224656598815 unknown throttle',
    '2 cpu? - unknown unthrottle',
    '3 cpu? - unknown unthrottle',
    '4 cpu3 12 unknown loss count=7',
    '5 cpu3 1370.355646 unknown loss count=42',
    '6 cpu? - unknown loss',
    '7 cpu? - unknown loss',
  ]);
});

t.test('which lines look like what', async (t) => {
  const predicates = {
    script: looksLikePerfScript,
    trace: looksLikePerfTrace,
    dump: looksLikePerfDump,
  };
  const files = [
    ...Object.keys(SAMPLES),
    'ftrace-trace-header.txt',
    'tracecmd-report.txt',
    'ftrace-lost-events.txt',
  ];
  for (const file of files) {
    const own = /^perf-(prof|script|trace|dump)/.exec(file)?.[1]?.replace('prof', 'script');
    for (const [name, looksLike] of Object.entries(predicates)) {
      t.equal(capture(file).split('\n').some(looksLike), name === own, `${name} of ${file}`);
    }
  }
});
