/**
 * The software steps of one VM-entry and VM-exit that touch the PMU: k3 to k5 before, the proposals' steps around them.
 *
 * Models: `vmx_vcpu_run` and `atomic_switch_perf_msrs` (Linux 6.12.117 arch/x86/kvm/vmx/vmx.c), semantics.md §4 and §5e.
 * Steps without effect on the PMU (k0–k2, k6–k9, k11–k13) have no function: they are only places where an NMI may land.
 * Leaves out: EFER, LBR pass-through, PT, DEBUGCTL.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { GLOBAL_CTRL, KVM_WRMSR, PEBS_ENABLE } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import { type CpuHwEvents, hostGlobalCtrl } from '../perf/cpu-hw-events.js';
import { type GuestPebs, readMasks, type SwitchInput } from '../perf/guest-switch.js';
import { wrmsrPebsEnable } from '../perf/pebs-enable.js';
import {
  counterSet,
  isScheduled,
  NO_COUNTER,
  type PerfCpu,
  type PerfEvent,
} from '../perf/perf-event.js';
import type { SwitchList } from '../perf/switch-list.js';
import type { KvmWorld } from './kvm-world.js';
import { PMI_PENDING, PMI_REQUESTED, type VcpuPmu } from './vcpu-pmu.js';

/** k0: the guest's APIC takes the PMI that an overflow asked for (`kvm_pmu_deliver_pmi`). */
export function deliverPmi(vcpu: VcpuPmu): void {
  if (vcpu.pmi & PMI_REQUESTED) {
    vcpu.pmi = PMI_PENDING;
  }
}

/** V3: VM-entry injects it. One that was asked for since k0 waits for the next run. */
export function injectPmi(vcpu: VcpuPmu, sink: WriteSink): void {
  if (vcpu.pmi & PMI_PENDING) {
    vcpu.pmi &= ~PMI_PENDING;
    sink.guestPmis += 1;
  }
}

/** k3: which host counters back a guest counter of another number (`intel_pmu_cross_mapped_check`). */
export function crossMappedCounters(
  world: KvmWorld,
  events: readonly PerfEvent[],
  vcpu: VcpuPmu,
  vcpuIndex: number,
  cpu: PerfCpu,
): CounterSet {
  if ((vcpu.pebsEnable & vcpu.globalCtrl) === 0) {
    return 0;
  }
  let crossMapped: CounterSet = 0;
  for (let at = 0; at < events.length; at += 1) {
    const config = world.eventConfigs[at]!;
    const event = events[at]!;
    if (config.owner !== vcpuIndex || !isScheduled(event, cpu) || event.counter === NO_COUNTER) {
      continue;
    }
    const enabled = (vcpu.globalCtrl & (1 << config.guestCounter)) !== 0;
    if (enabled && event.counter !== config.guestCounter) {
      crossMapped |= counterSet(event);
    }
  }
  return crossMapped;
}

/** Proposals e1 to e3, before k4: IA32_PERF_GLOBAL_CTRL := 0, and for e2 and e3 the PMU counts as off. */
export function zeroGlobalCtrl(world: KvmWorld, cpu: PerfCpu, sink: WriteSink): void {
  if (world.kvmOptions.zeroGlobalCtrl !== 'write') {
    cpu.cpuc.enabled = 0;
  }
  cpu.hardware.globalCtrl = 0;
  sink.write(GLOBAL_CTRL, KVM_WRMSR, 0, 'zero');
}

/** k4, first half: perf reads its masks. */
export function beginList(world: KvmWorld, cpu: PerfCpu): void {
  readMasks(cpu.cpuc.guestSwitchMsrs, cpu.cpuc, world.caps);
}

/** The argument of the switch function, reused so that building a list allocates nothing. */
let input: { -readonly [Field in keyof SwitchInput]: SwitchInput[Field] } | undefined;

/** k4, second half: the kernel's own switch function completes the list. */
export function finishList(
  world: KvmWorld,
  list: SwitchList,
  cpuc: CpuHwEvents,
  guest: GuestPebs | null,
  noIsolation: boolean,
): CounterSet {
  input ??= { caps: world.caps, noIsolation, cpuc, guest };
  input.caps = world.caps;
  input.cpuc = cpuc;
  input.guest = guest;
  input.noIsolation = noIsolation;
  return world.kernel.finishList(list, input);
}

/**
 * k5, one entry: `clear_atomic_switch_msr` when host and guest agree, `add_atomic_switch_msr` when not. Adding
 * IA32_PEBS_ENABLE first writes 0 to it, on every run, so that PEBS is quiet before VM-entry.
 */
export function switchMsr(
  world: KvmWorld,
  cpu: PerfCpu,
  vcpu: VcpuPmu,
  msr: number,
  sink: WriteSink,
): void {
  const list = cpu.cpuc.guestSwitchMsrs;
  const host = list.host[msr]!;
  const guest = list.guest[msr]!;
  const useField = msr === GLOBAL_CTRL && world.caps.loadPerfGlobalCtrl;
  // A kernel that zeroed IA32_PERF_GLOBAL_CTRL must have it loaded on both sides, equal or not (§5e).
  const forced = msr === GLOBAL_CTRL && world.kvmOptions.zeroGlobalCtrl !== 'no';
  if (host === guest && !forced) {
    if (useField) {
      vcpu.loadGlobalCtrl = 0;
      vcpu.guestGlobalCtrl = 0;
      vcpu.hostGlobalCtrl = 0;
    } else {
      vcpu.autoload.clear(msr);
    }
    return;
  }
  if (useField) {
    vcpu.loadGlobalCtrl = 1;
    vcpu.guestGlobalCtrl = guest;
    vcpu.hostGlobalCtrl = host;
    return;
  }
  if (msr === PEBS_ENABLE) {
    cpu.hardware.pebsEnable = 0;
    sink.write(PEBS_ENABLE, KVM_WRMSR, 0, 'k5');
  }
  vcpu.autoload.add(msr, host, guest, world.autoloadCapacity);
}

/** Proposals e2 and e3, after the exit loads: the PMU counts as on again. A failed VMLAUNCH loaded nothing, so restore by hand. */
export function restorePmu(world: KvmWorld, cpu: PerfCpu, entered: boolean, sink: WriteSink): void {
  cpu.cpuc.enabled = 1;
  if (!entered) {
    const value = hostGlobalCtrl(cpu.cpuc, world.caps.intelCtrl);
    cpu.hardware.globalCtrl = value;
    sink.write(GLOBAL_CTRL, KVM_WRMSR, value, 'restore');
  }
}

/** Proposal f, after the exit loads: IA32_PEBS_ENABLE := what perf wants, if the list held anything else. */
export function fixUpPebsEnable(
  world: KvmWorld,
  cpu: PerfCpu,
  vcpu: VcpuPmu,
  sink: WriteSink,
): void {
  const listed = vcpu.autoload.has(PEBS_ENABLE);
  if (listed && vcpu.autoload.host[PEBS_ENABLE] !== cpu.cpuc.pebsEnabled) {
    wrmsrPebsEnable(world, cpu, cpu.cpuc.pebsEnabled, KVM_WRMSR, 'fix_up', sink);
  }
}
