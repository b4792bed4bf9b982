/** Where each micro-step stands in Linux or the SDM, for people who read a trace beside the source. */

import * as step from './micro-step.js';
import { STEP_CODES } from './micro-step.js';

const CORE = 'arch/x86/events/core.c';
const INTEL = 'arch/x86/events/intel/core.c';
const VMX = 'arch/x86/kvm/vmx/vmx.c';
const X86 = 'arch/x86/kvm/x86.c';

const sources = new Array<string>(STEP_CODES).fill(`${VMX} vmx_vcpu_run()`);
for (const [code, source] of [
  [step.D1, `${CORE} x86_pmu_disable()`],
  [step.D2, `${INTEL} __intel_pmu_disable_all()`],
  [step.D4, `${INTEL} intel_pmu_disable_all(), intel/ds.c intel_pmu_pebs_disable_all()`],
  [step.BODY, `${CORE} x86_pmu_add(), x86_pmu_del() or x86_pmu_start()`],
  [step.BODY_OTHER, `${CORE} x86_pmu_add() or x86_pmu_del()`],
  [step.BODY_ADJUST, 'kernel/events/core.c perf_adjust_freq_unthr_events()'],
  [step.E1_STOP, `${CORE} x86_pmu_enable() with x86_pmu_stop()`],
  [step.E1, `${CORE} x86_pmu_enable() with x86_pmu_start()`],
  [step.E1_OTHER, `${CORE} x86_pmu_enable() with x86_pmu_start()`],
  [step.E2, `${CORE} x86_pmu_enable()`],
  [step.E3_READ, 'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all(), the load'],
  [step.E3_WRITE, 'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all(), the WRMSR'],
  [step.E5_READ, `${INTEL} __intel_pmu_enable_all(), the load of fixed_ctrl_val`],
  [step.E5_WRITE, `${INTEL} __intel_pmu_enable_all(), the WRMSR`],
  [step.E5, `${INTEL} __intel_pmu_enable_all(), active_fixed_ctrl_val is set`],
  [step.E6_READ, `${INTEL} __intel_pmu_enable_all(), the load of intel_ctrl_guest_mask`],
  [step.E6, `${INTEL} __intel_pmu_enable_all(), the WRMSR`],
  [step.K0, `${X86} vcpu_enter_guest()`],
  [step.K1, `${X86} vcpu_enter_guest()`],
  [step.K3, `${VMX} atomic_switch_perf_msrs() with intel_pmu_cross_mapped_check()`],
  [step.K4_READ, `${INTEL} intel_guest_get_msrs(), the first read of pebs_enabled`],
  [step.K4_LIST, `${INTEL} intel_guest_get_msrs()`],
  ...[0, 1, 2, 3].map((msr) => [step.K5 + msr, `${VMX} atomic_switch_perf_msrs()`] as const),
  [step.K9, `${VMX} vmx_vcpu_enter_exit(): VMLAUNCH or VMRESUME`],
  [step.V1, 'SDM vol. 3, Loading Guest State'],
  [step.V2, 'SDM vol. 3, VM Entries: Loading MSRs'],
  [step.V3, 'SDM vol. 3, Event Injection'],
  [step.GUEST, 'the guest runs'],
  [step.V4, 'SDM vol. 3, Saving Guest State'],
  [step.V5, 'SDM vol. 3, Loading Host State'],
  [step.V6, 'SDM vol. 3, VM Exits: Loading MSRs'],
  [step.VMX_ABORT, 'SDM vol. 3, VM Exits: VMX Aborts'],
  [step.K10, `${VMX} vmx_handle_nmi() into ${INTEL} intel_pmu_handle_irq()`],
  [step.K13, `${X86} vcpu_enter_guest(): local_irq_enable()`],
] as const) {
  sources[code] = source;
}

/** The kernel file and function, or the SDM section, that a micro-step stands for. */
export function stepSource(code: number): string {
  return sources[code] ?? '';
}

export const NMI_SOURCE = `${INTEL} intel_pmu_handle_irq()`;
