/** A state on a walk through a world: what it is, where one can go from it, and why not elsewhere. */
import { formatPath, type Path, walkTo } from '../explorer/path.js';
import type { RecordInState } from '../pmu/machine/records.js';
import type { MachineState } from '../pmu/machine/state.js';
import type { MachineModel } from './machine-model.js';
import { FieldWords, isThere, type Part } from './render/field-words.js';
import { cpuOf } from './steps/index.js';
import { actionOf, reasonsOf } from './steps/told.js';

export interface WalkState {
  path: string;
  /** Invariants that fail here, and coverage goals that are reached. */
  violated: string[];
  witnessed: string[];
  /** The fields that differ from a new record's, in words: of the machine, and by CPU, vCPU and event. */
  machine: string[];
  cpus: string[][];
  vcpus: string[][];
  events: string[][];
  enabled: { path: string; action: string }[];
  refused: { action: string; guards: string[] }[];
}

/** Throws a PathError where the path leaves the model. */
export function walkState(model: MachineModel, path: Path): WalkState {
  const place = walkTo(model, path);
  const { explored } = model;
  const { state, spent } = model.unpacked(place.state);
  const found = (kind: 'always' | 'sometimes'): string[] =>
    model.properties
      .filter((property, at) => property.kind === kind && (place.found & (1 << at)) !== 0)
      .map(({ id }) => id);
  const words = new FieldWords(explored);
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
      action: actionOf(explored, state, label),
    })),
    refused: model.steps.refused(state, spent).map((step) => ({
      action: `cpu${cpuOf(step.label)}: ${actionOf(explored, state, step.label)}`,
      guards: reasonsOf(explored, state, step),
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
