/**
 * KVM's view of one vCPU's PMU (`struct kvm_pmu`) and of its MSR auto-load areas and VMCS fields.
 *
 * Models: Linux arch/x86/kvm/{pmu.c,vmx/pmu_intel.c,vmx/vmx.h}, semantics.md §1.3, §1.4 and §3.5.
 * Leaves out: counter values, overflows of emulated instructions, the guest's LVTPC (its PMI is never masked), the
 * mediated vPMU.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { DS_BUFFER_OVERFLOW } from '../arch/selector.js';
import type { OverflowHandler } from '../perf/perf-event.js';
import { MsrAutoload } from './msr-autoload.js';

/** `KVM_REQ_PMI`: an overflow asks for a PMI, which KVM hands to the guest's APIC before the next run. */
export const PMI_REQUESTED = 1;
/** The guest's APIC has it, and the next VM-entry injects it. */
export const PMI_PENDING = 2;

export class VcpuPmu implements OverflowHandler {
  /** The guest's IA32_PERF_GLOBAL_CTRL. */
  globalCtrl: CounterSet = 0;
  /** The guest's IA32_PEBS_ENABLE. */
  pebsEnable: CounterSet = 0;
  /** Address identity of the guest's IA32_DS_AREA. */
  dsArea = 0;
  /** Always 0 for real guests: KVM hides PEBS_BASELINE, so the MSR does not exist for them. */
  pebsDataCfg = 0;
  /** The guest's IA32_PERF_GLOBAL_STATUS; bit 62 as DS_BUFFER_OVERFLOW. */
  globalStatus: CounterSet = 0;
  /** Counters the guest has enabled in IA32_PERFEVTSELx.EN or in IA32_FIXED_CTR_CTRL. */
  counterEnable: CounterSet = 0;
  /** Counters whose overflow is to raise a PMI: IA32_PERFEVTSELx.INT, or the PMI bits of IA32_FIXED_CTR_CTRL. */
  counterInt: CounterSet = 0;
  /** Counters with IA32_PERFEVTSELx.IN_TX or IN_TXCP, which perf refuses together with PEBS. */
  inTransaction: CounterSet = 0;
  /** Counters with IN_TXCP. */
  checkpointed: CounterSet = 0;
  /** `reprogram_pmi`: guest counters that overflowed, whose events KVM pauses and resumes before the next run. */
  reprogram: CounterSet = 0;
  /** PMI_REQUESTED and PMI_PENDING, or neither. */
  pmi = 0;
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

  /**
   * `kvm_perf_overflow`: the overflow handler of the event behind a guest counter. A PEBS counter sets bit 62, and no PMI
   * is due while the guest has not cleared it.
   */
  overflowed(guestCounter: number, pebs: boolean): void {
    const bit = 1 << guestCounter;
    if (this.reprogram & bit) {
      return;
    }
    this.reprogram |= bit;
    const isRaised = pebs && (this.globalStatus & DS_BUFFER_OVERFLOW) !== 0;
    this.globalStatus |= pebs ? DS_BUFFER_OVERFLOW : bit;
    if (this.counterInt & bit && !isRaised) {
      this.pmi |= PMI_REQUESTED;
    }
  }

  copyFrom(from: VcpuPmu): void {
    this.globalCtrl = from.globalCtrl;
    this.pebsEnable = from.pebsEnable;
    this.dsArea = from.dsArea;
    this.pebsDataCfg = from.pebsDataCfg;
    this.globalStatus = from.globalStatus;
    this.counterEnable = from.counterEnable;
    this.counterInt = from.counterInt;
    this.inTransaction = from.inTransaction;
    this.checkpointed = from.checkpointed;
    this.reprogram = from.reprogram;
    this.pmi = from.pmi;
    this.crossMapped = from.crossMapped;
    this.cpu = from.cpu;
    this.autoload.copyFrom(from.autoload);
    this.loadGlobalCtrl = from.loadGlobalCtrl;
    this.guestGlobalCtrl = from.guestGlobalCtrl;
    this.hostGlobalCtrl = from.hostGlobalCtrl;
  }
}
