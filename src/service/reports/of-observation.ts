/** An observation as a report: the register on each CPU, and the tests whose results the text has. */
import type { Observation } from '../../../schemas/observation.js';
import { FactsBook } from '../../observations/facts-book.js';
import { identify } from '../../observations/identify.js';
import { defined } from '../defined.js';
import { ProblemError } from '../problem-error.js';
import type { Environment, Report, ReportedTest } from './report.js';
import { observationStatus, statusOf } from './status.js';

/** The test that an observation is, as soon as there is something to judge. */
const REGISTER = ['kvm', 'pebs_enable_stuck'] as const;
/** More CPUs are not listed; those that are not clean come first. */
const CPUS_MAX = 1000;
const LINES_MAX = 20;

/** Throws where the text is still being read. */
export function observationReport(observation: Observation): Report {
  if (observation.state === 'reading') {
    const detail = 'It is being read; wait for its end with `Prefer: wait=N`.';
    throw new ProblemError('conflict', detail);
  }
  const { id, machine, pool, lease, format, span_seconds, created_at, finished_at } = observation;
  const reading = (Date.parse(finished_at ?? created_at) - Date.parse(created_at)) / 1000;
  const isSpan = typeof span_seconds === 'number';
  const duration = isSpan ? span_seconds : Math.max(0, reading);
  const environment = environmentOf(observation);
  const tests = [
    ...registerTests(observation, environment, duration),
    ...resultTests(observation, environment),
  ];
  return {
    id,
    label: machine,
    started_at: created_at,
    duration_seconds: duration,
    about: {
      observation: id,
      format,
      status: observationStatus(observation),
      time_of: isSpan ? 'records' : 'reading',
      ...defined({ machine, pool, lease }),
    },
    tests,
  };
}

/** What a machine is, by what is known of it. */
export function environmentOf({
  machine,
  pool,
  facts = {},
}: {
  readonly machine?: string | undefined;
  readonly pool?: string | undefined;
  readonly facts?: Observation['facts'] | undefined;
}): Environment {
  const { cpu_vendor = '', cpu_family = '', cpu_model = '' } = facts;
  const { cpu_model: known } = identify(new FactsBook(facts));
  const numbers = ['family', cpu_family, 'model', cpu_model].join('-');
  const vendor = cpu_vendor === '' || cpu_vendor === 'GenuineIntel' ? 'intel' : word(cpu_vendor);
  const isNumbered = cpu_family !== '' && cpu_model !== '';
  const platform = known ?? (isNumbered ? `${vendor}-${word(numbers)}` : (machine ?? 'unknown'));
  const compatible = known ?? (isNumbered ? word(numbers) : 'unknown');
  return {
    platform,
    compatible: [`${vendor},${compatible}`],
    lab: pool ?? 'pebslab',
    machine,
    kernel: facts.kernel_release ?? null,
  };
}

const word = (text: string): string => text.replace(/[^A-Za-z0-9._-]+/g, '-').toLowerCase();

function registerTests(
  observation: Observation,
  environment: Environment,
  duration: number,
): ReportedTest[] {
  const { state, verdict = 'none', cpus = [], tests = [], findings = [], error } = observation;
  const common = { duration_seconds: duration, environment };
  if (state !== 'done') {
    return [{ path: REGISTER, status: statusOf('missed'), reason: error, ...common }];
  }
  if (verdict === 'none' && cpus.length === 0 && tests.length > 0) return [];
  const linesOf = (of: number | null): string =>
    findings
      .filter(({ cpu, rule }) => cpu === of && rule !== 'R6')
      .slice(0, LINES_MAX)
      .map(({ rule, text, lines }) => `${rule}: ${text}${place(lines)}\n`)
      .join('');
  const isNothing = verdict === 'none' && observation.class === 'harness';
  const status = isNothing ? statusOf('missed') : statusOf(verdict);
  const reason = cpus.find((cpu) => cpu.verdict === verdict)?.reason ?? SENTENCES[verdict];
  const whole = { path: REGISTER, status, reason, excerpt: linesOf(null), ...common };
  const grave = (cpu: (typeof cpus)[number]): number => (cpu.verdict === 'clean' ? 1 : 0);
  const listed =
    cpus.length <= CPUS_MAX
      ? cpus
      : [...cpus].sort((a, b) => grave(a) - grave(b)).slice(0, CPUS_MAX);
  return [
    whole,
    ...listed.map(({ cpu, verdict: of, reason: why }) => ({
      path: [...REGISTER, `cpu${cpu}`],
      status: statusOf(of),
      reason: why,
      excerpt: linesOf(cpu),
      ...common,
      misc: { cpu, verdict: of },
    })),
  ];
}

const SENTENCES: Readonly<Record<NonNullable<Observation['verdict']>, string>> = {
  stuck: 'a bit of IA32_PEBS_ENABLE is stuck',
  transient: 'a bit of IA32_PEBS_ENABLE was stuck for a time',
  clean: '',
  not_applicable: 'the machine cannot have this',
  inconclusive: 'the text does not tell',
  none: 'nothing in the text can be judged',
};

function parts(name: string): string[] {
  const found = name.split('/').filter((part) => part !== '');
  return found.length === 0 ? ['?'] : found;
}

const place = (lines: readonly number[]): string =>
  lines.length === 0 ? '' : ` (lines ${lines.slice(0, LINES_MAX).join(', ')})`;

function resultTests({ tests = [] }: Observation, environment: Environment): ReportedTest[] {
  return tests.map(({ name, result, text, duration_seconds }) => ({
    path: parts(name),
    status: statusOf(result),
    reason: text,
    duration_seconds,
    environment,
    misc: { result },
  }));
}
