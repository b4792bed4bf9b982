/**
 * What the hardware does on VM-entry and VM-exit: V1, V2, V5, V6.
 *
 * Models: SDM vol. 3, "Loading Guest State", "Loading MSRs" (VM entries and VM exits); semantics.md §4. The VMCS
 * field of IA32_PERF_GLOBAL_CTRL is loaded with the guest or host state, strictly before the MSR-load area, which is
 * processed in array order.
 * A reserved bit in a value to load is a VMX abort on the way out ("VMX Aborts"). On the way in it would be a failed
 * VM-entry; no kernel here puts one there.
 * Leaves out: the MSR-store area.
 */
import { loadMsr } from '../arch/hardware.js';
import { GLOBAL_CTRL, VM_ENTRY_LOAD, VM_EXIT_LOAD, VMCS_FIELD } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import type { PerfCpu, PerfWorld } from '../perf/perf-event.js';
import type { VcpuPmu } from './vcpu-pmu.js';

/** V1: loads guest state; IA32_PERF_GLOBAL_CTRL only under its VM-entry control. */
export function loadGuestState(cpu: PerfCpu, vcpu: VcpuPmu, sink: WriteSink): void {
  if (vcpu.loadGlobalCtrl) {
    cpu.hardware.globalCtrl = vcpu.guestGlobalCtrl;
    sink.write(GLOBAL_CTRL, VMCS_FIELD, vcpu.guestGlobalCtrl, 'v1');
  }
}

/** V2: loads the VM-entry MSR-load area. */
export function loadEntryArea(cpu: PerfCpu, vcpu: VcpuPmu, sink: WriteSink): void {
  const { order, guest, count } = vcpu.autoload;
  for (let slot = 0; slot < count; slot += 1) {
    const msr = order[slot]!;
    loadMsr(cpu.hardware, msr, guest[msr]!);
    sink.write(msr, VM_ENTRY_LOAD, guest[msr]!, 'v2');
  }
}

/** V5: loads host state; IA32_PERF_GLOBAL_CTRL only under its VM-exit control. */
export function loadHostState(cpu: PerfCpu, vcpu: VcpuPmu, sink: WriteSink): void {
  if (vcpu.loadGlobalCtrl) {
    cpu.hardware.globalCtrl = vcpu.hostGlobalCtrl;
    sink.write(GLOBAL_CTRL, VMCS_FIELD, vcpu.hostGlobalCtrl, 'v5');
  }
}

/** V6: loads the VM-exit MSR-load area, and says whether every register took its value; the first refusal is a VMX abort. */
export function loadExitArea(
  { caps }: PerfWorld,
  cpu: PerfCpu,
  vcpu: VcpuPmu,
  sink: WriteSink,
): boolean {
  const { order, host, count } = vcpu.autoload;
  for (let slot = 0; slot < count; slot += 1) {
    const msr = order[slot]!;
    if ((host[msr]! & caps.reserved[msr]!) !== 0) {
      return false;
    }
    loadMsr(cpu.hardware, msr, host[msr]!);
    sink.write(msr, VM_EXIT_LOAD, host[msr]!, 'v6');
  }
  return true;
}
