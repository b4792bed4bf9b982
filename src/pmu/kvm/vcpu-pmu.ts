/**
 * KVM's view of one vCPU's PMU (`struct kvm_pmu`) and of its MSR auto-load areas and VMCS fields.
 *
 * Models: Linux arch/x86/kvm/{pmu.c,vmx/pmu_intel.c,vmx/vmx.h}, semantics.md §1.3, §1.4 and §3.5.
 * Leaves out: counter values, overflows of emulated instructions, the guest's LVTPC (its PMI is never masked), the
 * mediated vPMU.
 */
import { DS_BUFFER_OVERFLOW } from '../arch/selector.js';
import { recordOf } from '../fields/record.js';
import type { OverflowHandler } from '../perf/perf-event.js';
import { MsrAutoload } from './msr-autoload.js';

/** `KVM_REQ_PMI`: an overflow asks for a PMI, which KVM hands to the guest's APIC before the next run. */
export const PMI_REQUESTED = 1;
/** The guest's APIC has it, and the next VM-entry injects it. */
export const PMI_PENDING = 2;

export class VcpuPmu
  extends recordOf(
    {
      /** The logical CPU this vCPU's thread belongs to. */
      cpu: { kind: 'cpu', name: 'CPU' },
      dsArea: { kind: 'address', name: "the guest's IA32_DS_AREA" },
      globalCtrl: {
        kind: 'guest_counters',
        name: "the guest's IA32_PERF_GLOBAL_CTRL",
        kept: 'guests',
      },
      pebsEnable: { kind: 'guest_counters', name: "the guest's IA32_PEBS_ENABLE", kept: 'guests' },
      /** Counters the guest has enabled in IA32_PERFEVTSELx.EN or in IA32_FIXED_CTR_CTRL. */
      counterEnable: { kind: 'guest_counters', name: 'guest counters enabled', kept: 'guests' },
      /** Guest counters that overflowed, whose events KVM pauses and resumes before the next run. */
      reprogram: { kind: 'guest_counters', name: 'reprogram_pmi', kept: 'guest_overflows' },
      /** Host counters that back a guest counter of another number. */
      crossMapped: { kind: 'counters', name: 'host_cross_mapped_mask', kept: 'guests' },
      /** The VM-entry and VM-exit controls "load IA32_PERF_GLOBAL_CTRL" are on. */
      loadGlobalCtrl: { kind: 'number', width: 1, name: 'load IA32_PERF_GLOBAL_CTRL' },
      /** Both are kept at 0 while the controls are off. */
      guestGlobalCtrl: { kind: 'global_ctrl', name: 'GUEST_IA32_PERF_GLOBAL_CTRL' },
      hostGlobalCtrl: { kind: 'global_ctrl', name: 'HOST_IA32_PERF_GLOBAL_CTRL' },
      /** Always 0 for real guests: KVM hides PEBS_BASELINE, so the MSR does not exist for them. */
      pebsDataCfg: { kind: 'data_cfg', name: "the guest's MSR_PEBS_DATA_CFG", kept: 'constant' },
      /** Bit 62 as DS_BUFFER_OVERFLOW. Only the guest looks at it, and nobody acts on what it sees. */
      globalStatus: {
        kind: 'guest_counters',
        name: "the guest's IA32_PERF_GLOBAL_STATUS",
        kept: 'forgotten',
      },
      /** PMI_REQUESTED and PMI_PENDING, or neither. */
      pmi: { kind: 'number', width: 2, name: 'PMI on its way to the guest', kept: 'forgotten' },
      /** Counters whose overflow is to raise a PMI: IA32_PERFEVTSELx.INT, or the PMI bits of IA32_FIXED_CTR_CTRL. */
      counterInt: { kind: 'guest_counters', name: 'guest counters with a PMI', kept: 'constant' },
      /** Counters with IA32_PERFEVTSELx.IN_TX or IN_TXCP, which perf refuses together with PEBS. */
      inTransaction: {
        kind: 'guest_counters',
        name: 'guest counters with IN_TX',
        kept: 'constant',
      },
      /** Counters with IN_TXCP. */
      checkpointed: {
        kind: 'guest_counters',
        name: 'guest counters with IN_TXCP',
        kept: 'constant',
      },
    },
    { autoload: MsrAutoload },
  )
  implements OverflowHandler
{
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
}
