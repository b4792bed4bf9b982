/** What is said of one text: the judgement, and what it rests on. */

import { deriveFacts } from './derived-facts.js';
import type { FactsBook } from './facts-book.js';
import { AFTER_FAILURE, nextStep, WHOLE_TEXT } from './next.js';
import type { Preconditions } from './preconditions.js';
import type { Rejects } from './rejects.js';
import type { Finding } from './rules/finding.js';
import type { Judge } from './rules/judge.js';
import type { ListedTest, TestCounts } from './rules/tests.js';
import { type CpuVerdict, type Judgement, judgement } from './rules/verdict.js';
import type { Span } from './span.js';
import type { ObservedClass, ObservedPath, ObservedVerdict } from './vocabulary.js';

/** More findings are not listed; the gravest come first. */
const MAX_FINDINGS = 1000;

export interface Answer {
  readonly format: string;
  /** Number of records. */
  readonly records: number;
  /** The first of them. */
  readonly rejected: readonly { readonly line: number; readonly reason: string }[];
  readonly rejected_total: number;
  /** Per CPU; count null: nobody knows how many. */
  readonly losses: readonly { readonly cpu: number | null; readonly count: number | null }[];
  /** The text ends in the middle of a line, or was said to be cut. */
  readonly cut: boolean;
  readonly path: ObservedPath;
  readonly cpus: readonly CpuVerdict[];
  readonly findings: readonly Finding[];
  /** Of the tests whose results are in the text: how many, and some of them, failures before others. */
  readonly test_counts: TestCounts;
  readonly tests: readonly ListedTest[];
  /** What the times of its records span; null where they do not tell. */
  readonly span_seconds: number | null;
  readonly verdict: ObservedVerdict;
  readonly class: ObservedClass;
  readonly facts: Readonly<Record<string, string>>;
  /** Names of facts that would tell more. */
  readonly missing: readonly string[];
  /** What the machine lacks before it can be judged: a sentence each. */
  readonly preconditions: readonly string[];
  /** What to run or send next. */
  readonly next: string | null;
}

/** What was gathered while the text was read. */
interface Gathered {
  readonly format: string;
  readonly records: number;
  readonly rejects: Rejects;
  readonly judge: Judge;
  readonly facts: FactsBook;
  readonly preconditions: Preconditions;
  readonly span: Span;
  readonly cut: boolean;
}

export function answer(gathered: Gathered): Answer {
  const { format, records, rejects, judge, facts, cut } = gathered;
  // The rest of a cut text may say something else.
  if (!cut) deriveFacts(facts);
  const judged = judgement(judge, facts, cut);
  const preconditions = gathered.preconditions.list();
  return {
    format,
    records,
    rejected: rejects.first,
    rejected_total: rejects.total,
    losses: judge.data.losses().map(({ cpu, count }) => ({ cpu, count })),
    cut,
    path: judged.path,
    cpus: judged.cpus,
    findings: judged.findings.slice(0, MAX_FINDINGS),
    test_counts: judge.tests.counts,
    tests: judge.tests.listed,
    span_seconds: gathered.span.seconds(format),
    verdict: judged.verdict,
    class: classOf(judged.verdict, gathered),
    facts: facts.toObject(),
    missing: missing(facts, judge),
    preconditions,
    next: next(judged, gathered, preconditions),
  };
}

/**
 * See OBSERVED_CLASSES. A failed test is the code's failure, whatever else the lab did not manage; only where it could not run
 * the job at all, its tests say nothing.
 */
function classOf(verdict: ObservedVerdict, { judge, records, rejects }: Gathered): ObservedClass {
  const { tests } = judge;
  if (verdict === 'stuck' || verdict === 'transient') return 'code';
  if (tests.labFailed) return 'harness';
  if (verdict === 'clean' || tests.failed > 0) return 'code';
  if (verdict === 'inconclusive' || tests.broken > 0) return 'harness';
  if (tests.passed > 0) return 'code';
  return records === 0 && rejects.total > 0 ? 'harness' : 'not_applicable';
}

/** Facts that identify the machine, and those that the rules ask for. */
const USEFUL = [
  'cpu_vendor',
  'cpu_family',
  'cpu_model',
  'cpu_stepping',
  'microcode',
  'kernel_release',
  'pmu_version',
];

function missing(facts: FactsBook, judge: Judge): string[] {
  const names = USEFUL.filter((name) => !facts.has(name));
  return judge.knowsPebsEvents ? names : [...names, 'pebs_events'];
}

function next(
  { verdict, needs, path }: Judgement,
  { judge, cut }: Gathered,
  preconditions: readonly string[],
): string | null {
  if (verdict === 'stuck' || verdict === 'transient') return AFTER_FAILURE;
  if (cut) return WHOLE_TEXT;
  const [unmet] = preconditions;
  if (unmet !== undefined && verdict !== 'clean') return unmet;
  if (verdict === 'inconclusive') return nextStep(needs);
  const untold = verdict === 'none' && (path === 'autoload' || judge.tests.total === 0);
  return untold ? nextStep(new Set(['two_reads'])) : null;
}
