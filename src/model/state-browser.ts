/** A state on a walk through a world: what it is, where one can go from it, and why not elsewhere. */
import { fingerprint } from '../explorer/fingerprint.js';
import { formatPath, type Path, type Place, type Step, walkTo } from '../explorer/path.js';
import { STEP_NAMES } from '../pmu/machine/micro-step.js';
import type { RecordInState } from '../pmu/machine/records.js';
import type { MachineState } from '../pmu/machine/state.js';
import type { MachineModel } from './machine-model.js';
import { FieldWords, isThere, type Part } from './render/field-words.js';
import { cpuOf } from './steps/index.js';
import { actionOf, actorOf, executedStep } from './steps/told.js';

/**
 * What an answer says of a state (schemas/counterexample.ts), as far as the path to it tells. Throws a PathError where the path
 * leaves the model.
 */
export function walkState(model: MachineModel, path: Path, place: Place = walkTo(model, path)) {
  const { explored } = model;
  const { state, spent } = model.unpacked(place.state);
  const words = new FieldWords(explored);
  const parts = (kind: RecordInState['kind']): string[][] =>
    words.parts
      .filter(({ record }) => record.kind === kind)
      .map((part) => fieldLines(words, part, state));
  return {
    id: fingerprint(place.state),
    path: formatPath(path),
    violated: foundIn(model, 'always', place.found),
    witnessed: foundIn(model, 'sometimes', place.found),
    machine: parts('machine')[0]!,
    cpus: parts('cpu'),
    vcpus: parts('vcpu'),
    events: parts('event'),
    enabled: place.successors.map((step) => choice(model, state, path, step)),
    refused: model.steps.refused(state, spent).map(({ label, reasons }) => ({
      action: `cpu${cpuOf(label)}: ${actionOf(explored, state, label)}`,
      guards: reasons,
    })),
  };
}

/** A step that is possible, and the state it leads to. */
function choice(
  model: MachineModel,
  from: MachineState,
  path: Path,
  { index, label, state }: Step,
) {
  const executes = executedStep(model.explored, from, label);
  return {
    path: formatPath([...path, index]),
    id: fingerprint(state),
    actor: actorOf(model.explored, from, label),
    action: actionOf(model.explored, from, label),
    ...(executes === undefined ? {} : { micro_step: STEP_NAMES[executes]! }),
    violates: foundIn(model, 'always', model.check(state, 0)),
  };
}

/** The properties of a kind whose bits are set. */
export function foundIn(
  { properties }: MachineModel,
  kind: 'always' | 'sometimes',
  found: number,
): string[] {
  return properties
    .filter((property, at) => property.kind === kind && (found & (1 << at)) !== 0)
    .map(({ id }) => id);
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
