/** What an exploration found: counterexamples as steps, scripts, stories and diagrams, and walks through its states. */
import type {
  Counterexample,
  CounterexampleItem,
  WalkState,
} from '../../../schemas/counterexample.js';
import type { Exploration } from '../../../schemas/exploration.js';
import { type Path, PathError, parsePath } from '../../explorer/path.js';
import { exploredWorld } from '../../model/explored-world.js';
import { MachineModel } from '../../model/machine-model.js';
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

/** All counterexamples, property by property, without their steps. */
export function counterexamples(row: WorkRow): CounterexampleItem[] {
  return (row.resource as Exploration).properties.flatMap(({ id: property, counterexamples }) =>
    counterexamples.map(({ path: _, ...link }) => ({ property, ...link })),
  );
}

/** A counterexample by its id, `<property>-<number>`, or the first one of a property. */
export function counterexample(row: WorkRow, reference: string): Counterexample {
  const { model, path, property, id } = find(row, reference);
  const steps = stepsOfPath(model, path);
  const { paragraph, end } = summarise(model, property, steps);
  const { host, script } = replayScript(model, path);
  return {
    id,
    property,
    summary: paragraph,
    path: path.join('/'),
    steps: renderSteps(model, steps).map(({ number: _, title: __, ...step }) => step),
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

interface Found {
  readonly id: string;
  readonly model: MachineModel;
  readonly path: Path;
  readonly property: string;
}

function find(row: WorkRow, reference: string): Found {
  const id = reference.includes('-') ? reference : `${reference}-0`;
  const property = id.slice(0, id.lastIndexOf('-'));
  const link = (row.resource as Exploration).properties
    .find((outcome) => outcome.id === property)
    ?.counterexamples.find((one) => one.id === id);
  if (link === undefined) {
    return missing('counterexample', reference);
  }
  if (link.steps > TOLD_STEPS_MAX) {
    throw new ProblemError(
      'limit_reached',
      `The counterexample has ${link.steps} steps, and only counterexamples of up to ${TOLD_STEPS_MAX} steps are rendered: search breadth-first, or set bounds.depth.`,
    );
  }
  return { id, model: modelOf(row), path: parsePath(link.path), property };
}

function modelOf(row: WorkRow): MachineModel {
  const { model } = row.resource as Exploration;
  return new MachineModel(exploredWorld(model), (row.request as StoredRequest).request.properties);
}
