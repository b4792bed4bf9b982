/** R5: a machine that cannot have the problem: no PEBS, not Intel's, or a fixed kernel on CPUs with PEBS isolation. */
import type { FactsBook } from '../facts-book.js';
import { about, type Finding } from './finding.js';

/** Facts, all of which must be said, and what follows. */
const REASONS: readonly (readonly [facts: Readonly<Record<string, string>>, why: string])[] = [
  [{ cpu_vendor: 'AuthenticAMD' }, 'the CPUs are AMD'],
  [{ cpu_vendor: 'HygonGenuine' }, 'the CPUs are Hygon'],
  [{ pmu_driver: 'AMD' }, "perf uses the AMD PMU's driver"],
  [{ pmu_driver: 'none' }, 'perf has no PMU'],
  [{ pebs: 'no' }, 'the CPUs have no PEBS'],
  [{ pebs: 'disabled' }, 'the kernel has disabled PEBS'],
  [{ fix_state: 'fixed', isolation: 'true' }, 'the kernel is fixed, and the CPUs isolate PEBS'],
];

/** A text that says two of these is about several machines, or several boots. */
const OF_ONE_MACHINE = ['cpu_vendor', 'pmu_driver', 'pebs', 'fix_state', 'isolation'];

/** Why nothing can be stuck on the machine: one finding a reason. */
export function notApplicable(facts: FactsBook): Finding[] {
  const findings: Finding[] = [];
  for (const [needed, why] of REASONS) {
    const lines = Object.entries(needed).map(([name, value]) => facts.saying(name, value));
    if (lines.includes(null)) continue;
    const evidence = lines.filter((line): line is number => line !== null && line > 0);
    findings.push(about('R5', 'not_applicable', null, evidence, `Not applicable: ${why}.`));
  }
  return findings;
}

/** Whether the facts are those of one machine, so that what R5 finds holds for all of the text. */
export const ofOneMachine = (facts: FactsBook): boolean =>
  !OF_ONE_MACHINE.some((name) => facts.differs(name));
