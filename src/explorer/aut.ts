import { successorsFor } from './model.js';
import type { StateGraph } from './state-graph.js';
import { expandFolded } from './symmetry.js';

/**
 * A graph in the Aldebaran format: `des (0, transitions, states)`, then one `(from, "label", to)` a line. Labels are what the
 * model calls its steps. Null where the graph was cut: half a graph would be taken for the whole.
 */
export function toAut(graph: StateGraph): string | null {
  const { model, table, count, complete, starts, targets, fold } = graph;
  const nameOf = model.nameOf?.bind(model);
  if (nameOf === undefined) throw new TypeError('labels need a model with nameOf()');
  if (!complete) return null;
  const out = successorsFor(model, 1);
  const lines = [`des (0, ${targets.length}, ${count})`];
  for (let from = 0; from < count; from++) {
    const at = from * model.words;
    expandFolded(model, fold, table.states, at, out);
    const first = starts[from] as number;
    for (let k = 0; k < out.count; k++) {
      const label = nameOf(table.states, at, out.labels[k] as number).replaceAll('"', "'");
      lines.push(`(${from}, "${label}", ${targets[first + k]})`);
    }
  }
  return `${lines.join('\n')}\n`;
}
