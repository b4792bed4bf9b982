/** What a round trip costs under several kernels, as rows, CSV or Markdown. */
import type { Comparison, ComparisonRequest, ComparisonRow } from '../../schemas/comparison.js';
import { DEFAULT_COST_MODEL, estimateCycles } from '../pmu/scenarios/cycle-cost.js';
import { COST_SCENARIOS, measureWrites, msrWrites } from '../pmu/scenarios/write-costs.js';
import { cpuModelById, kernelById } from './lookups.js';

export function compare(request: ComparisonRequest): Comparison {
  const kernels = request.kernels.map((id, at) => kernelById(id, `/kernels/${at}`));
  const models = request.cpu_models.map((id, at) => cpuModelById(id, `/cpu_models/${at}`));
  const scenarios = COST_SCENARIOS.filter(
    ({ id }) =>
      request.scenarios === undefined || request.scenarios.some((wanted) => wanted === id),
  );
  const cells = models.flatMap((model) => scenarios.map((scenario) => ({ model, scenario })));
  const costs = kernels.map((kernel) =>
    cells.map(({ model, scenario }) => measureWrites(scenario, model, kernel)),
  );
  const rows = kernels.flatMap((_, k) =>
    cells.map(({ model, scenario }, c): ComparisonRow => {
      const writes = costs[k]![c]!;
      return {
        kernel: request.kernels[k]!,
        cpu_model: model.id,
        scenario: scenario.id as CostScenarioId,
        per_round_trip: {
          kvm_wrmsr: writes.kvmWrmsr,
          vm_entry_load: writes.vmEntryLoad,
          vm_exit_load: writes.vmExitLoad,
          vmcs_field: writes.vmcsField,
          msr_writes: msrWrites(writes),
        },
        saved_against_first: msrWrites(costs[0]![c]!) - msrWrites(writes),
        estimated_cycles: estimateCycles(DEFAULT_COST_MODEL, 1, writes),
      };
    }),
  );
  return { rows };
}

type CostScenarioId = ComparisonRow['scenario'];

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

function cellsOf(row: ComparisonRow): (string | number)[] {
  const { per_round_trip: writes } = row;
  return [
    row.kernel,
    row.cpu_model,
    row.scenario,
    writes.kvm_wrmsr,
    writes.vm_entry_load,
    writes.vm_exit_load,
    writes.vmcs_field,
    writes.msr_writes,
    row.saved_against_first,
    row.estimated_cycles,
  ];
}

/** RFC 4180; no value needs quoting, since ids hold neither commas nor quotes. */
export function toCsv({ rows }: Comparison): string {
  return [COLUMNS, ...rows.map(cellsOf)].map((cells) => `${cells.join(',')}\r\n`).join('');
}

export function toMarkdown({ rows }: Comparison): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;
  const rule = COLUMNS.map((_, at) => (at < 3 ? '---' : '---:'));
  return line(COLUMNS) + line(rule) + rows.map((row) => line(cellsOf(row))).join('');
}
