/** Closed lists of what is said of an observation. */

/** The formats of formats.ts, by name, and behind them those of documents/formats.ts. */
export const TEXT_FORMATS = [
  'rdmsr',
  'ftrace',
  'perf-script',
  'perf-trace',
  'perf-dump',
  'console',
  'ktap',
  'kut',
  'lkvs',
  'turbostat',
  'bpftrace',
  'perf-json',
  'cpuinfo',
  'kcidb',
  'lava-callback',
  'maestro',
  'pull-labs-job',
  'pull-labs',
  'tuxsuite',
  'lava-results',
  'junit',
] as const;
export type TextFormat = (typeof TEXT_FORMATS)[number];

/** Of a CPU, and of the whole. `none`: nothing of what was read can be judged. */
export const OBSERVED_VERDICTS = [
  'stuck',
  'transient',
  'clean',
  'not_applicable',
  'inconclusive',
  'none',
] as const;
export type ObservedVerdict = (typeof OBSERVED_VERDICTS)[number];

/**
 * Whom the verdict is about. `code`: the code was judged, whether it failed (stuck, transient, a failed test) or not (clean, a
 * passed test). `harness`: the lab has not shown enough to judge the code, or broke. `not_applicable`: there is nothing to judge.
 */
export const OBSERVED_CLASSES = ['code', 'harness', 'not_applicable'] as const;
export type ObservedClass = (typeof OBSERVED_CLASSES)[number];

/**
 * Whether VM-entry and VM-exit load IA32_PEBS_ENABLE from the MSR-load areas: `autoload` is proved by what was recorded; so is
 * `none`, by a thousand round trips with host PEBS on in which KVM did not zero the register.
 */
export const OBSERVED_PATHS = ['autoload', 'none', 'unknown'] as const;
export type ObservedPath = (typeof OBSERVED_PATHS)[number];

export const OBSERVED_RULES = [
  /** KVM zeroes the register between kvm_entry and kvm_exit: it is in the load areas. */
  'R0',
  /** The function that wrote the register is KVM's. */
  'R0b',
  /** No PEBS event is open, and the register is not zero in two reads. */
  'R1',
  /** The register has bits of counters on which perf has no active event. */
  'R2',
  /** The register has bits that perf did not write in the window before. */
  'R3',
  /** What was stuck is gone in a later read. */
  'R4',
  /** The machine cannot have the problem. */
  'R5',
  /** What was sent does not suffice. */
  'R6',
  /** VM-entry enables PEBS in the guest, and loads no DS area for it. */
  'guest_pebs_without_ds_area',
  /** KVM had no room for an MSR in the load areas. */
  'autoload_overflow',
  /** A user wrote the register: later readings say nothing of the kernel. */
  'device_write',
  /** A write of the register faulted: it kept its value. */
  'refused_write',
  /** The machine's kernel faulted after KVM wrote the register. */
  'kernel_fault',
  /** CPUs of the machine have different microcode. */
  'microcode_skew',
  /** The text says different things of the machine. */
  'facts_differ',
  /** perf throttled events and did not unthrottle them: no proof of anything, but where to look. */
  'throttled',
] as const;
export type ObservedRule = (typeof OBSERVED_RULES)[number];

/** Of a test. `error`: the harness, not the code. */
export const TEST_RESULTS = ['pass', 'fail', 'skip', 'error', 'unknown'] as const;

/** What a record says. */
export const RECORD_KINDS = [
  /** What an MSR held when it was read (rdmsr, read_msr, SysRq-p, turbostat). */
  'reading',
  /** A WRMSR that software made. */
  'write',
  'vm_entry',
  'vm_exit',
  /** An NMI's handler ran. */
  'nmi',
  'throttle',
  'unthrottle',
  /** A guest's RDMSR or WRMSR that KVM emulated: no access to the hardware register. */
  'guest_access',
  /** An entry of the lists that KVM loads at VM-entry (`guest`) and VM-exit (`host`). */
  'load_list',
  /** RDPMC: `index` is a counter, not an MSR. */
  'counter_read',
  /** perf's own active_mask, as SysRq-p prints it beside the registers. */
  'active_mask',
  /** Between this line and the next of its kind the readings are one snapshot. */
  'snapshot',
  /** A CPU whose register could not be read. */
  'unreadable',
  /** The kernel reset the PMU of a CPU: what is read afterwards says nothing about before. */
  'pmu_cleared',
  /** A user wrote the MSR through /dev/cpu. */
  'device_write',
  /** KVM found no room in the lists it loads at VM-entry and VM-exit. */
  'list_full',
  /** perf lowered its sample rate, or an NMI handler took too long. */
  'notice',
  /** A sample of a precise event. */
  'precise_sample',
  /** The machine's kernel reported a fault: an Oops, a BUG. */
  'fault',
  /** Records that the tool lost. */
  'loss',
  /** A test's result. */
  'test',
  /** What a document says of the job that it is about; with the result `error`, the lab could not run it. */
  'job',
  /** A test that a job asks for. */
  'task',
  /** Another tracepoint. */
  'event',
] as const;

/** What the CPU was in. */
export const CONTEXTS = ['nmi', 'irq', 'task', 'unknown'] as const;

/** Which of the four fixes a kernel has. */
export const FIX_STATES = ['fixed', 'partly', 'unfixed', 'unknown'] as const;
export type FixState = (typeof FIX_STATES)[number];

/** What is found besides where a machine is identified: some of the rules, and that it is itself a guest. */
export const IDENTITY_FINDINGS = ['R5', 'microcode_skew', 'facts_differ', 'hypervisor'] as const;
export type IdentityFinding = (typeof IDENTITY_FINDINGS)[number];
