/** What a rule found, with the lines that show it. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { bitNames, FIXED_COUNTERS_SINCE } from '../bits.js';
import { or } from '../value.js';
import type { ObservedRule, ObservedVerdict } from '../vocabulary.js';

export const NAME = 'IA32_PEBS_ENABLE';

export interface Finding {
  readonly rule: ObservedRule;
  /** `none`: the finding tells something of the machine and judges no CPU. */
  readonly verdict: ObservedVerdict;
  readonly cpu: number | null;
  /** The SDM's name. */
  readonly msr: string | null;
  readonly bits: readonly string[];
  /** Evidence, line by line. */
  readonly lines: readonly number[];
  readonly text: string;
}

/** A finding about IA32_PEBS_ENABLE. */
export function about(
  rule: ObservedRule,
  verdict: ObservedVerdict,
  cpu: number | null,
  lines: readonly number[],
  text: string,
  bits: readonly string[] = [],
): Finding {
  return { rule, verdict, cpu, msr: NAME, bits, lines, text };
}

/** Bits that were stuck on a CPU, and what shows it. */
export interface StuckBits {
  readonly rule: 'R1' | 'R2' | 'R3';
  readonly cpu: number;
  readonly bits: U64;
  /** Bits that prove it too, but only where they are fixed counters: since PMU version 5. */
  readonly fixedBits: U64;
  readonly lines: readonly number[];
  readonly text: string;
}

/** The bits that are stuck on a PMU of this version; null: unknown. */
export function bitsOf({ bits, fixedBits }: StuckBits, pmuVersion: number | null): U64 {
  const fixed = pmuVersion !== null && pmuVersion >= FIXED_COUNTERS_SINCE;
  return fixed ? or(bits, fixedBits) : bits;
}

export function stuckFinding(stuck: StuckBits, pmuVersion: number | null): Finding {
  const { rule, cpu, lines, text } = stuck;
  return about(rule, 'stuck', cpu, lines, text, bitNames(bitsOf(stuck, pmuVersion), pmuVersion));
}

/** `CPU 3`, or what stands for a CPU that the text does not give. */
export const cpuWord = (cpu: number | null): string => (cpu === null ? 'a CPU' : `CPU ${cpu}`);
