/**
 * What the kernel's tracepoints print of a step: the one place that says so, for the text that is exported and for recordings of
 * real machines alike.
 *
 * Models: `trace_kvm_entry` and `trace_kvm_exit` in vmx_vcpu_run() (Linux arch/x86/kvm/vmx/vmx.c), `msr:write_msr` of every
 * WRMSR that perf and KVM make. What hardware loads has no tracepoint.
 */
import { KVM_WRMSR, PERF_WRMSR } from '../../pmu/arch/msr.js';
import { K2_STATE, K10_NMI_EXIT, K12_FASTPATH } from '../../pmu/machine/micro-step.js';
import { EXIT_VMFAIL } from '../../pmu/machine/state.js';
import type { StepKind } from '../steps/step-kind.js';

/** `executes` is the micro-step that is executed, where the step is one. */
export function tracesEntry(executes: number | undefined): boolean {
  return executes === K2_STATE;
}

/** `exitReason` is the CPU's before the step. Nothing is traced where VMLAUNCH itself failed. */
export function tracesExit(executes: number | undefined, exitReason: number): boolean {
  return executes === K12_FASTPATH && exitReason !== EXIT_VMFAIL;
}

/** Whether a write by this mechanism is traced. */
export function tracesWrite(via: number): boolean {
  return via === KVM_WRMSR || via === PERF_WRMSR;
}

/** Whether what the step prints is marked as printed by an NMI's handler: KVM calls it for an NMI that ended a guest's run. */
export function isInNmi(by: StepKind['by'], executes: number | undefined): boolean {
  return by === 'nmi' || executes === K10_NMI_EXIT;
}
