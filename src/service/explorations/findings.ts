/** What an exploration found: counterexamples as steps, scripts, stories and diagrams, and walks through its states. */
import type { Counterexample, WalkState } from '../../../schemas/counterexample.js';
import type { Exploration } from '../../../schemas/exploration.js';
import { type Path, PathError, parsePath } from '../../explorer/path.js';
import { exploredWorld } from '../../model/explored-world.js';
import { MachineModel } from '../../model/machine-model.js';
import { desiredChanges, registersItem, violatedIn } from '../../model/render/frame-items.js';
import { framesOfPath } from '../../model/render/path-frames.js';
import { stepsOfPath } from '../../model/render/path-steps.js';
import { renderPath, renderSteps } from '../../model/render/rendered-steps.js';
import { summarise } from '../../model/render/summary.js';
import { toMermaid, toText } from '../../model/render/text.js';
import { replayScript } from '../../model/replay-script.js';
import { walkState } from '../../model/state-browser.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import type { WorkRow } from '../../store/work-store.js';
import { ProblemError } from '../problem-error.js';
import { missing } from '../refusals.js';
import { scriptActions } from '../wire.js';
import type { StoredRequest } from './request.js';

/** Rendering a step takes about 0.2 ms of the event loop. */
const TOLD_STEPS_MAX = 1000;

/** A counterexample by its id, `<property>-<number>`. */
export function counterexample(row: WorkRow, id: string): Counterexample {
  const { model, path, property } = find(row, id);
  const steps = stepsOfPath(model, path);
  const { paragraph, end } = summarise(model, property, steps);
  const { host, script } = replayScript(model, path);
  const frames = framesOfPath(model, steps);
  const origin = { world: model.explored.world, addresses: model.explored.host.addresses };
  return {
    id,
    property,
    summary: paragraph,
    path: path.join('/'),
    registers_before: registersItem(origin, frames[0]!),
    steps: renderSteps(model, steps).map(({ number, title: _, ...step }) => ({
      ...step,
      desired: desiredChanges(origin, frames[number - 1]!, frames[number]!),
      violated: violatedIn(frames[number]!, step.cpu),
    })),
    end: [...end],
    host,
    script: scriptActions(script),
  };
}

/** As a text; `all` spells out the steps that only mark time. */
export function counterexampleStory(row: WorkRow, id: string, all: boolean): string {
  const { model, path, property } = find(row, id);
  const { spec } = model.explored;
  const statement = INVARIANTS.find((invariant) => invariant.id === property)?.statement ?? '';
  const steps = stepsOfPath(model, path);
  const title = `${property} on ${spec.kernel}, ${spec.cpu_model}: ${statement}`;
  const { paragraph, end } = summarise(model, property, steps);
  return toText({ title, paragraph, steps: renderSteps(model, steps), end }, all);
}

export function counterexampleDiagram(row: WorkRow, id: string, all: boolean): string {
  const { model, path } = find(row, id);
  return toMermaid(renderPath(model, path), all);
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
      `The counterexample has ${link.steps} steps, and only counterexamples of up to ${TOLD_STEPS_MAX} steps are rendered: search breadth-first, or set bounds.depth.`,
    );
  }
  return { model: modelOf(row), path: parsePath(link.path), property };
}

function modelOf(row: WorkRow): MachineModel {
  const { model } = row.resource as Exploration;
  return new MachineModel(exploredWorld(model), (row.request as StoredRequest).request.properties);
}
