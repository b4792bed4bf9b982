/** What an exploration found: counterexamples as steps, as scripts and as files. */
import type { Counterexample, CounterexampleItem } from '../../../schemas/counterexample.js';
import type { Exploration } from '../../../schemas/exploration.js';
import { PathError, parsePath } from '../../explorer/path.js';
import { exploredWorld } from '../../model/explored-world.js';
import { type PathTold, recordingOfPath, storyOfPath } from '../../model/exports/of-path.js';
import { MachineModel } from '../../model/machine-model.js';
import { desiredChanges, registersItem, violatedIn } from '../../model/render/frame-items.js';
import { framesOfPath } from '../../model/render/path-frames.js';
import { stepsOfPath } from '../../model/render/path-steps.js';
import { renderSteps } from '../../model/render/rendered-steps.js';
import { summarise } from '../../model/render/summary.js';
import { replayScript } from '../../model/replay-script.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import type { WorkRow } from '../../store/work-store.js';
import { type ExportFile, type ExportFormat, exported } from '../exports.js';
import { ProblemError } from '../problem-error.js';
import { missing } from '../refusals.js';
import { Slices } from '../slices.js';
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
  const { model, path, property, link } = find(row, reference);
  const { id, point_of_no_return: point } = link;
  const steps = stepsOfPath(model, path);
  const { paragraph, end } = summarise(model, property, steps);
  const { host, script } = replayScript(model, path);
  const frames = framesOfPath(model, steps);
  return {
    id,
    property,
    summary: paragraph,
    path: path.join('/'),
    ...(point === undefined ? {} : { point_of_no_return: point }),
    registers_before: registersItem(model.explored.host, frames[0]!),
    steps: renderSteps(model, steps).map(({ number, title: _, ...step }) => ({
      ...step,
      desired: desiredChanges(model.explored.host, frames[number - 1]!, frames[number]!),
      violated: violatedIn(frames[number]!, step.cpu),
    })),
    end: [...end],
    host,
    script: scriptActions(script),
  };
}

/** A counterexample as a file. */
export async function counterexampleFile(
  row: WorkRow,
  reference: string,
  format: ExportFormat,
  all: boolean,
): Promise<ExportFile> {
  const { model, path, property, link } = find(row, reference);
  const { kernel, cpu_model } = model.explored.spec;
  const statement = INVARIANTS.find((invariant) => invariant.id === property)?.statement;
  const where = `${property} on ${kernel}, ${cpu_model}`;
  // What a coverage goal says is the paragraph.
  const title = statement === undefined ? where : `${where}: ${statement}`;
  return fileOf(row, model, link.id, { path, title, property }, format, all);
}

/** The path to a state as a file. */
export async function stateFile(
  row: WorkRow,
  text: string,
  format: ExportFormat,
  all: boolean,
): Promise<ExportFile> {
  const path = await onPath(() => parsePath(text));
  assertTold('path', path.length);
  const model = modelOf(row);
  const { kernel, cpu_model } = model.explored.spec;
  const title = `${kernel}, ${cpu_model}: the path ${text === '' ? 'of no step' : text}`;
  // A long path would make no name.
  const name =
    path.length > 0 && path.length <= 12 ? `path-${path.join('-')}` : `step-${path.length}`;
  return onPath(() => fileOf(row, model, name, { path, title }, format, all));
}

function fileOf(
  row: WorkRow,
  model: MachineModel,
  name: string,
  told: PathTold,
  format: ExportFormat,
  all: boolean,
): Promise<ExportFile> {
  const slices = new Slices();
  const pause = (): Promise<void> => slices.pause();
  const source = {
    about: [name, ...worldNames(row.resource as Exploration)],
    recording: () => recordingOfPath(model, told, pause),
    story: () => storyOfPath(model, told, pause),
  };
  return exported(format, source, all);
}

/** The kernel and the rest of the world: of its scenario, as it was asked for, or the CPU model and the NMI timing. */
export function worldNames({ scenario, model }: Exploration): string[] {
  const [, kernel, rest] = /^matrix-(.+)-(k\d-.+)$/.exec(scenario ?? '') ?? [];
  return kernel !== undefined && rest !== undefined
    ? [kernel, rest]
    : [
        model.kernel,
        scenario?.replace(`-${model.kernel}`, '') ??
          `${model.cpu_model}-${model.nmi_timing ?? 'prompt'}`,
      ];
}

/** A path that leaves the model leads to nothing. */
export async function onPath<Found>(follow: () => Found | Promise<Found>): Promise<Found> {
  try {
    return await follow();
  } catch (error) {
    if (error instanceof PathError) {
      throw new ProblemError('not_found', error.message);
    }
    throw error;
  }
}

function find(row: WorkRow, reference: string) {
  const id = reference.includes('-') ? reference : `${reference}-0`;
  const property = id.slice(0, id.lastIndexOf('-'));
  const link = (row.resource as Exploration).properties
    .find((outcome) => outcome.id === property)
    ?.counterexamples.find((one) => one.id === id);
  if (link === undefined) {
    return missing('counterexample', reference);
  }
  assertTold('counterexample', link.steps);
  return { model: modelOf(row), path: parsePath(link.path), property, link };
}

function assertTold(what: string, steps: number): void {
  if (steps > TOLD_STEPS_MAX) {
    throw new ProblemError(
      'limit_reached',
      `The ${what} has ${steps} steps, and only those of up to ${TOLD_STEPS_MAX} steps are rendered: search breadth-first, or set bounds.depth.`,
    );
  }
}

/** The model that an exploration searched. */
export function modelOf(row: WorkRow): MachineModel {
  const { model } = row.resource as Exploration;
  return new MachineModel(exploredWorld(model), (row.request as StoredRequest).request.properties);
}
