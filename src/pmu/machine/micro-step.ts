/**
 * The micro-steps: one indivisible change each, named as in semantics.md §3.1 and §4.
 *
 * A logical CPU's `pc` is the micro-step it executed last; REST means that no operation is under way.
 */
import { msrName, SWITCHED_MSRS } from '../arch/msr.js';

export const REST = 0;

// PMU disable … enable, around what the operation does to events.
export const D1_N_ADDED = 1;
export const D2_GLOBAL_CTRL = 2;
export const D4_PEBS_ENABLE = 3;
/** Takes out or puts in the event the operation is about, or restarts a throttled one. */
export const BODY_EVENT = 4;
/** Takes out or puts in an event that is rescheduled because of another one. */
export const BODY_OTHER_EVENT = 5;
/** The tick stops and starts one event in frequency mode. */
export const BODY_ADJUST_FREQ = 6;
/** Stops one running event that is to move. */
export const E1_STOP_EVENT = 7;
/** Starts the event the operation is about, on its counter. */
export const E1_PLACE_EVENT = 8;
/** Starts another event. */
export const E1_PLACE_OTHER_EVENT = 9;
export const E2_ENABLED = 10;
export const E3_READ_PEBS_ENABLED = 11;
export const E3_PEBS_ENABLE = 12;
/** Only where IA32_FIXED_CTR_CTRL is written. */
export const E5_READ_FIXED_CTRL = 13;
export const E5_WRMSR_FIXED_CTRL = 14;
export const E5_FIXED_CTRL = 15;
export const E6_READ_GUEST_MASK = 16;
export const E6_GLOBAL_CTRL = 17;

// vmx_vcpu_run, VM-entry and VM-exit.
export const K0_IRQ_OFF = 18;
export const K1_RUN = 19;
export const K2_STATE = 20;
export const K3_CROSS_MAPPED = 21;
/** Proposals e1 to e3 only. */
export const K3_ZERO_GLOBAL_CTRL = 22;
/** Proposal e3 only: waits until no PMI is pending. */
export const K3_DRAIN_PMI = 23;
export const K4_READ_MASKS = 24;
export const K4_LIST_BUILD = 25;
/** One micro-step per list entry: `K5_SWITCH + msr`. */
export const K5_SWITCH = 26;
export const K6_TIMER = K5_SWITCH + SWITCHED_MSRS;
export const K7_LAPIC_WAIT = K6_TIMER + 1;
export const K8_PREPARE = K6_TIMER + 2;
export const K9_VMLAUNCH = K6_TIMER + 3;
export const V1_GUEST_STATE = K6_TIMER + 4;
export const V2_ENTRY_LOAD = K6_TIMER + 5;
export const V3_INJECT = K6_TIMER + 6;
export const GUEST = K6_TIMER + 7;
export const V4_SAVE = K6_TIMER + 8;
export const V5_HOST_STATE = K6_TIMER + 9;
export const V6_EXIT_LOAD = K6_TIMER + 10;
export const K10_NMI_EXIT = K6_TIMER + 11;
export const K11_HOST = K6_TIMER + 12;
/** Proposals e2 and e3 only, and e1 after a failed VMLAUNCH. */
export const K11_RESTORE_PMU = K6_TIMER + 13;
/** Proposal f only. */
export const K11_FIX_UP = K6_TIMER + 14;
export const K12_FASTPATH = K6_TIMER + 15;
export const K13_IRQ_ON = K6_TIMER + 16;
/** Where V6 leaves a CPU that refused a value: it has shut down, and nothing follows. */
export const VMX_ABORT = K13_IRQ_ON + 1;
export const STEP_CODES = VMX_ABORT + 1;

/** Names by code; the API, traces and scripts use them. */
export const STEP_NAMES: readonly string[] = [
  'rest',
  'd1_n_added',
  'd2_global_ctrl',
  'd4_pebs_enable',
  'body_event',
  'body_other_event',
  'body_adjust_freq',
  'e1_stop_event',
  'e1_place_event',
  'e1_place_other_event',
  'e2_enabled',
  'e3_read_pebs_enabled',
  'e3_pebs_enable',
  'e5_read_fixed_ctrl',
  'e5_wrmsr_fixed_ctrl',
  'e5_fixed_ctrl',
  'e6_read_guest_mask',
  'e6_global_ctrl',
  'k0_irq_off',
  'k1_run',
  'k2_state',
  'k3_cross_mapped',
  'k3_zero_global_ctrl',
  'k3_drain_pmi',
  'k4_read_masks',
  'k4_list_build',
  ...Array.from({ length: SWITCHED_MSRS }, (_, msr) => `k5_switch:${msrName(msr)}`),
  'k6_timer',
  'k7_lapic_wait',
  'k8_prepare',
  'k9_vmlaunch',
  'v1_guest_state',
  'v2_entry_load',
  'v3_inject',
  'guest',
  'v4_save',
  'v5_host_state',
  'v6_exit_load',
  'k10_nmi_exit',
  'k11_host',
  'k11_restore_pmu',
  'k11_fix_up',
  'k12_fastpath',
  'k13_irq_on',
  'v6_vmx_abort',
];

/** Stands for the last of the k5 micro-steps, whichever MSR it switches: kernels' lists differ. */
export const LAST_K5 = STEP_CODES;
const LAST_K5_NAME = 'k5_switch';

/** The code of a micro-step's name, or undefined. */
export function stepCode(name: string): number | undefined {
  if (name === LAST_K5_NAME) {
    return LAST_K5;
  }
  const code = STEP_NAMES.indexOf(name);
  return code < 0 ? undefined : code;
}

/** The name of a micro-step. */
export function stepName(code: number): string {
  return code === LAST_K5 ? LAST_K5_NAME : STEP_NAMES[code]!;
}

/** Whether §4 lets an NMI land right after the micro-step: in root mode, or in the guest, where it causes a VM-exit. */
export function nmiMayLandAfter(step: number): boolean {
  return !(
    step === K9_VMLAUNCH ||
    step === V1_GUEST_STATE ||
    step === V2_ENTRY_LOAD ||
    (step >= V4_SAVE && step <= V6_EXIT_LOAD) ||
    step === VMX_ABORT
  );
}

/** Whether the CPU is in non-root mode after the micro-step. */
export function isInGuest(step: number): boolean {
  return step === V3_INJECT || step === GUEST;
}
