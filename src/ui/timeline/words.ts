/** A step in words. */
import type { Run, Step } from './run.js';

export function describeStep(run: Run, step: number): string {
  if (step === 0) return 'before the first step';
  const { actor, action } = run.steps[step - 1]!;
  return `step ${step} of ${run.steps.length}, ${actor}: ${action}`;
}

/** A write as one line: what, how, and to which value. */
export function describeWrite({ msr, via, value }: Step['writes'][number]): string {
  return `${msr} ${VIA[via]} ${value.replace(/^0x0+(?=.)/, '0x')}`;
}

const VIA: Readonly<Record<Step['writes'][number]['via'], string>> = {
  kvm_wrmsr: '← WRMSR by KVM',
  perf_wrmsr: '← WRMSR by perf',
  vm_entry_load: '← loaded at VM-entry',
  vm_exit_load: '← loaded at VM-exit',
  vmcs_field: '← loaded from the VMCS',
};
