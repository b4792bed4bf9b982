/** The constants KVM works with, on top of perf's. */
import type { KernelVariant, KvmOptions } from '../kernels/kernel-variant.js';
import type { CpuHwEvents } from '../perf/cpu-hw-events.js';
import type { GuestPebs } from '../perf/guest-switch.js';
import type { PerfWorld } from '../perf/perf-event.js';

export interface KvmWorld extends PerfWorld {
  readonly kernel: KernelVariant;
  readonly kvmOptions: KvmOptions;
  /** Free slots in each auto-load area: 8 less what users other than perf hold. */
  readonly autoloadCapacity: number;
  /** The argument of the switch function, reused so that building a list allocates nothing. */
  readonly switchInput: {
    caps: PerfWorld['caps'];
    noIsolation: boolean;
    cpuc: CpuHwEvents;
    guest: GuestPebs | null;
  };
}
