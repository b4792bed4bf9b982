/** Traces as text: the rows of EXPECT.md, and lines of the same kinds that no sample has. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { looksLikeFtrace, makeFtraceReader } from '../../src/observations/readers/ftrace.js';
import { capture } from './captures.js';
import { readText, shown, shownAll } from './read-text.js';

/** What each sample gives. The unended line of ftrace-truncated-tail is not passed on. */
const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  'ftrace-decode-msr-names.txt': [
    '1 cpu0 861765.878032 task write 38f =0 triad_loop-17222',
    '2 cpu0 861765.878033 task write 3f1 =0 triad_loop-17222',
    '3 cpu0 861765.878033 task write 186 =40003003c triad_loop-17222',
    '4 cpu0 861765.878033 task counter_read =fffffff82840 count=0 triad_loop-17222',
    '5 cpu0 861765.878034 task write 600 =fffffe0000016000 triad_loop-17222',
    '6 cpu0 861765.878035 task write 38f =1000f000000ff triad_loop-17222',
  ],
  'ftrace-dmesg-spliced.txt': [
    '6 cpu? 7.024500 unknown notice count=79000 perf: interrupt took too long (2526 > 2500), lowering kernel.perf_event_max_sample_rate to 79000',
    '6 rejected',
    '8 cpu2 7.024900 task write 3f1 =0 sh-113',
  ],
  'ftrace-flags-hex-depth.txt': [
    '1 cpu2 7.024822 nmi write 3f1 =1 sh-113',
    '2 cpu0 133.992274 task write 38f =0 irq/68-dwc3-523',
    '3 cpu1 134.022453 task write 38f =f000000ff kworker/1:3-443',
    '4 cpu1 134.022460 irq reading 3f1 =300000001 multi-word na-me-77',
  ],
  'ftrace-gp-suffix.txt': [
    '1 cpu2 67.932797 task write 3f1 =400000000000000 refused perf-991',
    '2 cpu2 67.932801 task reading 3f1 refused perf-991',
    '3 cpu2 67.940000 irq reading 3f1 =0 rdmsr-992',
  ],
  'ftrace-header-overrun.txt': [
    '3 cpu? - unknown loss count=455842',
    '7 cpu3 900.100001 task vm_entry vcpu=0 CPU 0/KVM-4242',
    '8 cpu3 900.100020 task vm_exit HLT CPU 0/KVM-4242',
  ],
  'ftrace-kvm-load-list.txt': [
    '1 cpu0 - unknown vm_entry vcpu=0',
    '2 cpu0 - unknown load_list 38f =1000f000000fe guest=1000f000000ff',
    '3 cpu0 - unknown load_list 600 =fffffe57186af000 guest=0',
    '4 cpu0 - unknown load_list 3f2 =0 guest=0',
    '5 cpu0 - unknown load_list 3f1 =0 guest=1',
    '6 cpu0 - unknown vm_exit vcpu=0 EXCEPTION_NMI',
  ],
  'ftrace-kvm-msr-guest-access.txt': [
    '1 cpu3 900.200001 task guest_access 3f1 =1 writes CPU 0/KVM-4242',
    '2 cpu3 900.200005 task guest_access 3f1 =1 CPU 0/KVM-4242',
    '3 cpu3 900.200009 task guest_access 3f1 =ffffffffffffffff writes refused CPU 0/KVM-4242',
    '4 cpu3 900.200020 task event kvm_pio (pio_write at 0x3f8 size 1 count 1 val 0x41) CPU 0/KVM-4242',
  ],
  'ftrace-latency-format.txt': [
    '10 cpu3 100001 task vm_entry vcpu=0 CPU 0/KV-4242',
    '11 cpu3 100004 nmi write 3f1 =0 CPU 0/KV-4242',
    '12 cpu3 100020 task vm_exit vcpu=0 HLT CPU 0/KV-4242',
  ],
  'ftrace-lost-events.txt': [
    '1 cpu3 900.100001 task vm_entry vcpu=0 CPU 0/KVM-4242',
    '2 cpu3 - unknown loss count=1234',
    '3 cpu3 900.100020 task vm_exit vcpu=0 HLT CPU 0/KVM-4242',
    '4 cpu3 900.100300 irq reading 3f1 =1 rdmsr-5150',
    '5 cpu5 - unknown loss',
    '6 cpu4 900.100310 irq reading 3f1 =0 rdmsr-5151',
  ],
  'ftrace-mail-wrapped.txt': [
    '1 cpu0 861765.878032 task write 38f =0 CPU 0/KVM-4242',
    '3 cpu0 861765.878033 task write 3f1 =0 CPU 0/KVM-4242',
    '5 cpu0 861765.878034 task counter_read =fffffff82840 count=0 CPU 0/KVM-4242',
  ],
  'ftrace-names-noprefix.txt': [
    '2 cpu? - unknown write 38f =0',
    '3 cpu? - unknown write 3f1 =0',
    '5 cpu? - unknown write 3f1 =1',
    '6 cpu? - unknown write 38f =f000000ff',
  ],
  'ftrace-noflags-short-comm.txt': [
    '1 cpu2 89.871187 unknown vm_entry vcpu=1 CPU-1979',
    '2 cpu2 89.871218 unknown vm_exit MSR_WRITE CPU-1979',
    '3 cpu2 89.871259 unknown vm_exit MSR_WRITE CPU-1979',
    '4 cpu2 89.871301 unknown write 3f1 =0 CPU-1979',
  ],
  'ftrace-rt-7flags.txt': [
    '10 cpu11 31.831901 task vm_entry vcpu=1 CPU 1/KVM-7001',
    '11 cpu11 31.831902 task write 3f1 =0 CPU 1/KVM-7001',
    '12 cpu11 31.831905 nmi write 3f1 =2 CPU 1/KVM-7001',
    '13 cpu11 31.831930 task vm_exit vcpu=1 HLT CPU 1/KVM-7001',
    '14 cpu11 31.832002 task event kvm_vcpu_wakeup (wait time 1900000 ns, polling valid) CPU 1/KVM-7001',
  ],
  'ftrace-tgid.txt': [
    '1 cpu1 1000.000038 task write 3f1 =0 CPU 0/KVM-4201 tgid=4200',
    '2 cpu5 1000.000041 irq write 3f1 =1 <idle>-0',
    '3 cpu6 1000.000050 task reading 3f1 =1 <...>-9246 tgid=9240',
  ],
  'ftrace-trace-header.txt': [
    '13 cpu3 900.100001 task vm_entry vcpu=0 CPU 0/KVM-4242',
    '14 cpu3 900.100002 task write 3f1 =0 CPU 0/KVM-4242',
    '15 cpu3 900.100004 nmi write 3f1 =0 CPU 0/KVM-4242',
    '16 cpu3 900.100005 nmi nmi count=2117 perf_event_nmi_handler (handled: 1) CPU 0/KVM-4242',
    '17 cpu3 900.100020 task vm_exit vcpu=0 EXTERNAL_INTERRUPT CPU 0/KVM-4242',
    '18 cpu3 900.100300 irq reading 3f1 =1 rdmsr-5150',
    '19 cpu3 900.100400 task vm_entry vcpu=0 CPU 0/KVM-4242',
    '20 cpu4 900.100410 irq reading 3f1 =0 <idle>-0',
  ],
  'ftrace-truncated-head.txt': [
    '1 rejected',
    '2 cpu3 900.100020 task vm_exit vcpu=0 HLT CPU 0/KVM-4242',
    '3 cpu3 900.100300 irq reading 3f1 =1 rdmsr-5150',
  ],
  'ftrace-truncated-tail.txt': [
    '1 cpu3 900.100001 task vm_entry vcpu=0 CPU 0/KVM-4242',
    '2 cpu3 900.100004 nmi write 3f1 =1 CPU 0/KVM-4242',
  ],
  'tracecmd-report-flags.txt': [
    '3 cpu1 211579.860340 task vm_entry vcpu=0 CPU 0/KVM-1716729',
    '4 cpu1 211579.860349 nmi write 3f1 =0 CPU 0/KVM-1716729',
    '5 cpu1 - unknown loss count=87',
    '6 cpu1 211579.860358 task vm_exit HLT CPU 0/KVM-1716729',
  ],
  'tracecmd-report.txt': [
    '6 cpu3 211579.860340 unknown vm_entry vcpu=0 CPU 0/KVM-1716729',
    '7 cpu3 211579.860341 unknown write 3f1 =0 CPU 0/KVM-1716729',
    '8 cpu3 211579.860358 unknown vm_exit vcpu=0 HLT CPU 0/KVM-1716729',
    '9 cpu3 211579.860500 unknown reading 3f1 =1 rdmsr-17168',
  ],
};

for (const [file, expected] of Object.entries(SAMPLES)) {
  t.test(file, async (t) => {
    t.strictSame(shownAll(readText(makeFtraceReader, capture(file))), expected);
  });
}

const read = (text: string) => shownAll(readText(makeFtraceReader, `${text}\n`));
const CPU3 = '       CPU 0/KVM-4242    [003] ';

t.test('four flags, and a clock that counts cycles', async (t) => {
  t.strictSame(read('<...>-59160 [027] d.h. 12.345678: write_msr: MSR_IA32_PMC0(4c1), value ff'), [
    '1 cpu27 12.345678 irq write 4c1 =ff <...>-59160',
  ]);
  t.strictSame(read(`${CPU3}...1. 18446744073709551615: read_msr: 3f1, value 1`), [
    '1 cpu3 18446744073709551615 task reading 3f1 =1 CPU 0/KVM-4242',
  ]);
});

t.test('entries and exits of old kernels and new', async (t) => {
  const events = [
    ['kvm_entry: vcpu 1 rip 0x1000', 'vm_entry vcpu=1'],
    ['kvm_entry: vcpu 0, rip 0xfff0[immediate exit]', 'vm_entry vcpu=0'],
    [
      'kvm_entry: vcpu 0, rip 0xfff0 intr_info 0x800000ec error_code 0x00000000[immediate exit]',
      'vm_entry vcpu=0',
    ],
    ['kvm_exit: reason apic_access rip 0xfff0 info 1010 0', 'vm_exit apic_access'],
    [
      'kvm_exit: vcpu 2 reason INVALID_STATE FAILED_VMENTRY rip 0x0 info1 0x0',
      'vm_exit vcpu=2 INVALID_STATE FAILED_VMENTRY',
    ],
    ['kvm_exit: reason HLT vcpu 2 intr_info 0x0 rip 0x1', 'vm_exit vcpu=2 HLT'],
    [
      'kvm_exit: vcpu 0 reason HLT rip 0x1 info1 0x0 info2 0x0 intr_info 0x0 error_code 0x0 requests 0x0000000000000000',
      'vm_exit vcpu=0 HLT',
    ],
  ];
  for (const [event, expected] of events) {
    t.strictSame(read(`${CPU3}d..1. 1.000001: ${event}`), [
      `1 cpu3 1.000001 task ${expected} CPU 0/KVM-4242`,
    ]);
  }
});

t.test('raw fields, as trace-cmd report -R prints them', async (t) => {
  const text = `${CPU3}1.000001: write_msr:  msr=1009 val=4294967297 failed=0
${CPU3}1.000002: read_msr:  msr=1009 val=0 failed=1
${CPU3}1.000003: kvm_entry:  vcpu_id=3 rip=0xfff0 immediate_exit=0
${CPU3}1.000004: write_msr:  msr=1009 val=18446744073709551616 failed=0
${CPU3}1.000005: write_msr:  msr=3f1 val=10 failed=0
${CPU3}1.000006: write_msr:  msr=600 val=fffffe0000016000 failed=0
${CPU3}1.000007: write_msr:  msr=390 val=10 failed=0
${CPU3}1.000008: kvm_msr:  write=1 ecx=3f1 data=10 exception=0`;
  t.strictSame(read(text), [
    '1 cpu3 1.000001 unknown write 3f1 =100000001 CPU 0/KVM-4242',
    '2 cpu3 1.000002 unknown reading 3f1 refused CPU 0/KVM-4242',
    '3 cpu3 1.000003 unknown vm_entry vcpu=3 CPU 0/KVM-4242',
    '4 rejected',
    '5 cpu3 1.000005 unknown write 3f1 =10 CPU 0/KVM-4242',
    '6 cpu3 1.000006 unknown write 600 =fffffe0000016000 CPU 0/KVM-4242',
    '7 rejected',
    '8 cpu3 1.000008 unknown guest_access 3f1 =10 writes CPU 0/KVM-4242',
  ]);
  const both = `${CPU3}1.000001: write_msr: msr=0x3f1 (1009) val=0x8000000000000001 (-9223372036854775807) failed=0x0 (0)
${CPU3}1.000002: read_msr: msr=0x3f1 (1009) val=0x0 (0) failed=0xfffffffb (-5)
${CPU3}1.000003: write_msr: msr=0x3f1 (1009) val=0x1 failed=0x0 (0)`;
  t.strictSame(read(both), [
    '1 cpu3 1.000001 unknown write 3f1 =8000000000000001 CPU 0/KVM-4242',
    '2 cpu3 1.000002 unknown reading 3f1 refused CPU 0/KVM-4242',
    '3 rejected',
  ]);
});

t.test('options of trace-cmd report', async (t) => {
  const write = 'unknown write 3f1 =0 CPU 0/KVM-4242';
  t.strictSame(read(`${CPU3}1.000001: (+6)     write_msr:            3f1, value 0`), [
    `1 cpu3 1.000001 ${write}`,
  ]);
  t.strictSame(read(`${CPU3.trimEnd()}86210438268152: write_msr:            3f1, value 0`), [
    `1 cpu3 86210438268152 ${write}`,
  ]);
  t.strictSame(
    read('g.dat: rdmsr-515     3d.h1. 1.000001: read_msr:            3f1, value 1'),
    ['1 rejected'],
    'of several files: a guest has other CPUs',
  );
});

t.test('what is cut or has something in it gives no value', async (t) => {
  for (const body of [
    'write_msr:',
    'write_msr: 3f1',
    'write_msr: 3f1, value',
    'write_msr: 3f1, value 0x1',
    'write_msr: 3f1, value 12345678901234567',
    'write_msr: 3f1, value 1 #G',
    'write_msr: 3f1, value 1[    7.1] x',
    'write_msr: 3f1, value 1 2',
    'write_msr: MSR_IA32_PEBS_ENABLE, value 1',
    'rdpmc: , value 1',
    'kvm_entry: vcpu',
    'kvm_exit: vcpu 0 reason HLT rip 0x1 info1 0x0000[   7.1] x',
    'kvm_msr: msr_write 3f1 = 1',
    'kvm_perf_msr: MSR 3f1: host 0 guest',
    'nmi_handler: perf_event_nmi_handler() delta_ns: 2117',
  ]) {
    t.strictSame(read(`${CPU3}d..1. 1.000001: ${body}`), ['1 rejected'], body);
  }
});

t.test('lines that a mail program wrapped are joined only within their quotation', async (t) => {
  t.strictSame(read(`${CPU3}d... 1.000001: write_msr:\n3f1, value 1`), [
    '1 rejected',
    '2 rejected',
  ]);
  t.strictSame(read(`> ${CPU3}d... 1.000001: write_msr:\nwrote:\n> 3f1, value 1 //x`), [
    '1 cpu3 1.000001 task write 3f1 =1 CPU 0/KVM-4242',
  ]);
  t.strictSame(read(`> ${CPU3}d... 1.000001: write_msr:\n> nothing\n> 3f1, value 1`), [
    '1 rejected',
    '3 rejected',
  ]);
  t.strictSame(read(`> ${CPU3}d... 1.000001: write_msr: 3f1,`), ['1 rejected']);
  t.strictSame(read(`> ${CPU3}d... 1.000001: write_msr: 3f1, value 4\n> #GP`), [
    '1 cpu3 1.000001 task write 3f1 =4 refused CPU 0/KVM-4242',
  ]);
});

t.test('a stack below an event names its writer', async (t) => {
  const text = `${CPU3}d.h1.     1.000001: write_msr: 3f1, value 0
${CPU3}d.h1.     1.000002: <stack trace>
 => do_trace_write_msr
 => native_write_msr
 => intel_pmu_disable_all
 => perf_event_nmi_handler
 => vmx_vcpu_run
${CPU3}d..1.     1.000003: write_msr: 3f1, value 1
${CPU3}d..1.     1.000004: kernel_stack:         <stack trace >
=> add_atomic_switch_msr.constprop.0 (ffffffffc0a1b2cf)`;
  t.strictSame(read(text), [
    '1 cpu3 1.000001 nmi write 3f1 =0 by intel_pmu_disable_all CPU 0/KVM-4242',
    '8 cpu3 1.000003 task write 3f1 =1 by add_atomic_switch_msr CPU 0/KVM-4242',
  ]);
  const other = text.replaceAll('[003] d.h1.     1.000002', '[004] d.h1.     1.000002');
  t.match(
    read(other)[0],
    /^1 cpu3 1.000001 irq write 3f1 =0 CPU/,
    "another CPU's stack is not its",
  );
});

t.test('loss in every spelling', async (t) => {
  const of = (text: string) => read(text).map((line) => line.replace(/^\d+ (\S+) - unknown/, '$1'));
  t.strictSame(of('CPU:7 [204600 EVENTS DROPPED]'), ['cpu7 loss count=204600']);
  t.strictSame(of('CPU:7 [EVENTS DROPPED]'), ['cpu7 loss']);
  t.strictSame(of('# entries-in-buffer/entries-written: 1135/2000   #P:2'), [
    'cpu? loss count=865',
  ]);
  t.strictSame(of('# entries-in-buffer/entries-written: 2000/2000   #P:2'), []);
  const stats = (title: string, overrun: number) => `${title}
entries: 12
overrun: ${overrun}
commit overrun: 0
bytes: 1408
oldest event ts:    67.932797
now ts:    70.100000
dropped events: 2
read events: 3`;
  for (const title of [
    'CPU: 3',
    '==> /sys/kernel/tracing/per_cpu/cpu3/stats <==',
    '# cpu 3',
    'cpu3',
  ]) {
    t.strictSame(of(stats(title, 17)), ['cpu3 loss count=17', 'cpu3 loss count=2'], title);
  }
  t.strictSame(of(`${stats('cpu3', 0)}\n${stats('', 5)}`), [
    'cpu3 loss count=2',
    'cpu? loss count=5',
    'cpu? loss count=2',
  ]);
  t.strictSame(of('per_cpu/cpu5/stats:overrun: 17\nper_cpu/cpu5/stats:commit overrun: 1'), [
    'cpu5 loss count=17',
    'cpu5 loss count=1',
  ]);
});

t.test('what hardware loads is marked in our own export, and no mark is a write', async (t) => {
  const file = new URL(
    '../../../test/exports/I1_matrix-linux-7.2.6-k3-late.ftrace',
    import.meta.url,
  );
  const { records, rejected } = readText(
    makeFtraceReader,
    readFileSync(fileURLToPath(file), 'utf8'),
  );
  t.strictSame(rejected, []);
  const written = records
    .filter(({ kind }) => kind === 'write')
    .map(({ context, msr, value }) => `${context} ${msr?.toString(16)}=${value?.lo.toString(16)}`);
  t.strictSame(written, [
    'task 3f1=0',
    'nmi 38f=0',
    'nmi 390=0',
    'nmi 186=30080',
    'nmi 3f1=0',
    'nmi 38f=ff',
  ]);
  t.equal(
    shown(records.at(-2)!),
    '29 cpu0 0.000024 task event tracing_mark_write (I1 violated) CPU 0/KVM-4200',
  );
});

t.test('which lines look like a trace', async (t) => {
  for (const file of Object.keys(SAMPLES)) {
    t.ok(capture(file).split('\n').some(looksLikeFtrace), file);
  }
  for (const line of [
    '',
    '# comment',
    'cpu=3 3f1=0000000000000001',
    '[   12.345678] perf: interrupt took too long (2526 > 2500)',
    'Nov 20 10:00:00 host-17 kernel: CPU#3: pebs: 1',
    '3 1370355646288 0x9288 [0x40]: PERF_RECORD_THROTTLE',
    '  swapper     0 [000]  1371.863081: msr:write_msr: 6e0, value 33ebd10c4c6',
    '     0.000 SCTP timer/6158 msr:write_msr(msr: IA32_PEBS_ENABLE, val: 1)',
    '1441656042654 1 6e0 368c57f8773',
  ]) {
    t.notOk(looksLikeFtrace(line), line);
  }
});
