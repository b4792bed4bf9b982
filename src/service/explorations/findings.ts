/** What an exploration found, told: counterexamples as steps, scripts, stories and diagrams, and walks through its states. */
import type { Counterexample, WalkState } from '../../../schemas/counterexample.js';
import type { Exploration } from '../../../schemas/exploration.js';
import { type Path, PathError, parsePath } from '../../explorer/path.js';
import { exploredWorld } from '../../model/explored-world.js';
import { MachineModel } from '../../model/machine-model.js';
import { mermaid, narrate, story } from '../../model/render/narration.js';
import { replayScript } from '../../model/replay-script.js';
import { walkState } from '../../model/state-browser.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import type { WorkRow } from '../../store/work-store.js';
import { ProblemError } from '../problem-error.js';
import { missing } from '../refusals.js';
import { scriptActions } from '../wire.js';
import type { StoredRequest } from './request.js';

/** Telling a step takes about 0.1 ms of the event loop. */
const TOLD_STEPS_MAX = 1000;

/** A counterexample by its id, `<property>-<number>`. */
export function counterexample(row: WorkRow, id: string): Counterexample {
  const { model, path, property } = find(row, id);
  const steps = narrate(model, path);
  const { host, script } = replayScript(model, path);
  return {
    id,
    property,
    path: path.join('/'),
    steps: steps.map(({ label: _, ...step }) => step),
    host,
    script: scriptActions(script),
  };
}

export function counterexampleStory(row: WorkRow, id: string): string {
  const { model, path, property } = find(row, id);
  const { spec } = model.explored;
  const statement = INVARIANTS.find((invariant) => invariant.id === property)?.statement ?? '';
  return story(
    `${property} on ${spec.kernel}, ${spec.cpu_model}: ${statement}`,
    narrate(model, path),
  );
}

export function counterexampleDiagram(row: WorkRow, id: string): string {
  const { model, path } = find(row, id);
  return mermaid(narrate(model, path));
}

/** The state at a path, what is possible there, and why the rest is not. */
export function stateAt(row: WorkRow, text: string): WalkState {
  try {
    return walkState(modelOf(row), parsePath(text));
  } catch (error) {
    if (error instanceof PathError) {
      throw new ProblemError('not_found', error.message);
    }
    throw error;
  }
}

function find(row: WorkRow, id: string): { model: MachineModel; path: Path; property: string } {
  const property = id.slice(0, id.lastIndexOf('-'));
  const link = (row.resource as Exploration).properties
    .find((outcome) => outcome.id === property)
    ?.counterexamples.find((one) => one.id === id);
  if (link === undefined) {
    return missing('counterexample', id);
  }
  if (link.steps > TOLD_STEPS_MAX) {
    throw new ProblemError(
      'limit_reached',
      `The counterexample has ${link.steps} steps, and at most ${TOLD_STEPS_MAX} are told: search breadth-first, or set bounds.depth.`,
    );
  }
  return { model: modelOf(row), path: parsePath(link.path), property };
}

function modelOf(row: WorkRow): MachineModel {
  const { model } = row.resource as Exploration;
  return new MachineModel(exploredWorld(model), (row.request as StoredRequest).request.properties);
}
