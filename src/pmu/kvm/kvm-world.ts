/** The constants KVM works with, on top of perf's. */
import type { KernelVariant, KvmOptions } from '../kernels/kernel-variant.js';
import type { PerfWorld } from '../perf/perf-event.js';
import type { GuestPmuCaps } from './guest-msrs.js';

export interface KvmWorld extends PerfWorld {
  readonly kernel: KernelVariant;
  readonly kvmOptions: KvmOptions;
  /** Free slots in each auto-load area: 8 less what users other than perf hold. */
  readonly autoloadCapacity: number;
  /** By vCPU: what its guest may do with its PMU. */
  readonly guestCaps: readonly GuestPmuCaps[];
}
