/** What the machine lacks to show anything, as far as the text says so. Most of it can be mended. */
import type { ObservedRecord } from './record.js';

export interface Precondition {
  readonly name:
    | 'nmi_watchdog'
    | 'pebs'
    | 'kvm'
    | 'vpmu'
    | 'msr_access'
    | 'msr_driver'
    | 'msr_tools';
  /** 0: what was sent with the text says it. */
  readonly line: number;
  readonly text: string;
}

const PATTERNS: readonly (readonly [RegExp, Precondition['name'], string])[] = [
  [/nmi_watchdog/i, 'nmi_watchdog', 'The NMI watchdog must be off: sysctl kernel.nmi_watchdog=0.'],
  [/PEBS (?:is )?not (?:enumerated|supported)|\bno PEBS\b/i, 'pebs', 'The CPU must have PEBS.'],
  [/enable_pmu/i, 'vpmu', 'KVM must be loaded with enable_pmu=1.'],
  [
    /\/dev\/kvm|KVM (?:is )?not (?:available|supported)|\bno KVM\b/i,
    'kvm',
    'KVM must be available.',
  ],
  [
    /operation not permitted|permission denied|lock(?:ed )?down/i,
    'msr_access',
    'Reading MSRs is not permitted: run as root, on a kernel that is not locked down.',
  ],
  [
    /doesn't support MSRs|modprobe msr|\/dev\/cpu\/\S*: no such file/i,
    'msr_driver',
    'The msr driver must be loaded: modprobe msr.',
  ],
  [/rdmsr: (?:command )?not found/i, 'msr_tools', 'rdmsr must be installed (package msr-tools).'],
];

/** Kinds of records whose text may name what is missing. */
const TELLING = new Set(['unreadable', 'test', 'notice', 'event']);

export class Preconditions {
  private readonly unmet = new Map<string, Precondition>();

  record(record: ObservedRecord): void {
    if (!TELLING.has(record.kind) || record.text === null) return;
    if (record.kind === 'test' && record.result !== 'skip' && record.result !== 'error') return;
    for (const [pattern, name, text] of PATTERNS) {
      if (pattern.test(record.text)) this.add({ name, line: record.line, text });
    }
  }

  fact(line: number, name: string, value: string): void {
    for (const [fact, bad, unmet] of [
      ['nmi_watchdog', 'on', 'nmi_watchdog'],
      ['pebs', 'no', 'pebs'],
      ['pebs', 'disabled', 'pebs'],
    ] as const) {
      const text = PATTERNS.find(([, pattern]) => pattern === unmet)![2];
      if (name === fact && value === bad) this.add({ name: unmet, line, text });
    }
  }

  list(): Precondition[] {
    return [...this.unmet.values()];
  }

  private add(unmet: Precondition): void {
    if (!this.unmet.has(unmet.name)) this.unmet.set(unmet.name, unmet);
  }
}
