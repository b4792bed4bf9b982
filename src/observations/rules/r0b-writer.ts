/** R0b: a stack, or the rIP of an unchecked WRMSR, that names the function that wrote IA32_PEBS_ENABLE. No tracing is needed. */
import type { ObservedRecord } from '../record.js';
import { about, cpuWord, type Finding, NAME } from './finding.js';

/** Where KVM writes the register: the function that does, and those it may be inlined into. */
const KVM_WRITERS = new Set(['add_atomic_switch_msr', 'atomic_switch_perf_msrs', 'vmx_vcpu_run']);

export class R0bWriter {
  finding: Finding | null = null;

  write(record: ObservedRecord): void {
    const { writer, cpu, line } = record;
    if (this.finding !== null || writer === null) return;
    // Compilers name their copies of a function `name.constprop.0`.
    if (!KVM_WRITERS.has(writer.split('.')[0]!)) return;
    this.finding = about(
      'R0b',
      'none',
      cpu,
      [line],
      `${writer}() wrote ${NAME} on ${cpuWord(cpu)}: KVM puts the register into the MSR-load areas.`,
    );
  }
}
