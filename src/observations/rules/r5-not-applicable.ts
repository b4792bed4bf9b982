/** R5: a machine that cannot have the problem: no PEBS, not Intel's, or a fixed kernel on CPUs with PEBS isolation. */
import type { FactsBook } from '../facts-book.js';
import { about, type Finding } from './finding.js';

/** Why nothing can be stuck on this machine. Facts that the text contradicts are not used. */
export function notApplicable(facts: FactsBook): Finding | null {
  const vendor = facts.value('vendor');
  if (vendor !== null && vendor !== 'GenuineIntel') {
    return because(`the CPUs are made by ${vendor}`, facts, ['vendor']);
  }
  if (facts.value('pebs') === 'none') return because('the CPUs have no PEBS', facts, ['pebs']);
  if (facts.value('pebs') === 'disabled') {
    return because('the kernel has disabled PEBS', facts, ['pebs']);
  }
  if (facts.value('fix_state') === 'fixed' && facts.value('isolation') === 'true') {
    const both = ['fix_state', 'isolation'];
    return because('the kernel is fixed and the CPUs isolate PEBS', facts, both);
  }
  return null;
}

function because(why: string, facts: FactsBook, names: readonly string[]): Finding {
  const lines = names.map((name) => facts.line(name)).filter((line) => line > 0);
  return about('R5', 'not_applicable', null, lines, `Not applicable: ${why}.`);
}
