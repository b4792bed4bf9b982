/** What the machine lacks to show anything, as far as the text says so. Most of it can be mended. */
import type { ObservedRecord } from './record.js';

type Name = 'nmi_watchdog' | 'pebs' | 'kvm' | 'vpmu' | 'msr_access' | 'msr_driver' | 'msr_tools';

const PATTERNS: readonly (readonly [RegExp, Name, string])[] = [
  [/nmi_watchdog/i, 'nmi_watchdog', 'the NMI watchdog must be off: sysctl kernel.nmi_watchdog=0.'],
  [/PEBS (?:is )?not (?:enumerated|supported)|\bno PEBS\b/i, 'pebs', 'the CPU must have PEBS.'],
  [/enable_pmu/i, 'vpmu', 'KVM must be loaded with enable_pmu=1.'],
  [
    /\/dev\/kvm|KVM (?:is )?not (?:available|supported)|\bno KVM\b/i,
    'kvm',
    'KVM must be available.',
  ],
  [
    /operation not permitted|permission denied|lock(?:ed )?down/i,
    'msr_access',
    'reading MSRs is not permitted: run as root, on a kernel that is not locked down.',
  ],
  [
    /doesn't support MSRs|modprobe msr|\/dev\/cpu\/\S*: no such file/i,
    'msr_driver',
    'the msr driver must be loaded: modprobe msr.',
  ],
  [/rdmsr: (?:command )?not found/i, 'msr_tools', 'rdmsr must be installed (package msr-tools).'],
];

const BAD_FACTS: readonly (readonly [fact: string, value: string, unmet: Name])[] = [
  ['nmi_watchdog', 'on', 'nmi_watchdog'],
  ['pebs', 'no', 'pebs'],
  ['pebs', 'disabled', 'pebs'],
];

/** Kinds of records whose text may name what is missing. */
const TELLING = new Set(['unreadable', 'test', 'notice', 'event']);

export class Preconditions {
  private readonly unmet = new Map<Name, string>();

  record(record: ObservedRecord): void {
    if (record.text === null || !TELLING.has(record.kind)) return;
    if (record.kind === 'test' && record.result !== 'skip' && record.result !== 'error') return;
    for (const [pattern, name, text] of PATTERNS) {
      if (pattern.test(record.text)) this.add(name, record.line, text);
    }
  }

  fact(line: number, fact: string, value: string): void {
    for (const [name, bad, unmet] of BAD_FACTS) {
      if (name !== fact || value !== bad) continue;
      const [, , text] = PATTERNS.find(([, pattern]) => pattern === unmet)!;
      this.add(unmet, line, text);
    }
  }

  /** A sentence each. */
  list(): string[] {
    return [...this.unmet.values()];
  }

  private add(name: Name, line: number, text: string): void {
    // Results in documents stand in no line.
    const where = line === 0 ? 'A result: ' : `Line ${line}: `;
    if (!this.unmet.has(name)) this.unmet.set(name, where + text);
  }
}
