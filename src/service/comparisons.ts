/** What a round trip costs under several kernels, as rows, CSV or Markdown. */
import type { Comparison, ComparisonRequest, ComparisonRow } from '../../schemas/comparison.js';
import type { RunComparison, RunComparisonRequest } from '../../schemas/run-comparison.js';
import { COST_SCENARIOS, setUpOf } from '../pmu/cost-cases/cost-scenarios.js';
import { DEFAULT_COST_MODEL, estimateCycles } from '../pmu/cost-cases/cycle-cost.js';
import { measureWrites, msrWrites } from '../pmu/cost-cases/write-costs.js';
import { type CsvValue, csv } from './csv.js';
import type { RaceVerdicts } from './explorations/race-verdicts.js';
import { cpuModelById, kernelById } from './lookups.js';
import { tryLater } from './problem-error.js';
import { compareRuns } from './run-comparisons.js';
import { Slices } from './slices.js';

/** How many are worked on at once. */
const UNDER_WAY_MAX = 8;

export class Comparisons {
  private underWay = 0;

  constructor(private readonly races: RaceVerdicts) {}

  /** The signal ends the work, with its reason, when nobody waits for it any longer. */
  compare(request: ComparisonRequest, signal: AbortSignal): Promise<Comparison> {
    return this.oneOfFew(async () => {
      const costs = await compareCosts(request, signal);
      return request.verdicts ? await this.addVerdicts(costs, signal) : costs;
    });
  }

  /** One script on several kernels; the signal as of `compare`. */
  runs(request: RunComparisonRequest, signal: AbortSignal): Promise<RunComparison> {
    return this.oneOfFew(() => compareRuns(request, signal));
  }

  private async oneOfFew<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.underWay >= UNDER_WAY_MAX) {
      const detail = `${UNDER_WAY_MAX} comparisons are already running.`;
      throw tryLater('too_many_requests', detail, 1);
    }
    this.underWay += 1;
    try {
      return await work();
    } finally {
      this.underWay -= 1;
    }
  }

  /** Adds to every row what is known of its kernel on its CPU model. */
  private async addVerdicts({ rows }: Comparison, signal: AbortSignal): Promise<Comparison> {
    const judged: ComparisonRow[] = [];
    for (const row of rows) {
      signal.throwIfAborted();
      judged.push({ ...row, race: await this.races.of(row.cpu_model, row.kernel) });
    }
    return { rows: judged };
  }
}

async function compareCosts(request: ComparisonRequest, signal: AbortSignal): Promise<Comparison> {
  const kernels = request.kernels.map((id, at) => kernelById(id, `/kernels/${at}`));
  const models = request.cpu_models.map((id, at) => cpuModelById(id, `/cpu_models/${at}`));
  const scenarios = COST_SCENARIOS.filter(
    ({ id }) => request.scenarios?.some((wanted) => wanted === id) ?? true,
  );
  const cells = models.flatMap((model) => scenarios.map((scenario) => ({ model, scenario })));
  const slices = new Slices();
  const rows: ComparisonRow[] = [];
  for (const [nth, kernel] of kernels.entries()) {
    for (const [at, { model, scenario }] of cells.entries()) {
      const writes = measureWrites(scenario, model, kernel);
      const { notes } = setUpOf(scenario, model, kernel);
      const written = msrWrites(writes);
      rows.push({
        kernel: request.kernels[nth]!,
        cpu_model: model.id,
        scenario: scenario.id as ComparisonRow['scenario'],
        per_round_trip: { ...writes, msr_writes: written },
        saved_against_first: (rows[at]?.per_round_trip.msr_writes ?? written) - written,
        estimated_cycles: estimateCycles(DEFAULT_COST_MODEL, 1, writes),
        ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
      });
      await slices.pause();
      signal.throwIfAborted();
    }
  }
  return { rows };
}

const COLUMNS = [
  'kernel',
  'cpu_model',
  'scenario',
  'kvm_wrmsr',
  'vm_entry_load',
  'vm_exit_load',
  'vmcs_field',
  'msr_writes',
  'saved_against_first',
  'estimated_cycles',
] as const;

type Column = (typeof COLUMNS)[number] | 'race_prompt' | 'race_late' | 'note';

function cellsOf({ race, per_round_trip, ...rest }: ComparisonRow, columns: readonly Column[]) {
  const verdicts = { race_prompt: race?.prompt, race_late: race?.late };
  const fields = { ...rest, ...per_round_trip, ...verdicts };
  return columns.map((column) => fields[column]);
}

/** The verdicts have columns only where they were asked for. */
function columnsOf({ rows }: Comparison): readonly Column[] {
  return rows[0]?.race === undefined ? COLUMNS : [...COLUMNS, 'race_prompt', 'race_late'];
}

export function toCsv(comparison: Comparison): string {
  const { rows } = comparison;
  const hasNotes = rows.some(({ note }) => note !== undefined);
  const columns = [...columnsOf(comparison), ...(hasNotes ? (['note'] as const) : [])];
  return csv(
    columns,
    rows.map((row) => cellsOf(row, columns)),
  );
}

export function toMarkdown(comparison: Comparison): string {
  const columns = columnsOf(comparison);
  const line = (cells: readonly CsvValue[]): string => `| ${cells.join(' | ')} |\n`;
  const isText = (at: number): boolean => at < 3 || at >= COLUMNS.length;
  const rule = columns.map((_, at) => (isText(at) ? '---' : '---:'));
  const rows = comparison.rows.map((row) => line(cellsOf(row, columns)));
  return [line(columns), line(rule), ...rows, ...notesBelow(comparison)].join('');
}

/** A paragraph for each note, with the rows it is about. */
function notesBelow({ rows }: Comparison): string[] {
  const about = new Map<string, string[]>();
  for (const { note, kernel, cpu_model, scenario } of rows) {
    if (note === undefined) continue;
    about.set(note, [...(about.get(note) ?? []), `${kernel} ${cpu_model} ${scenario}`]);
  }
  return [...about].map(([note, names]) => `\n${names.join(', ')}: ${note}\n`);
}
