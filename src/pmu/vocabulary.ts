/** The closed lists of the machine that JSON names too. Constants only: schemas list them. */

/** How many logical CPUs a machine has at most. */
export const CPUS_MAX = 8;

/** By what PEBS means to a kernel on it; `platformClass` says which one a CPU model is. */
export const PLATFORM_CLASSES = ['K1', 'K2', 'K3', 'K4'] as const;
export type PlatformClass = (typeof PLATFORM_CLASSES)[number];

/** How a write reaches an MSR; the codes are places in this list. */
export const VIA_NAMES = [
  'kvm_wrmsr',
  'perf_wrmsr',
  'vm_entry_load',
  'vm_exit_load',
  'vmcs_field',
] as const;
export type ViaName = (typeof VIA_NAMES)[number];

/** What a logical CPU is doing, by code; perf's operations and the run of a vCPU. */
export const OPERATION_NAMES = [
  'idle',
  'run_vcpu',
  'pmu_section',
  'enable_event',
  'disable_event',
  'close_event',
  'tick',
  'sched_out',
  'sched_in',
  'pause_event',
  'resume_event',
] as const;
export type OperationName = (typeof OPERATION_NAMES)[number];

/** Why the guest is left, or never entered. */
export const EXIT_REASONS = [
  'external_interrupt',
  'nmi',
  'hlt',
  'fastpath_reenter',
  'vmfail',
  'entry_failure',
] as const;
export type ExitReasonName = (typeof EXIT_REASONS)[number];

/** What perf_event_open(2) can say. */
export const ERRNOS = ['EINVAL', 'EBUSY', 'EOPNOTSUPP'] as const;
export type Errno = (typeof ERRNOS)[number];
