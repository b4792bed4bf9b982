/** What is said of the machine in several ways. */
import type { FactsBook } from '../facts-book.js';
import type { Finding } from './finding.js';

export function differences(facts: FactsBook): Finding[] {
  return facts.differing().map(([name, values]) => {
    const skew = name === 'microcode';
    const lines = values.map(({ line }) => line).filter((line) => line > 0);
    const said = values.map(({ value, cpu }) => (cpu === null ? value : `${value} (CPU ${cpu})`));
    const text = skew
      ? `The microcode differs between CPUs: ${said.join(', ')}. The kernel asks only the boot CPU whether PEBS is isolated.`
      : `The text contradicts itself on ${name}: ${said.join(', ')}.`;
    const rule = skew ? 'microcode_skew' : 'facts_differ';
    return { rule, verdict: 'none', cpu: null, msr: null, bits: [], lines, text };
  });
}
