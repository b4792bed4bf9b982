/** What each micro-step does, and where it stands in Linux or the SDM, for people who read a trace beside the source. */

import { msrName, SWITCHED_MSRS } from '../arch/msr.js';
import * as step from './micro-step.js';
import { LAST_K5 } from './micro-step.js';

const CORE = 'arch/x86/events/core.c';
const INTEL = 'arch/x86/events/intel/core.c';
const DS = 'arch/x86/events/intel/ds.c';
const EVENTS = 'kernel/events/core.c';
const VMX = 'arch/x86/kvm/vmx/vmx.c';
const X86 = 'arch/x86/kvm/x86.c';

const ENABLE_ALL = `${INTEL} __intel_pmu_enable_all()`;
const SWITCH_MSRS = `${VMX} atomic_switch_perf_msrs()`;
const RUN = `${VMX} vmx_vcpu_run()`;
/** For steps that no kernel has: where the proposal would put them. */
const PROPOSED = `${RUN}, as proposed`;

type Row = readonly [code: number, statement: string, source: string];

function switchRow(msr: number): Row {
  const name = msrName(msr);
  const cleared = 'KVM adds the entry of the list to its load areas, or clears it if both agree.';
  const zeroed =
    name === 'IA32_PEBS_ENABLE' ? ' Before it adds one it writes 0 to the register.' : '';
  return [step.K5_SWITCH + msr, `${name}: ${cleared}${zeroed}`, SWITCH_MSRS];
}

const ROWS: readonly Row[] = [
  [step.D1_N_ADDED, 'PMU disable begins: enabled := 0.', `${CORE} x86_pmu_disable()`],
  [step.D2_GLOBAL_CTRL, 'IA32_PERF_GLOBAL_CTRL := 0.', `${INTEL} __intel_pmu_disable_all()`],
  [
    step.D4_PEBS_ENABLE,
    'IA32_PEBS_ENABLE := 0, if pebs_enabled is not 0.',
    `${DS} intel_pmu_pebs_disable_all()`,
  ],
  [
    step.BODY_EVENT,
    'The event the operation is about is added or removed, or the tick restarts a throttled one.',
    `${CORE} x86_pmu_add(), x86_pmu_del() or x86_pmu_start()`,
  ],
  [
    step.BODY_OTHER_EVENT,
    'Another event is removed or added, because the operation reschedules it.',
    `${CORE} x86_pmu_add() or x86_pmu_del()`,
  ],
  [
    step.BODY_ADJUST_FREQ,
    'The tick stops and starts an event in frequency mode.',
    `${EVENTS} perf_adjust_freq_unthr_events()`,
  ],
  [
    step.E1_STOP_EVENT,
    'A running event is stopped, because it moves to another counter.',
    `${CORE} x86_pmu_enable() with x86_pmu_stop()`,
  ],
  [
    step.E1_PLACE_EVENT,
    'The event the operation is about is started on its counter.',
    `${CORE} x86_pmu_enable() with x86_pmu_start()`,
  ],
  [
    step.E1_PLACE_OTHER_EVENT,
    'Another event is started on its counter.',
    `${CORE} x86_pmu_enable() with x86_pmu_start()`,
  ],
  [step.E2_ENABLED, 'PMU enable: enabled := 1.', `${CORE} x86_pmu_enable()`],
  [
    step.E3_READ_PEBS_ENABLED,
    'perf loads pebs_enabled.',
    `${DS} intel_pmu_pebs_enable_all(), the load`,
  ],
  [
    step.E3_PEBS_ENABLE,
    'IA32_PEBS_ENABLE := the value loaded, if it is not 0.',
    `${DS} intel_pmu_pebs_enable_all(), the WRMSR`,
  ],
  [
    step.E5_READ_FIXED_CTRL,
    'perf loads fixed_ctrl_val; only if it differs from active_fixed_ctrl_val.',
    `${ENABLE_ALL}, the load of fixed_ctrl_val`,
  ],
  [
    step.E5_WRMSR_FIXED_CTRL,
    'IA32_FIXED_CTR_CTRL := the value loaded.',
    `${ENABLE_ALL}, the WRMSR`,
  ],
  [
    step.E5_FIXED_CTRL,
    'active_fixed_ctrl_val := fixed_ctrl_val, loaded again, if the register was written.',
    `${ENABLE_ALL}, active_fixed_ctrl_val is set`,
  ],
  [
    step.E6_READ_GUEST_MASK,
    'perf loads intel_ctrl_guest_mask.',
    `${ENABLE_ALL}, the load of intel_ctrl_guest_mask`,
  ],
  [
    step.E6_GLOBAL_CTRL,
    'IA32_PERF_GLOBAL_CTRL := intel_ctrl & ~the mask loaded. The operation is over.',
    `${ENABLE_ALL}, the WRMSR`,
  ],
  [
    step.K0_IRQ_OFF,
    "KVM switches interrupts off; the guest's APIC takes a PMI that was asked for.",
    `${X86} vcpu_enter_guest()`,
  ],
  [
    step.K1_RUN,
    'The run loop begins, or begins again after the fastpath.',
    `${X86} vcpu_enter_guest()`,
  ],
  [step.K2_STATE, 'KVM loads guest state that is not the PMU.', RUN],
  [
    step.K3_CROSS_MAPPED,
    'KVM notes which host counters back a guest counter of another number.',
    `${SWITCH_MSRS} with intel_pmu_cross_mapped_check()`,
  ],
  [
    step.K3_ZERO_GLOBAL_CTRL,
    'Proposals e1 to e3: KVM writes 0 to IA32_PERF_GLOBAL_CTRL; e2 and e3 also switch the PMU off.',
    PROPOSED,
  ],
  [step.K3_DRAIN_PMI, 'Proposal e3: KVM waits until no PMI is pending.', PROPOSED],
  [
    step.K4_READ_MASKS,
    'perf loads pebs_enabled and the masks, and begins the list.',
    `${INTEL} intel_guest_get_msrs(), the first read of pebs_enabled`,
  ],
  [step.K4_LIST_BUILD, 'perf completes the list.', `${INTEL} intel_guest_get_msrs()`],
  ...Array.from({ length: SWITCHED_MSRS }, (_, msr) => switchRow(msr)),
  [
    LAST_K5,
    'The last of the k5 steps, whichever MSR it switches; requests may use this name.',
    SWITCH_MSRS,
  ],
  [step.K6_TIMER, 'KVM sets up LBR pass-through and the preemption timer.', RUN],
  [
    step.K7_LAPIC_WAIT,
    'KVM waits for the expiry of the local APIC timer: the widest part of the window.',
    RUN,
  ],
  [step.K8_PREPARE, 'KVM flushes buffers and loads registers.', `${VMX} vmx_vcpu_enter_exit()`],
  [
    step.K9_VMLAUNCH,
    'VMLAUNCH or VMRESUME. If it fails outright, nothing is loaded.',
    `${VMX} vmx_vcpu_enter_exit(): VMLAUNCH or VMRESUME`,
  ],
  [
    step.V1_GUEST_STATE,
    'VM-entry loads guest state: IA32_PERF_GLOBAL_CTRL from the VMCS field, if KVM has that on.',
    'SDM vol. 3, Loading Guest State',
  ],
  [
    step.V2_ENTRY_LOAD,
    'VM-entry loads the MSRs of its load area, in order.',
    'SDM vol. 3, VM Entries: Loading MSRs',
  ],
  [
    step.V3_INJECT,
    'VM-entry injects events; a pending NMI causes a VM-exit at once.',
    'SDM vol. 3, Event Injection',
  ],
  [step.GUEST, 'The guest runs.', 'SDM vol. 3, VMX Non-Root Operation'],
  [step.V4_SAVE, 'VM-exit saves guest state.', 'SDM vol. 3, Saving Guest State'],
  [
    step.V5_HOST_STATE,
    'VM-exit loads host state: IA32_PERF_GLOBAL_CTRL from the VMCS field, if KVM has that on.',
    'SDM vol. 3, Loading Host State',
  ],
  [
    step.V6_EXIT_LOAD,
    'VM-exit loads the MSRs of its load area, in order.',
    'SDM vol. 3, VM Exits: Loading MSRs',
  ],
  [
    step.VMX_ABORT,
    'A value of the VM-exit load area was refused: the CPU has shut down, and nothing follows.',
    'SDM vol. 3, VM Exits: VMX Aborts',
  ],
  [
    step.K10_NMI_EXIT,
    'The VM-exit was caused by an NMI: KVM calls the NMI handler.',
    `${VMX} vmx_handle_nmi() into ${INTEL} intel_pmu_handle_irq()`,
  ],
  [
    step.K11_HOST,
    'Any other VM-exit: the first instruction in the host.',
    `${VMX} vmx_vcpu_enter_exit()`,
  ],
  [
    step.K11_RESTORE_PMU,
    'Proposals e2 and e3: the PMU counts as on again. If VMLAUNCH failed, IA32_PERF_GLOBAL_CTRL is restored, in e1 as well.',
    PROPOSED,
  ],
  [
    step.K11_FIX_UP,
    'Proposal f: KVM writes IA32_PEBS_ENABLE if it loaded another value than perf wants now.',
    PROPOSED,
  ],
  [
    step.K12_FASTPATH,
    'KVM looks whether its fastpath can handle the exit and enter the guest again.',
    `${VMX} vmx_exit_handlers_fastpath()`,
  ],
  [
    step.K13_IRQ_ON,
    'KVM switches interrupts on: pending ticks and IPIs run.',
    `${X86} vcpu_enter_guest(): local_irq_enable()`,
  ],
];

/** The steps that have a name in requests and answers, in the order of an operation and of a run. */
export const NAMED_STEPS: readonly number[] = ROWS.map(([code]) => code);

const statements: string[] = [];
const sources: string[] = [];
for (const [code, statement, source] of ROWS) {
  statements[code] = statement;
  sources[code] = source;
}

/** What the micro-step does, in a sentence. */
export function stepStatement(code: number): string {
  return statements[code]!;
}

/** The kernel file and function, or the SDM section, that a micro-step stands for. */
export function stepSource(code: number): string {
  return sources[code] ?? '';
}

/** The section of semantics.md that the micro-step follows. */
export function stepSection(code: number): string {
  if (code < step.K0_IRQ_OFF) {
    return '§3.1';
  }
  return sources[code] === PROPOSED ? '§5e' : '§4';
}

export const NMI_SOURCE = `${INTEL} intel_pmu_handle_irq()`;
