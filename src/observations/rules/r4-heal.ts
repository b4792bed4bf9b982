/** R4: bits that were stuck are gone in a later read of the same boot. Keeps what R1, R2 and R3 found, CPU by CPU. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { bitNames, shortHex } from '../bits.js';
import type { ObservedRecord } from '../record.js';
import { and, isZero, or } from '../value.js';
import { about, bitsOf, type Finding, type StuckBits, stuckFinding } from './finding.js';
import { PerCpu } from './per-cpu.js';

/** Of a CPU that sticks and heals again and again the first few are enough. */
const MAX_HEALED = 8;

class History {
  /** Stuck now: the first evidence of each rule. */
  now: StuckBits[] = [];
  /** Stuck when its boot ended: no later read can heal it. */
  settled: StuckBits[] = [];
  /** Stuck once, and the later read that shows that it is over. */
  healed: { readonly stuck: StuckBits; readonly line: number; readonly value: U64 }[] = [];
}

export class R4Heal {
  private readonly histories = new PerCpu(() => new History());

  stuck(found: StuckBits): void {
    keepFirst(this.histories.of(found.cpu).now, found);
  }

  /** A reading of all of IA32_PEBS_ENABLE. Look for what it heals before a rule finds it stuck. */
  reading(cpu: number, record: ObservedRecord): void {
    const history = this.histories.get(cpu);
    if (history === undefined || history.now.length === 0) return;
    const value = record.value!;
    const still = history.now.filter(
      ({ bits, fixedBits }) => !isZero(and(or(bits, fixedBits), value)),
    );
    for (const stuck of history.now) {
      if (!still.includes(stuck)) history.healed.push({ stuck, line: record.line, value });
    }
    history.healed = history.healed.slice(0, MAX_HEALED);
    history.now = still;
  }

  /** The machine has been booted anew. */
  rebooted(): void {
    this.histories.each((history) => {
      for (const stuck of history.now) keepFirst(history.settled, stuck);
      history.now = [];
    });
  }

  verdict(cpu: number, pmuVersion: number | null): 'stuck' | 'transient' | null {
    const history = this.histories.get(cpu);
    if (history === undefined) return null;
    const counts = (stuck: StuckBits): boolean => !isZero(bitsOf(stuck, pmuVersion));
    if (history.now.some(counts) || history.settled.some(counts)) return 'stuck';
    return history.healed.some(({ stuck }) => counts(stuck)) ? 'transient' : null;
  }

  /** Line of a dump that would be stuck if the PMU's version were known to be 5 or more; 0: none. */
  unsureLine(cpu: number, pmuVersion: number | null): number {
    const history = this.histories.get(cpu);
    if (history === undefined || pmuVersion !== null) return 0;
    const all = [...history.settled, ...history.now, ...history.healed.map(({ stuck }) => stuck)];
    return all.find(({ fixedBits }) => !isZero(fixedBits))?.lines[0] ?? 0;
  }

  findings(cpu: number, pmuVersion: number | null): Finding[] {
    const history = this.histories.get(cpu);
    if (history === undefined) return [];
    const findings = [...history.settled, ...history.now].map((stuck) =>
      stuckFinding(stuck, pmuVersion),
    );
    for (const { stuck, line, value } of history.healed) {
      const text = `${stuck.text} (${stuck.rule}) Later it read ${shortHex(value)}.`;
      const bits = bitNames(bitsOf(stuck, pmuVersion), pmuVersion);
      findings.push(about('R4', 'transient', cpu, [...stuck.lines, line], text, bits));
    }
    return findings.filter(({ bits }) => bits.length > 0);
  }
}

/** A rule's first evidence suffices; bits that prove something on some PMUs only do not stand for others. */
function keepFirst(kept: StuckBits[], found: StuckBits): void {
  const same = ({ rule, bits }: StuckBits): boolean =>
    rule === found.rule && isZero(bits) === isZero(found.bits);
  if (!kept.some(same)) kept.push(found);
}
