/** What must come of each capture; EXPECT.md beside them says why. What is not said is empty, and the path unknown. */

export interface Expected {
  readonly format: string;
  readonly path?: string;
  readonly verdict: string;
  readonly class: string;
  readonly cpus?: Readonly<Record<number, string>>;
  /** `rule verdict cpu bits [lines]`. */
  readonly findings?: readonly string[];
  /** Numbers of lines. */
  readonly rejected?: readonly number[];
  readonly losses?: readonly string[];
}

export const EXPECTED: Readonly<Record<string, Expected>> = {
  'bpftrace-json-lines.json': {"format":"bpftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 - [6]","R6 inconclusive - - [6]"],"losses":["- 17"]},
  'bpftrace-text.txt': {"format":"bpftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 - [3]"]},
  'cpuid-raw.txt': {"format":"cpuinfo","verdict":"none","class":"not_applicable","findings":["facts_differ none - - [4,7]","facts_differ none - - [4,7]","facts_differ none - - [4,7]","facts_differ none - - [4,7]","facts_differ none - - [4,7]"]},
  'cpuinfo-cometlake.txt': {"format":"cpuinfo","verdict":"none","class":"not_applicable"},
  'cpuinfo-coreboot-console.txt': {"format":"console","verdict":"none","class":"not_applicable"},
  'cpuinfo-microcode-skew.txt': {"format":"cpuinfo","verdict":"none","class":"not_applicable","findings":["microcode_skew none - - [6,13]"]},
  'dmesg-msr-device-write.txt': {"format":"console","verdict":"inconclusive","class":"harness","findings":["device_write inconclusive - - [1]"]},
  'dmesg-pmu-host.txt': {"format":"console","verdict":"none","class":"not_applicable"},
  'dmesg-pmu-variants.txt': {"format":"console","verdict":"none","class":"not_applicable","findings":["R5 not_applicable - - [2]","R5 not_applicable - - [3]","R5 not_applicable - - [5]","facts_differ none - - [1,2,3]","facts_differ none - - [5,6]","facts_differ none - - [1,4,6]","facts_differ none - - [1,4,6]"]},
  'dmesg-quoted-printable.txt': {"format":"console","verdict":"none","class":"not_applicable"},
  'dmesg-throttle-notices.txt': {"format":"console","verdict":"none","class":"not_applicable"},
  'dmesg-unchecked-wrmsr-kvm.txt': {"format":"console","path":"autoload","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - - [2]","R0b none - - [2]","autoload_overflow none - - [1]","refused_write none - - [2]"]},
  'ftrace-decode-msr-names.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive"},"findings":["R6 inconclusive 0 - [2]"]},
  'ftrace-dmesg-spliced.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"2":"inconclusive"},"findings":["R6 inconclusive 2 - [8]"],"rejected":[6]},
  'ftrace-flags-hex-depth.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"1":"inconclusive","2":"inconclusive"},"findings":["R6 inconclusive 1 PMC0+FIXED0+FIXED1 [4]","R6 inconclusive 2 - [1]"]},
  'ftrace-gp-suffix.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"2":"inconclusive"},"findings":["R6 inconclusive 2 - [3]","refused_write none 2 - [1]"]},
  'ftrace-header-overrun.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 - [3]","R6 inconclusive - - [3]"],"losses":["- 455842"]},
  'ftrace-kvm-load-list.txt': {"format":"ftrace","path":"autoload","verdict":"none","class":"not_applicable","findings":["R0 none 0 - [5]","guest_pebs_without_ds_area none 0 PMC0 [3,5]"]},
  'ftrace-kvm-msr-guest-access.txt': {"format":"ftrace","verdict":"none","class":"not_applicable"},
  'ftrace-latency-format.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 - [11]"]},
  'ftrace-lost-events.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive","4":"inconclusive","5":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [2]","R6 inconclusive 4 - [6]","R6 inconclusive 5 - [5]"],"losses":["3 1234","5 -"]},
  'ftrace-mail-wrapped.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive"},"findings":["R6 inconclusive 0 - [3]"]},
  'ftrace-names-noprefix.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - - [3,5]"]},
  'ftrace-noflags-short-comm.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"2":"inconclusive"},"findings":["R6 inconclusive 2 - [4]"]},
  'ftrace-rt-7flags.txt': {"format":"ftrace","path":"autoload","verdict":"inconclusive","class":"harness","cpus":{"11":"inconclusive"},"findings":["R6 inconclusive 11 - [11]","R0 none 11 - [10,11,13]"]},
  'ftrace-tgid.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"1":"inconclusive","5":"inconclusive","6":"inconclusive"},"findings":["R6 inconclusive 1 - [1]","R6 inconclusive 5 - [2]","R6 inconclusive 6 PMC0 [3]"]},
  'ftrace-trace-header.txt': {"format":"ftrace","path":"autoload","verdict":"stuck","class":"code","cpus":{"3":"stuck","4":"inconclusive"},"findings":["R3 stuck 3 PMC0 [13,15,17,18]","R6 inconclusive 4 - [20]","R0 none 3 - [13,14,17]"]},
  'ftrace-truncated-head.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [3]"],"rejected":[1]},
  'ftrace-truncated-tail.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 - [2]"],"rejected":[3]},
  'kselftest-lava-nested.txt': {"format":"console","verdict":"none","class":"code"},
  'ktap-kunit-indent.txt': {"format":"console","verdict":"none","class":"code"},
  'kut-pmu_pebs-fail.txt': {"format":"kut","verdict":"none","class":"code"},
  'kut-run_tests-ansi.txt': {"format":"kut","verdict":"none","class":"harness"},
  'kut-skip-reasons.txt': {"format":"kut","verdict":"not_applicable","class":"not_applicable"},
  'lava-log-split-signal.txt': {"format":"console","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [4]"],"rejected":[5]},
  'lkvs-results.txt': {"format":"lkvs","verdict":"none","class":"code"},
  'perf-data-json.json': {"format":"perf-json","verdict":"none","class":"harness","rejected":[3]},
  'perf-dump-lost.txt': {"format":"perf-dump","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive","5":"inconclusive"},"findings":["R6 inconclusive 3 - [2]","R6 inconclusive 5 - [3]"],"losses":["3 42","5 7"]},
  'perf-dump-throttle.txt': {"format":"perf-dump","verdict":"none","class":"not_applicable","findings":["throttled none 5 - [5]"]},
  'perf-prof-wallclock.txt': {"format":"perf-script","verdict":"inconclusive","class":"harness","cpus":{"17":"inconclusive"},"findings":["R6 inconclusive 17 - [3]"]},
  'perf-script-callchain.txt': {"format":"perf-script","path":"autoload","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 - [1]","R0b none 3 - [1]"]},
  'perf-script-default.txt': {"format":"perf-script","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [3,6]"]},
  'perf-script-nocomm.txt': {"format":"perf-script","verdict":"inconclusive","class":"harness","cpus":{"1":"inconclusive"},"findings":["R6 inconclusive 1 - [2]"]},
  'perf-trace-relative.txt': {"format":"perf-trace","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - - [1,2]"]},
  'rdmsr-all-plain.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - PMC0+FIXED0 [4,6]"]},
  'rdmsr-decimal.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - PMC0+PMC2+PMC3+FIXED0 [3,4]"]},
  'rdmsr-errors.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","1":"inconclusive","2":"inconclusive","3":"inconclusive","9":"inconclusive","10":"inconclusive"},"findings":["R6 inconclusive 0 - [1]","R6 inconclusive 1 - [2]","R6 inconclusive 2 - [6]","R6 inconclusive 3 - [7]","R6 inconclusive 9 - [3]","R6 inconclusive 10 - [4]"],"rejected":[6]},
  'rdmsr-loop-cpu-equals.txt': {"format":"rdmsr","verdict":"stuck","class":"code","cpus":{"0":"clean","1":"clean","2":"clean","3":"stuck"},"findings":["R1 stuck 3 PMC0 [1,5,6,10]"]},
  'rdmsr-loop-healed.txt': {"format":"rdmsr","verdict":"transient","class":"code","cpus":{"5":"transient"},"findings":["R4 transient 5 PMC2 [1,2,3,4,6]"]},
  'rdmsr-loop-in-use.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","1":"inconclusive"},"findings":["R6 inconclusive 0 PMC0+PMC1 [2]","R6 inconclusive 1 PMC0+PMC1 [3]"]},
  'rdmsr-many-msrs-no-cpu.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - PMC0 [5]"]},
  'rdmsr-od-little-endian.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","3":"inconclusive"},"findings":["R6 inconclusive 0 - [2]","R6 inconclusive 3 PMC0+FIXED1 [3]"]},
  'rdmsr-table-columns.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","1":"inconclusive","14":"inconclusive","15":"inconclusive"},"findings":["R6 inconclusive 0 - [3]","R6 inconclusive 1 PMC1 [4]","R6 inconclusive 14 - [5]","R6 inconclusive 15 - [6]"],"rejected":[5]},
  'rdmsr-terminal-ansi.txt': {"format":"rdmsr","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","1":"inconclusive","2":"inconclusive","3":"inconclusive"},"findings":["R6 inconclusive 0 - [4]","R6 inconclusive 1 - [5]","R6 inconclusive 2 PMC0 [6]","R6 inconclusive 3 - [7]"]},
  'sysrq-callerid-interleaved.txt': {"format":"console","verdict":"stuck","class":"code","cpus":{"3":"stuck","5":"inconclusive"},"findings":["R2 stuck 3 PMC0 [1,3]","R6 inconclusive 5 PMC1 [4]"]},
  'sysrq-irq-loop-stuck.txt': {"format":"console","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive"},"findings":["R6 inconclusive 0 - [13]"]},
  'sysrq-journal-prefix.txt': {"format":"console","verdict":"inconclusive","class":"harness","cpus":{"5":"inconclusive"},"findings":["R6 inconclusive 5 FIXED0 [3]"]},
  'sysrq-no-pebs-line.txt': {"format":"console","verdict":"not_applicable","class":"not_applicable","cpus":{"10":"not_applicable"},"findings":["R5 not_applicable 10 - [1]"]},
  'sysrq-old-cpu-pebs-quirk.txt': {"format":"console","verdict":"inconclusive","class":"harness","cpus":{"1":"inconclusive"},"findings":["R6 inconclusive 1 PMC0+FIXED0+FIXED1+PEBS_PRECISE_STORE [2]"]},
  'sysrq-stuck.txt': {"format":"console","verdict":"stuck","class":"code","cpus":{"3":"stuck"},"findings":["R2 stuck 3 PMC0 [7,9]"]},
  'syzkaller-console.txt': {"format":"console","path":"autoload","verdict":"inconclusive","class":"harness","findings":["R6 inconclusive - - [3]","R0b none - - [3]","refused_write none - - [3]","kernel_fault none - - [3,5]","kernel_fault none - - [3,6]"]},
  'tap13-lava-export.txt': {"format":"console","verdict":"inconclusive","class":"code","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [8]"]},
  'tracecmd-report-flags.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"1":"inconclusive"},"findings":["R6 inconclusive 1 - [5]"],"losses":["1 87"]},
  'tracecmd-report.txt': {"format":"ftrace","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [7,9]"]},
  'turbostat-add-raw.txt': {"format":"turbostat","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","3":"inconclusive"},"findings":["R6 inconclusive 0 - [4]","R6 inconclusive 3 PMC0 [5]"]},
  'turbostat-summary-only.txt': {"format":"turbostat","verdict":"none","class":"harness","rejected":[2,3]},
  'turbostat-u32-truncates.txt': {"format":"turbostat","verdict":"inconclusive","class":"harness","cpus":{"3":"inconclusive"},"findings":["R6 inconclusive 3 PMC0 [3]"]},
  'turbostat-with-preamble.txt': {"format":"turbostat","verdict":"inconclusive","class":"harness","cpus":{"0":"inconclusive","32":"inconclusive","64":"inconclusive"},"findings":["R6 inconclusive 0 - [9]","R6 inconclusive 32 - [11]","R6 inconclusive 64 PMC1 [10]"]},
};
