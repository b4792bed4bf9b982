/** Shapes of text that no capture has, line by line. */
import t from 'tap';
import { isFact } from '../../src/observations/facts.js';
import { binaryFormat, FORMATS, recognise } from '../../src/observations/formats.js';
import { rdmsr } from '../../src/observations/readers/rdmsr.js';
import { brief, factsOf, type Outcome, read } from './texts.js';

interface Shape {
  readonly about: string;
  readonly format: string;
  readonly lines: readonly string[];
  /** Records, rejected lines, facts and refusal. */
  readonly says: readonly string[];
}

const SHAPES: readonly Shape[] = [
  {
    about: 'comments of a collector, and one of somebody else',
    format: 'rdmsr',
    lines: ['# kernel_release=6.12.90 cpu_model=207', '# loops=3', 'cpu=0 3f1=1'],
    says: [
      '1: snapshot {"kernel_release":"6.12.90","cpu_model":"207"}',
      '3: reading cpu 0 3f1=0000000000000001',
      'kernel_release=6.12.90',
      'cpu_model=207',
    ],
  },
  {
    about: 'more loops of other people',
    format: 'rdmsr',
    lines: [
      'CPU 0 -> 0x0',
      '[cpu 1] 1',
      'cpu[2]: 0x2',
      'CPU: 3, MSR: 0x3f1, value: 0x3',
      'core=4 val=0x4',
      'CPU 5: 38f = f000000ff',
      'CPU 6: Intel(R) Xeon(R)',
      'CPU 7: 2 of 3',
    ],
    says: [
      '1: reading cpu 0 3f1=0000000000000000',
      '2: reading cpu 1 3f1=0000000000000001',
      '3: reading cpu 2 3f1=0000000000000002',
      '4: reading cpu 3 3f1=0000000000000003',
      '5: reading cpu 4 3f1=0000000000000004',
      '6: reading cpu 5 38f=0000000f000000ff',
      '8: rejected: no value that rdmsr prints (cpu 7)',
    ],
  },
  {
    about: 'zero-padded values',
    format: 'rdmsr',
    lines: ['0000000000000000', '0000000000000001'],
    says: ['1: reading 3f1=0000000000000000', '2: reading 3f1=0000000000000001'],
  },
  {
    about: 'rdmsr -c',
    format: 'rdmsr',
    lines: ['# rdmsr -a -c -0 0x3f1', '0x0000000000000000', '0x0000000100000001'],
    says: ['2: reading 3f1=0000000000000000', '3: reading 3f1=0000000100000001'],
  },
  {
    about: 'decimal values without their command',
    format: 'rdmsr',
    lines: ['0', '4294967297', '12', '0'],
    says: [
      '1: reading 3f1=0000000000000000',
      '3: reading 3f1=0000000000000012',
      '4: reading 3f1=0000000000000000',
      'refused: Line 2: IA32_PEBS_ENABLE has no such bits if the values are hexadecimal. If rdmsr was run with -u or -d, put its command in front of the values, e.g. "# rdmsr -a -u 0x3f1"; better, run it with -x -0.',
    ],
  },
  {
    about: 'rdmsr -f: other bits are unknown',
    format: 'rdmsr',
    lines: ['# rdmsr -a -f 35:32 0x3f1', '0', '1'],
    says: [
      '2: reading 3f1=0000000000000000 known 0000000f00000000',
      '3: reading 3f1=0000000100000000 known 0000000f00000000',
    ],
  },
  {
    about: 'rdmsr -f with padding, and a value cut short',
    format: 'rdmsr',
    lines: ['# rdmsr -a -0 -f 31:0 0x3f1', '00000000', '00000001', '0001'],
    says: [
      '2: reading 3f1=0000000000000000 known 00000000ffffffff',
      '3: reading 3f1=0000000000000001 known 00000000ffffffff',
      '4: rejected: 8 digits are printed and 4 are here: cut or split',
    ],
  },
  {
    about: 'rdmsr -o',
    format: 'rdmsr',
    lines: ['# rdmsr -ao 0x3f1', '0', '14', '9'],
    says: [
      '2: reading 3f1=0000000000000000',
      '3: reading 3f1=000000000000000c',
      '4: rejected: no octal value: 9',
    ],
  },
  {
    about: 'rdmsr -d prints the top bit as a sign',
    format: 'rdmsr',
    lines: ['# rdmsr -ad 0x3f1', '-1', '-9223372036854775808'],
    says: [
      '2: reading 3f1=8000000000000001',
      '3: rejected: more than 64 bits: -9223372036854775808',
    ],
  },
  {
    about: 'numbers as constants of C',
    format: 'rdmsr',
    lines: [
      '# rdmsr -a -u -c 0x3f1',
      '0U',
      '4294967297U',
      '# rdmsr --all -o -0 -c 0x3f1',
      '00000000000040000000001',
      '# rdmsr -a -X -c 0x3f1',
      '0X10000000F',
    ],
    says: [
      '2: reading 3f1=0000000000000000',
      '3: reading 3f1=0000000100000001',
      '5: reading 3f1=0000000100000001',
      '7: reading 3f1=000000010000000f',
    ],
  },
  {
    about: 'bytes in the order of memory',
    format: 'rdmsr',
    lines: [
      '$ dd if=/dev/cpu/3/msr bs=8 count=1 skip=1009 iflag=skip_bytes 2>/dev/null | xxd -p',
      '0100000002000000',
      '$ dd if=/dev/cpu/3/msr bs=8 count=1 skip=$((0x3f1)) iflag=skip_bytes | hexdump -C',
      '00000000  01 00 00 00 02 00 00 00                           |........|',
      '# od -A n -t x8 -j 1009 -N 8 /dev/cpu/3/msr',
      ' 0000000000000001',
      '# rdmsr -a -r -c 0x3f1',
      '{0x01,0x00,0x00,0x00,0x00,0x00,0x00,0x00}',
    ],
    says: [
      '2: reading 3f1=0000000200000001',
      '6: reading 3f1=0000000000000001',
      '8: reading 3f1=0000000000000001',
      '4: rejected: bytes in the order of memory: print them with "od -A n -t x1"',
    ],
  },
  {
    about: 'a table whose rows name their MSR',
    format: 'rdmsr',
    lines: ['cpu,msr,value', '0,0x3f1,0x0', '3,0x38f,0xf000000ff', '4,any,0x1'],
    says: [
      '2: reading cpu 0 3f1=0000000000000000',
      '3: reading cpu 3 38f=0000000f000000ff',
      '4: rejected: the row does not have the columns of the header (cpu 4)',
    ],
  },
  {
    about: 'times of loggers, and marks of mail, in front of readings',
    format: 'rdmsr',
    lines: [
      '2026-11-20T10:00:00Z cpu=3 3f1=0000000000000001',
      '[2026-11-20 10:00:02] cpu=3 3f1=0000000000000000',
      '> cpu=4 3f1=0000000000000001',
    ],
    says: [
      '1: reading cpu 3 3f1=0000000000000001 at 2026-11-20T10:00:00Z',
      '2: reading cpu 3 3f1=0000000000000000 at 2026-11-20 10:00:02',
      '3: reading cpu 4 3f1=0000000000000001',
    ],
  },
  {
    about: 'what names the register and has no known form',
    format: 'rdmsr',
    lines: [
      'cpu=0 3f1=0',
      'host-17: cpu=3 3f1=0000000000000001',
      'cpu=4 3f1=1\rcpu=5 3f1=0',
      'MSR_PEBS_ENABLE[6] = 0x0',
    ],
    says: [
      '1: reading cpu 0 3f1=0000000000000000',
      '2: rejected: a reading stands behind another text (cpu 3)',
      '3: rejected: a reading stands behind another text (cpu 5)',
      '4: rejected: no value that rdmsr prints',
    ],
  },
  {
    about: 'statistics of ring buffers alone',
    format: 'ftrace',
    lines: [
      '==> /sys/kernel/tracing/per_cpu/cpu3/stats <==',
      'entries: 1234',
      'overrun: 17',
      'commit overrun: 0',
      'dropped events: 3',
      'read events: 12',
      'CPU: 4',
      'overrun: 5',
    ],
    says: ['3: loss cpu 3 count 17', '5: loss cpu 3 count 3', '8: loss cpu 4 count 5'],
  },
  {
    about: 'a trace that the kernel dumped to its log',
    format: 'ftrace',
    lines: [
      '[  100.000001] Dumping ftrace buffer:',
      '[  100.000004][   T42] CPU 0/KV-4242      3d.Z1. 100004us : write_msr: 3f1, value 0',
    ],
    says: ['2: write cpu 3 3f1=0000000000000000 CPU 0/KV pid 4242 at 100004 nmi'],
  },
  {
    about: 'a trace of host and guest together: the CPUs of the guest are not those of the machine',
    format: 'ftrace',
    lines: [
      'cpus=8',
      'CPU:3 [LOST EVENTS]',
      'host:        CPU 0/KVM-1716729 [003] d..1. 211579.860340: kvm_entry: vcpu 0, rip 0xfff0',
      'guest:            bash-100 [000] d..1. 211579.860345: write_msr: 3f1, value 1',
    ],
    says: [
      '2: loss cpu 3',
      '3: rejected: The line does not begin as a line of a trace does.',
      '4: rejected: The line does not begin as a line of a trace does.',
    ],
  },
  {
    about: 'records of /dev/kmsg',
    format: 'console',
    lines: [
      '6,339,5140900,-;CPU#3: pebs:       0000000000000001',
      '6,340,5140901,-,caller=C3;CPU#3: active:     0000000000000000',
    ],
    says: [
      '1: reading cpu 3 3f1=0000000000000001 pebs at 5140900',
      '2: active_mask cpu 3 =0000000000000000 active at 5140901',
    ],
  },
  {
    about: 'a write by the device, with more behind it',
    format: 'console',
    lines: [
      '<4>[   12.345678] msr: Write to unrecognized MSR 0x3f1 by wrmsr (pid: 142969), tainting.',
    ],
    says: ['1: device_write msr 3f1 wrmsr pid 142969 at 12.345678'],
  },
  {
    about: 'statistics of perf report',
    format: 'perf-dump',
    lines: [
      'Aggregated stats:',
      '            THROTTLE events:         52  ( 2.0%)',
      '          UNTHROTTLE events:         51  ( 2.0%)',
      '                LOST events:          3  ( 0.1%)',
    ],
    says: ['2: throttle count 52', '3: unthrottle count 51', '4: loss'],
  },
  {
    about: 'what perf says on stderr of samples that it lost',
    format: 'perf-script',
    lines: [
      '       CPU 0/KVM  4242 [003]  1371.863102: msr:write_msr: 3f1, value 0',
      'Processed 4000 samples and lost 50.00%!',
      'Processed 1000 events and lost 3 chunks!',
    ],
    says: [
      '1: write cpu 3 3f1=0000000000000000 CPU 0/KVM pid 4242 at 1371.863102',
      '2: loss',
      '3: loss',
    ],
  },
  {
    about: 'tests that stop half-way',
    format: 'ktap',
    lines: ['TAP version 13', '1..3', 'ok 1 a', 'Bail out! /dev/kvm is missing'],
    says: ['3: test pass a', '4: test error Bail out! (/dev/kvm is missing)'],
  },
  {
    about: 'messages of bpftrace in other spellings',
    format: 'bpftrace',
    lines: [
      '{"type":"attached_probes","data":{"probes":2}}',
      '{"type":"printf","data":"1442116042846 3 3f1 1\\n"}',
      'WARNING: Lost 12 events',
      '{"type": "printf", "data": "1442116042847 3 3f1 2"}',
    ],
    says: [
      '2: write cpu 3 3f1=0000000000000001 at 1442116042846',
      '3: loss count 12',
      '4: rejected: the printed line has no end',
    ],
  },
  {
    about: 'a name, which rdmsr takes for MSR 0',
    format: 'rdmsr',
    lines: ['# rdmsr -a IA32_PEBS_ENABLE', '0', '1'],
    says: [
      '2: rejected: rdmsr reads MSR 0 when it is given a name',
      '3: rejected: rdmsr reads MSR 0 when it is given a name',
    ],
  },
  {
    about: 'two MSRs in one loop',
    format: 'rdmsr',
    lines: ['$ for i in 0 1; do rdmsr -p $i 0x3f1; rdmsr -p $i 0x38f; done', '0', 'f000000ff'],
    says: [
      '2: rejected: the command reads several MSRs, and the line does not say which this is',
      '3: rejected: the command reads several MSRs, and the line does not say which this is',
    ],
  },
  {
    about: 'loops of other people',
    format: 'rdmsr',
    lines: [
      'CPU 3: 0x3f1 = 0x1',
      'core 4: 1',
      'CPU5 MSR 0x3f1: 0x2 (PMC1)',
      'MSR 0x3f1 on CPU 6 = 0x4',
      'IA32_PEBS_ENABLE = 0x1',
      '3f1 1',
      '7 1',
      'cpu 9',
      'cpu 8 (unreadable)',
    ],
    says: [
      '1: reading cpu 3 3f1=0000000000000001',
      '2: reading cpu 4 3f1=0000000000000001',
      '3: reading cpu 5 3f1=0000000000000002',
      '4: reading cpu 6 3f1=0000000000000004',
      '5: reading 3f1=0000000000000001',
      '6: reading 3f1=0000000000000001',
      '9: unreadable cpu 8 msr 3f1 ((unreadable))',
      '7: rejected: nothing says whether 7 is a CPU or an MSR',
      '9: rejected: unreadable (cpu 8)',
    ],
  },
  {
    about: 'what other commands print is no value',
    format: 'rdmsr',
    lines: [
      '# cat /sys/devices/system/cpu/online',
      '0-2,5-7',
      '# nproc',
      '6',
      '# rdmsr -a 0x3f1',
      '0',
      '0',
      '1',
      '0',
      '0',
      '0',
    ],
    says: [
      '6: reading 3f1=0000000000000000',
      '7: reading 3f1=0000000000000000',
      '8: reading 3f1=0000000000000001',
      '9: reading 3f1=0000000000000000',
      '10: reading 3f1=0000000000000000',
      '11: reading 3f1=0000000000000000',
      '4: rejected: the output of another command',
    ],
  },
  {
    about: 'a padded value that was split',
    format: 'rdmsr',
    lines: ['cpu=3 3f1=0000000000000001', 'cpu=4 3f1=00000000', '00000000'],
    says: [
      '1: reading cpu 3 3f1=0000000000000001',
      '2: rejected: 16 digits are printed and 8 are here: cut or split (cpu 4)',
      '3: rejected: a value without the CPU that other lines give',
    ],
  },
  {
    about: 'a table with commas and several MSRs',
    format: 'rdmsr',
    lines: ['cpu,3f1,38f', '0,0,f000000ff', '1,1,f000000ff', '2,1'],
    says: [
      '2: reading cpu 0 3f1=0000000000000000',
      '2: reading cpu 0 38f=0000000f000000ff',
      '3: reading cpu 1 3f1=0000000000000001',
      '3: reading cpu 1 38f=0000000f000000ff',
      '4: rejected: the row does not have the columns of the header (cpu 2)',
    ],
  },
  {
    about: 'the call trace names the writer',
    format: 'console',
    lines: [
      '[   12.1] x',
      '[  100.000001] unchecked MSR access error: WRMSR to 0x3f1 (tried to write 0x0400000000000001) at rIP: 0xffffffff8100aaaa (native_write_msr+0x4/0x20)',
      '[  100.000002] Call Trace:',
      '[  100.000003]  <NMI>',
      '[  100.000004]  ? show_regs+0x1/0x2',
      '[  100.000005]  intel_pmu_pebs_enable_all.constprop.0+0x29/0x30 [foo]',
      '[  100.000006]  __perf_event+0x1/0x2',
    ],
    says: ['2: write 3f1=0400000000000001 refused by intel_pmu_pebs_enable_all at 100.000001 nmi'],
  },
  {
    about: 'the call trace is missing',
    format: 'console',
    lines: [
      '[  100.000001] unchecked MSR access error: WRMSR to 0x3f1 (tried to write 0x0400000000000001) at rIP: 0xffffffff8100aaaa (native_write_msr+0x4/0x20)',
    ],
    says: ['1: rejected: the call trace that names the writer is not here'],
  },
  {
    about: 'a function of a module, and a refused RDMSR',
    format: 'console',
    lines: [
      '[  100.000001] unchecked MSR access error: WRMSR to 0x3f1 (tried to write 0x0000000000000000) at rIP: 0xffffffffc0aa (add_atomic_switch_msr.constprop.0+0x5f/0x500 [kvm_intel])',
      '[  101.000001] unchecked MSR access error: RDMSR from 0x3f1 at rIP: 0xffffffff8100aaaa (intel_pmu_foo+0x4/0x20)',
    ],
    says: [
      '1: write 3f1=0000000000000000 refused by add_atomic_switch_msr at 100.000001',
      '2: reading msr 3f1 refused by intel_pmu_foo at 101.000001',
    ],
  },
  {
    about: 'a dump without PEBS',
    format: 'console',
    lines: ['[  253.143207] CPU#0: active:     0000000000000001'],
    says: ['1: active_mask cpu 0 =0000000000000001 active at 253.143207'],
  },
  {
    about: 'events lost as text, and a line cut short',
    format: 'bpftrace',
    lines: [
      'Attaching 1 probe...',
      'Lost 17 events',
      '1441656042654 3 3f1 0',
      '1441656042654 3 3f1',
    ],
    says: [
      '2: loss count 17',
      '3: write cpu 3 3f1=0000000000000000 at 1441656042654',
      '4: rejected: not "nsecs cpu msr value" (cpu 3)',
    ],
  },
  {
    about: 'a load list entry',
    format: 'bpftrace',
    lines: ['Attaching 1 probe...', '1441656042654 3 3f1 0 1'],
    says: ['2: load_list cpu 3 3f1=0000000000000000 guest 0000000000000001 at 1441656042654'],
  },
  {
    about: 'a summary alone',
    format: 'turbostat',
    lines: ['PEBS_EN', '0x0000000000000000'],
    says: [
      '2: rejected: a summary of all CPUs, which older versions print as 0: leave out --Summary',
    ],
  },
  {
    about: 'a value that is not raw',
    format: 'turbostat',
    lines: ['CPU\tPEBS_EN', '-\t0', '3\t1'],
    says: [
      '2: snapshot',
      '3: rejected: not a raw value of a CPU: add the MSR with ",u64,raw" (cpu 3)',
    ],
  },
  {
    about: 'two rounds',
    format: 'turbostat',
    lines: [
      '1.001 sec',
      'Core\tCPU\tM0X3f1',
      '-\t-\t0x0000000000000000',
      '0\t0\t0x0000000000000001',
      '1.002 sec',
      'Core\tCPU\tM0X3f1',
      '-\t-\t0x0000000000000000',
      '0\t0\t0x0000000000000001',
    ],
    says: [
      '3: snapshot',
      '4: reading cpu 0 3f1=0000000000000001',
      '7: snapshot',
      '8: reading cpu 0 3f1=0000000000000001',
    ],
  },
  {
    about: 'results in every state',
    format: 'ktap',
    lines: [
      'KTAP version 1',
      '1..1',
      '  KTAP version 1',
      '  1..2',
      '  # cpu3: NMI wrote',
      '  not ok 1 pebs_enabled_cpu3',
      '  ok 2 pebs_enabled_cpu4',
      'not ok 1 kvm.pmu.pebs_enabled_stuck # seed=42 schedule=sch_7f3a',
      'ok 2 kvm.pmu.ds_area_isolation # SKIP CPU has PEBS isolation',
      'not ok 3 kvm.pmu.global_ctrl # TIMEOUT lease expired after 60 seconds',
      'not ok 4 kvm.pmu.trace_complete # ERROR 1234 trace events lost on CPU 3',
      'ok 5 - with dash # TODO later',
    ],
    says: [
      '6: test fail pebs_enabled_cpu3',
      '7: test pass pebs_enabled_cpu4',
      '8: test fail kvm.pmu.pebs_enabled_stuck (seed=42 schedule=sch_7f3a)',
      '9: test skip kvm.pmu.ds_area_isolation (CPU has PEBS isolation)',
      '10: test error kvm.pmu.global_ctrl (TIMEOUT lease expired after 60 seconds)',
      '11: test error kvm.pmu.trace_complete (ERROR 1234 trace events lost on CPU 3)',
      '12: test pass with dash (TODO later)',
    ],
  },
  {
    about: 'words of kvm-unit-tests',
    format: 'kut',
    lines: [
      'PASS: a',
      'XFAIL: b',
      'XPASS: c',
      'KFAIL: d',
      'ABORT: e',
      'SUMMARY: 5 tests, 3 unexpected failures',
      'FAIL foo (5 tests, 3 unexpected failures)',
      'FAIL pmu (killed on SIGKILL)',
      'FAIL bar ',
    ],
    says: [
      '1: test pass a',
      '2: test skip b',
      '3: test fail c',
      '4: test skip d',
      '5: test error e',
      '7: test fail foo (5 tests, 3 unexpected failures)',
      '8: test error pmu (killed on SIGKILL)',
      '9: test fail bar',
      '6: rejected: 5 tests with 1 failures are listed, the summary counts 5 with 3',
    ],
  },
  {
    about: 'prefixes of journald, dmesg -T and syslog',
    format: 'console',
    lines: [
      '2026-11-20T10:00:01+0000 host-17 kernel: CPU#5: pebs:       0000000000000001',
      '2026-11-20T10:00:01,123456+01:00 CPU#5: active:     0000000000000000',
      '[Fri Nov 20 10:00:01 2026] CPU#6: pebs:       0000000000000001',
      '[   12.345678] host-17 kernel: CPU#7: pebs:       0000000000000001',
      'Nov 20 10:00:01 host-17 collect[123]: cpu=3 3f1=0000000000000001',
    ],
    says: [
      '1: reading cpu 5 3f1=0000000000000001 pebs at 2026-11-20T10:00:01+0000',
      '2: active_mask cpu 5 =0000000000000000 active at 2026-11-20T10:00:01,123456+01:00',
      '3: reading cpu 6 3f1=0000000000000001 pebs at Fri Nov 20 10:00:01 2026',
      '4: reading cpu 7 3f1=0000000000000001 pebs at 12.345678',
      '5: reading cpu 3 3f1=0000000000000001 at Nov 20 10:00:01',
    ],
  },
  {
    about: 'a hybrid CPU',
    format: 'console',
    lines: [
      '[    0.1] foo',
      '[    0.157587] Performance Events: XSAVE Architectural LBR, PEBS fmt4+-baseline,  AnyThread deprecated, Alderlake Hybrid events, 32-deep LBR, full-width counters, Intel PMU driver.',
      '[    0.157587] core: cpu_core PMU driver: ',
      '[    0.157587] ... version:                5',
      '[    0.157587] ... generic counters:       8',
      '[    0.157587] core: cpu_atom PMU driver: PEBS-via-PT ',
      '[    0.157587] ... generic counters:       6',
      '[    0.157587] ... event mask:             0001000f000000ff',
    ],
    says: [
      'pmu_driver=Intel',
      'pebs=yes',
      'pebs_format=4',
      'pebs_baseline=yes',
      'pmu_events=Alderlake Hybrid',
      'hybrid=yes',
      'hybrid=yes',
      'cpu_core.pmu_version=5',
      'cpu_core.general_counters=8',
      'hybrid=yes',
      'cpu_atom.general_counters=6',
      'cpu_atom.counter_mask=0001000f000000ff',
    ],
  },
  {
    about: 'a line that ends like a broken one',
    format: 'console',
    lines: [
      '[    1.000000] key',
      'AAAAB3NzaC1yc2EAAAADAQABAAABAQC AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
      'cpu=3 3f1=0000000000000001',
    ],
    says: ['3: reading cpu 3 3f1=0000000000000001'],
  },
  {
    about: 'two dumps in one line',
    format: 'console',
    lines: [
      '[  1.000000] CPU#3: pebs:       00000000[  2.000000] CPU#4: pebs:       0000000000000001',
      '[  1.000000] 00000001',
    ],
    says: [
      '1: reading cpu 4 3f1=0000000000000001 pebs at 2.000000',
      '1: rejected: a message of the kernel cuts into the line (cpu 3)',
    ],
  },
  {
    about: 'banners of other kernels',
    format: 'console',
    lines: [
      '[    0.000000] Linux version 6.12.90-amd64 (debian-kernel@lists) (gcc)',
      '[    0.000000] microcode: microcode updated early to revision 0x49, date = 2021-08-11',
      '[    1.1] z',
      '[    0.700000] microcode: Current revision: 0x2b000603',
      '[    0.700000] microcode: Updated early from: 0x2b000461',
      '[    0.1]',
      '[    0.000000] Hypervisor detected: KVM',
      '[    0.200000] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.',
    ],
    says: [
      'kernel_release=6.12.90-amd64',
      'microcode=0x49',
      'microcode=0x2b000603',
      'hypervisor=KVM',
      'nmi_watchdog=on',
    ],
  },
  {
    about: 'signals and results of LAVA repeat what tests say',
    format: 'console',
    lines: [
      '<LAVA_SIGNAL_STARTRUN 1_x 1.2>',
      'ok 1 a',
      'ok 2 a',
      '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>',
      '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a_dup2 RESULT=pass>',
      '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=fail MEASUREMENT=3 UNITS=ms>',
      '- {"dt": "2026-11-20T10:00:04.000000", "lvl": "results", "msg": {"case": "b", "definition": "1_x", "result": "fail"}}',
    ],
    says: ['2: test pass a', '3: test pass a', '6: test fail 1_x/b (3 ms)'],
  },
  {
    about: 'several keys of one CPU',
    format: 'rdmsr',
    lines: ['cpu=3 3f1=1 38f=f000000ff', 'cpu=4 3f1=1 note', 'cpu=5 IA32_PEBS_ENABLE=0x0'],
    says: [
      '1: reading cpu 3 3f1=0000000000000001',
      '1: reading cpu 3 38f=0000000f000000ff',
      '3: reading cpu 5 3f1=0000000000000000',
      '2: rejected: a reading is "cpu=N 3f1=<hex>" and nothing else (cpu 4)',
    ],
  },
  {
    about: 'set -x and a serial prompt',
    format: 'rdmsr',
    lines: [
      'root@host:~# rdmsr -p 3 0x3f1',
      '+ rdmsr -p 3 0x3f1',
      '1',
      'root@host:~# echo done',
      'done',
    ],
    says: ['3: reading 3f1=0000000000000001'],
  },
  {
    about: 'rdmsr is missing, or locked out',
    format: 'rdmsr',
    lines: ['bash: rdmsr: command not found', 'rdmsr: pread: Input/output error'],
    says: ['1: unreadable (command not found)', '2: unreadable (pread: Input/output error)'],
  },
  {
    about: "the console's other complaints",
    format: 'console',
    lines: [
      '[   10.000000] Lockdown: rdmsr: raw MSR access is restricted; see man kernel_lockdown.7',
      '[   11.000000] msr: Write to unrecognized MSR 0x3f1 by my tool (pid: 7).',
      "[   12.000000] Not enough msr switch entries. Can't add msr 3f1 3",
      '[   13.000000] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]',
    ],
    says: [
      '1: unreadable (raw MSR access is restricted; see man kernel_lockdown.7) at 10.000000',
      '2: device_write msr 3f1 my tool pid 7 at 11.000000',
      '4: fault (general protection fault, probably for non-canonical address 0xdead: 0000 [#1]) at 13.000000',
      "3: rejected: not the whole of the kernel's message",
    ],
  },
  {
    about: 'a LAVA log with colours in its YAML',
    format: 'console',
    lines: [
      '- {"dt": "2026-11-20T10:00:03.000000", "lvl": "target", "msg": "\\x1b[31mcpu=3 3f1=0000000000000001\\e[0m"}',
      '- {"dt": "2026-11-20T10:00:03.000000", "lvl": "input", "msg": "cpu=4 3f1=0000000000000001"}',
    ],
    says: ['1: reading cpu 3 3f1=0000000000000001 at 2026-11-20T10:00:03.000000'],
  },
  {
    about: 'what dmesg and journalctl put in front, in any language',
    format: 'console',
    lines: [
      'kern  :info  : [Fri Nov 20 10:00:01 2026] cpu=0 3f1=1',
      '[  500.000001 <    0.000001>] cpu=1 3f1=1',
      '[ven. nov. 20 10:00:01 2026] cpu=2 3f1=1',
      '[\u4e94 11\u6708 20 10:00:01 2026] cpu=3 3f1=1',
      '1795164001.642700 host-17 kernel: cpu=4 3f1=1',
      'Fri 2026-11-20 10:00:01 UTC host-17 kernel: cpu=5 3f1=1',
      '\u043d\u043e\u044f 20 10:00:01 host-17 kernel: cpu=6 3f1=1',
      '11\u6708 20 10:00:01 host-17 kernel: cpu=7 3f1=1',
    ],
    says: [
      '1: reading cpu 0 3f1=0000000000000001 at Fri Nov 20 10:00:01 2026',
      '2: reading cpu 1 3f1=0000000000000001 at 500.000001',
      '3: reading cpu 2 3f1=0000000000000001 at ven. nov. 20 10:00:01 2026',
      '4: reading cpu 3 3f1=0000000000000001 at \u4e94 11\u6708 20 10:00:01 2026',
      '5: reading cpu 4 3f1=0000000000000001 at 1795164001.642700',
      '6: reading cpu 5 3f1=0000000000000001 at Fri 2026-11-20 10:00:01 UTC',
      '7: reading cpu 6 3f1=0000000000000001 at \u043d\u043e\u044f 20 10:00:01',
      '8: reading cpu 7 3f1=0000000000000001 at 11\u6708 20 10:00:01',
    ],
  },
  {
    about: 'PEBS without a format, and a format that the kernel does not know',
    format: 'console',
    lines: [
      '[    0.155001] Performance Events: XSAVE Architectural LBR, Architectural PEBS, AnyThread deprecated, Panthercove events, 32-deep LBR, full-width counters, Intel PMU driver.',
      '[    0.155001] Performance Events: no PEBS fmt7+, Skylake events, 32-deep LBR, Intel PMU driver.',
    ],
    says: [
      'pmu_driver=Intel',
      'pebs=yes',
      'pmu_events=Panthercove',
      'pmu_driver=Intel',
      'pebs=no',
      'pmu_events=Skylake',
    ],
  },
  {
    about: 'the head of a perf.data',
    format: 'perf-script',
    lines: [
      '# os release : 6.12.90',
      '# nrcpus online : 8',
      '# cpuid : GenuineIntel,6,207,2',
      'rdmsr 5150 [003] 1371.863400: msr:read_msr: 3f1, value 0',
    ],
    says: [
      '4: reading cpu 3 3f1=0000000000000000 rdmsr pid 5150 at 1371.863400',
      'kernel_release=6.12.90',
      'cpus=8',
      'cpu_vendor=GenuineIntel',
      'cpu_family=6',
      'cpu_model=207',
      'cpu_stepping=2',
    ],
  },
  {
    about: 'a loop with dashes, and one that makes JSON',
    format: 'rdmsr',
    lines: ['cpu0 - 1', '{"cpu": 3, "msr": "0x3f1", "value": "0x1"}'],
    says: ['1: reading cpu 0 3f1=0000000000000001', '2: rejected: no value that rdmsr prints'],
  },
  {
    about: 'values in forms that are not read',
    format: 'rdmsr',
    lines: ['# rdmsr -a 0x3f1', '0 0 1 0', 'CPU3: PEBS_ENABLE(0x3f1)=0x1', 'MSR 0x3f1 CPU4 1'],
    says: [
      '2: rejected: no value that rdmsr prints',
      '3: rejected: no value that rdmsr prints (cpu 3)',
      '4: rejected: no value that rdmsr prints (cpu 4)',
    ],
  },
  {
    about: 'perf script without a time is no loop',
    format: 'perf-script',
    lines: ['CPU 0/KVM [003] msr:write_msr: 3f1, value 1'],
    says: ['1: write cpu 3 3f1=0000000000000001 CPU 0/KVM'],
  },
  {
    about: 'a test that runs alone and skips itself',
    format: 'ktap',
    lines: ['TAP version 13', '1..0 # SKIP - requires enable_pmu'],
    says: ['2: test skip 1..0 (requires enable_pmu)'],
  },
];

const said = ({ records, rejects, facts, refused }: Outcome): string[] => [
  ...records.map((record) =>
    record.context === 'unknown' ? brief(record) : `${brief(record)} ${record.context}`,
  ),
  ...rejects.map((reject) => reject.replace(': ', ': rejected: ')),
  ...facts,
  ...(refused === null ? [] : [`refused: ${refused}`]),
];

t.test('shapes of text', async (t) => {
  for (const { about, format, lines, says } of SHAPES) {
    const found = recognise(lines);
    t.equal(found?.name, format, `${about}: recognised`);
    t.strictSame(said(read(found!.makeReader, `${lines.join('\n')}\n`)), says, about);
  }
});

t.test('a text that is cut says nothing that the whole does not say', async (t) => {
  for (const { about, lines } of SHAPES) {
    const text = `${lines.join('\n')}\n`;
    const { makeReader } = recognise(lines)!;
    const whole = read(makeReader, text);
    // What refuses a text may come last.
    if (whole.refused !== null) continue;
    const known = new Set([...whole.records.map(brief), ...whole.facts]);
    const news: string[] = [];
    for (let length = 0; length < text.length; length++) {
      const cut = read(makeReader, text.slice(0, length));
      const saying = [...cut.records.map(brief), ...cut.facts];
      news.push(...saying.filter((what) => !known.has(what)).map((what) => `${length}: ${what}`));
    }
    t.strictSame(news, [], about);
  }
});

t.test("the kernel's lines between those of a loop title nothing", async (t) => {
  const message = 'Nov 20 10:00:01 host-17 kernel: msr: Write to unrecognized MSR 0x38f by wrmsr';
  t.strictSame(said(read(rdmsr, `cpu0 0\n${message}\ncpu1 1\n`)), [
    '1: reading cpu 0 3f1=0000000000000000',
    '3: reading cpu 1 3f1=0000000000000001',
  ]);
});

t.test('facts have names of the closed list', async (t) => {
  const names = SHAPES.flatMap(({ says }) => says).flatMap(
    (line) => /^(?:cpu \d+ )?([\w.]+)=/.exec(line)?.[1] ?? [],
  );
  t.ok(names.includes('cpu_core.general_counters'));
  t.strictSame(
    names.filter((name) => !isFact(name)),
    [],
  );
  t.notOk(isFact('constructor'));
});

t.test('facts of texts that describe a machine', async (t) => {
  t.strictSame(factsOf('uname', '6.12.90-amd64'), [
    { name: 'kernel_release', value: '6.12.90-amd64', cpu: null },
  ]);
  for (const printed of ['Linux 6.12.90', 'Linux 6.12.90 x86_64\n']) {
    t.strictSame(factsOf('uname', printed), [
      { name: 'kernel_release', value: '6.12.90', cpu: null },
    ]);
  }
  t.strictSame(
    factsOf('uname', 'Linux host-17 6.18-rc1 #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux\n'),
    [
      { name: 'kernel_release', value: '6.18-rc1', cpu: null },
      { name: 'kernel_version', value: '#1 SMP PREEMPT_DYNAMIC', cpu: null },
    ],
  );
  t.strictSame(factsOf('cpuinfo', 'processor\t: 3\nstepping\t: 4\nflags\t\t: fpu hypervisor'), [
    { name: 'cpu_stepping', value: '4', cpu: 3 },
    { name: 'hypervisor', value: 'yes', cpu: 3 },
  ]);
  t.strictSame(
    factsOf(
      'dmesg',
      '[    0.5] x\n[    4.692558] microcode: CPU2 sig=0x50654, pf=0x80, revision=0x21',
    ),
    [
      { name: 'cpu_family', value: '6', cpu: 2 },
      { name: 'cpu_model', value: '85', cpu: 2 },
      { name: 'cpu_stepping', value: '4', cpu: 2 },
      { name: 'microcode', value: '0x21', cpu: 2 },
    ],
  );
});

t.test('binary files are known by their first bytes', async (t) => {
  const bytes = (text: string) => Buffer.from(text, 'latin1');
  t.match(binaryFormat(bytes('\x17\x08\x44tracing6\0')), {
    name: 'trace.dat',
    command: /^trace-cmd report/,
  });
  t.match(binaryFormat(bytes('PERFILE2h')), { name: 'perf.data', command: /^perf script/ });
  t.equal(binaryFormat(bytes('PERF')), null);
  t.equal(binaryFormat(bytes('')), null);
});

t.test('nothing is recognised where nothing is', async (t) => {
  t.equal(recognise(['Dear all,', '', 'it works for me.']), null);
  t.equal(new Set(FORMATS.map(({ name }) => name)).size, FORMATS.length, 'names are unique');
});
