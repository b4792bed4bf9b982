/**
 * The numbers by which images of hosts name micro-steps. They stay what they are, whatever codes the machine gives its
 * micro-steps, so that hosts outlive a step that is put between two others: a new step is appended here.
 */
import { msrName, SWITCHED_MSRS } from '../../pmu/arch/msr.js';
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';

export const STORED_STEPS: readonly string[] = [
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

/** The number of a micro-step in images. */
export function storedStep(code: number): number {
  return STORED_STEPS.indexOf(STEP_NAMES[code]!);
}

/** The micro-step of a number in images, or undefined: one of another version. */
export function stepOfStored(stored: number): number | undefined {
  const code = STEP_NAMES.indexOf(STORED_STEPS[stored] ?? '');
  return code < 0 ? undefined : code;
}
