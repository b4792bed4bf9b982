/**
 * KVM's view of one vCPU's PMU (`struct kvm_pmu`) and of its MSR auto-load areas and VMCS fields.
 *
 * Models: Linux arch/x86/kvm/{pmu.c,vmx/pmu_intel.c,vmx/vmx.h}, semantics sheet §1.3 and §1.4.
 * Leaves out: counter values, overflow emulation, the mediated vPMU.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { MsrAutoload } from './msr-autoload.js';

export class VcpuPmu {
  /** The guest's IA32_PERF_GLOBAL_CTRL. */
  globalCtrl: CounterSet = 0;
  /** The guest's IA32_PEBS_ENABLE. */
  pebsEnable: CounterSet = 0;
  /** Address identity of the guest's IA32_DS_AREA. */
  dsArea = 0;
  /** Always 0 for real guests: KVM hides PEBS_BASELINE, so the MSR does not exist for them. */
  pebsDataCfg = 0;
  /** Counters the guest has enabled in IA32_PERFEVTSELx.EN or in IA32_FIXED_CTR_CTRL. */
  counterEnable: CounterSet = 0;
  /** `host_cross_mapped_mask`: host counters that back a guest counter of another number. */
  crossMapped: CounterSet = 0;
  /** The logical CPU this vCPU's thread belongs to. */
  cpu = 0;

  readonly autoload = new MsrAutoload();
  /** The VM-entry and VM-exit controls "load IA32_PERF_GLOBAL_CTRL" are on. */
  loadGlobalCtrl = 0;
  /** GUEST_IA32_PERF_GLOBAL_CTRL and HOST_IA32_PERF_GLOBAL_CTRL; kept at 0 while the controls are off. */
  guestGlobalCtrl: CounterSet = 0;
  hostGlobalCtrl: CounterSet = 0;

  copyFrom(from: VcpuPmu): void {
    this.globalCtrl = from.globalCtrl;
    this.pebsEnable = from.pebsEnable;
    this.dsArea = from.dsArea;
    this.pebsDataCfg = from.pebsDataCfg;
    this.counterEnable = from.counterEnable;
    this.crossMapped = from.crossMapped;
    this.cpu = from.cpu;
    this.autoload.copyFrom(from.autoload);
    this.loadGlobalCtrl = from.loadGlobalCtrl;
    this.guestGlobalCtrl = from.guestGlobalCtrl;
    this.hostGlobalCtrl = from.hostGlobalCtrl;
  }
}
