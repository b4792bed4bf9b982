/** A state on a walk through a world: what it is, where one can go from it, and why not elsewhere. */
import type { WalkState } from '../../schemas/counterexample.js';
import { formatPath, type Path, walkTo } from '../explorer/path.js';
import type { RecordInState } from '../pmu/machine/records.js';
import type { MachineState } from '../pmu/machine/state.js';
import type { MachineModel } from './machine-model.js';
import { FieldWords, isThere, type Part } from './render/field-words.js';
import { actionOf } from './render/narration.js';
import { refusedSteps } from './steps/refused-steps.js';
import { cpuOf } from './steps/step-labels.js';

/** Throws a PathError where the path leaves the model. */
export function walkState(model: MachineModel, path: Path): WalkState {
  const place = walkTo(model, path);
  const { state, spent } = model.unpacked(place.state);
  const found = (kind: 'always' | 'sometimes'): string[] =>
    model.properties
      .filter((property, at) => property.kind === kind && (place.found & (1 << at)) !== 0)
      .map(({ id }) => id);
  const possible = new Set(place.successors.map((successor) => successor.label));
  const words = new FieldWords(model.explored);
  const parts = (kind: RecordInState['kind']): string[][] =>
    words.parts
      .filter(({ record }) => record.kind === kind)
      .map((part) => fieldLines(words, part, state));
  return {
    path: formatPath(path),
    violated: found('always'),
    witnessed: found('sometimes'),
    machine: parts('machine')[0]!,
    cpus: parts('cpu'),
    vcpus: parts('vcpu'),
    events: parts('event'),
    enabled: place.successors.map(({ index, label }) => ({
      path: formatPath([...path, index]),
      action: actionOf(model, state, label),
    })),
    refused: refusedSteps(model.steps, state, spent, possible).map(({ label, guards }) => ({
      action: `cpu${cpuOf(label)}: ${actionOf(model, state, label)}`,
      guards,
    })),
  };
}

/** The fields that differ from those of a new record, and every entry of a list or a load area. */
function fieldLines(words: FieldWords, { record, items }: Part, state: MachineState): string[] {
  const now = record.of(state).words;
  return items
    .filter((item) => {
      const { initial = 0 } = item.field;
      return item.listing === null ? now[item.at] !== initial : isThere(item, now);
    })
    .map((item) => `${item.name} ${words.item(item, now)}`);
}
