/** R4: bits that were stuck are gone in a later read of the same boot. Keeps what R1, R2 and R3 found, CPU by CPU. */
import { bitNames, shortHex } from '../bits.js';
import type { ObservedRecord, Value } from '../record.js';
import { and, isZero } from '../value.js';
import { about, type Finding, type StuckBits, stuckFinding } from './finding.js';
import { PerCpu } from './per-cpu.js';

class History {
  /** Stuck now: the first evidence of each rule. */
  now: StuckBits[] = [];
  /** Stuck when its boot ended: no later read can heal it. */
  settled: StuckBits[] = [];
  healed: StuckBits | null = null;
  healedLine = 0;
  healedValue: Value | null = null;
}

export class R4Heal {
  private readonly histories = new PerCpu(() => new History());

  stuck(found: StuckBits): void {
    const { now } = this.histories.of(found.cpu);
    if (!now.some(({ rule }) => rule === found.rule)) now.push(found);
  }

  /** A reading of all of IA32_PEBS_ENABLE. Look for what it heals before a rule finds it stuck. */
  reading(cpu: number, record: ObservedRecord): void {
    const history = this.histories.get(cpu);
    if (history === undefined || history.now.length === 0) return;
    const value = record.value!;
    if (history.now.some(({ bits }) => !isZero(and(bits, value)))) return;
    history.healed ??= history.now[0]!;
    history.healedLine ||= record.line;
    history.healedValue ??= value;
    history.now = [];
  }

  /** The machine has been booted anew. */
  rebooted(): void {
    this.histories.each((history) => {
      for (const stuck of history.now) {
        if (!history.settled.some(({ rule }) => rule === stuck.rule)) history.settled.push(stuck);
      }
      history.now = [];
    });
  }

  verdict(cpu: number): 'stuck' | 'transient' | null {
    const history = this.histories.get(cpu);
    if (history === undefined) return null;
    if (history.now.length + history.settled.length > 0) return 'stuck';
    return history.healed === null ? null : 'transient';
  }

  findings(cpu: number, pmuVersion: number | null): Finding[] {
    const history = this.histories.get(cpu);
    if (history === undefined) return [];
    const { settled, now, healed } = history;
    const findings = [...settled, ...now].map((stuck) => stuckFinding(stuck, pmuVersion));
    if (healed === null) return findings;
    const lines = [...healed.lines, history.healedLine];
    const text = `${healed.text} Later (line ${history.healedLine}) it read ${shortHex(history.healedValue!)} (${healed.rule} before).`;
    const bits = bitNames(healed.bits, pmuVersion);
    return [...findings, about('R4', 'transient', cpu, lines, text, bits)];
  }
}
