import { expandInto, type Model, successorsFor } from './model.js';

/**
 * A run of a model: at each step the index of the successor taken, counted from 0 in the order `expand` writes them, or, of a
 * model with `take`, the label of the step. The empty path is the initial state.
 */
export type Path = readonly number[];

/** The form used in URLs: `0/3/1`, and the empty string for the initial state. */
export function formatPath(path: Path): string {
  return path.join('/');
}

/** The form to store, with the version of the numbering of successors: `v1:0/3/1`. */
export function formatStoredPath(path: Path): string {
  return `${STORED_VERSION}:${formatPath(path)}`;
}

/** Reads either form. Throws a `PathError` if the text is not a path or its version is unknown. */
export function parsePath(text: string): Path {
  const colon = text.indexOf(':');
  const version = colon < 0 ? STORED_VERSION : text.slice(0, colon);
  if (version !== STORED_VERSION)
    throw new PathError(
      `path version ${JSON.stringify(version)} is unknown; this explorer reads ${STORED_VERSION}`,
    );
  const steps = text.slice(colon + 1);
  if (steps === '') return [];
  return steps.split('/').map((step) => {
    if (!/^(0|[1-9][0-9]{0,8})$/.test(step))
      throw new PathError(
        `a path is successor indices joined by "/", and ${JSON.stringify(step)} is not an index`,
      );
    return Number(step);
  });
}

/** One step of a replayed path: the successor taken, the action's label, and the state it led to. */
export interface Step {
  readonly index: number;
  readonly label: number;
  readonly state: Int32Array;
}

/** A state, the path to it, and its successors. */
export interface Place {
  readonly state: Int32Array;
  /** The steps taken; `steps.at(-1).state` equals `state` unless the path is empty. */
  readonly steps: readonly Step[];
  readonly successors: readonly Step[];
  /** `model.check` of the state. */
  readonly found: number;
}

/** Where a path leaves the model. `step` counts from 0; -1 if the text itself could not be parsed. */
export class PathError extends Error {
  readonly step: number;
  constructor(message: string, step = -1) {
    super(message);
    this.name = 'PathError';
    this.step = step;
  }
}

/** Runs a path from the initial state. Throws a `PathError` that names the step that cannot be taken. */
export function replay(model: Model, path: Path): readonly Step[] {
  return [...stepsAlong(model, path)];
}

/** The same step by step, for those who let others in between. */
export function* stepsAlong(model: Model, path: Path): Generator<Step> {
  const { words } = model;
  let state = initialState(model);
  if (model.take !== undefined) {
    for (const label of path) {
      const next = new Int32Array(words);
      model.take(state, 0, label, next);
      state = next;
      yield { index: label, label, state };
    }
    return;
  }
  const out = successorsFor(model, 1);
  for (const [step, index] of path.entries()) {
    out.count = 0;
    expandInto(model, state, 0, out);
    if (index >= out.count) throw divergence(model, state, index, step, out.count);
    state = out.words.slice(index * words, (index + 1) * words);
    yield { index, label: out.labels[index] as number, state };
  }
}

/** Replays a path and expands its last state. Throws a `PathError` as `replay` does. */
export function walkTo(model: Model, path: Path): Place {
  const steps = replay(model, path);
  const state = steps.at(-1)?.state ?? initialState(model);
  return { state, steps, successors: successorsOf(model, state), found: model.check(state, 0) };
}

/** Every successor of one state, copied out. */
export function successorsOf(model: Model, state: Int32Array): readonly Step[] {
  const { words } = model;
  const out = successorsFor(model, 1);
  expandInto(model, state, 0, out);
  return Array.from({ length: out.count }, (_, index) => ({
    index: model.take === undefined ? index : (out.labels[index] as number),
    label: out.labels[index] as number,
    state: out.words.slice(index * words, (index + 1) * words),
  }));
}

export function initialState(model: Model): Int32Array {
  const state = new Int32Array(model.words);
  model.initial(state);
  return state;
}

const STORED_VERSION = 'v1';

function divergence(
  model: Model,
  state: Int32Array,
  index: number,
  step: number,
  count: number,
): PathError {
  const choices = count === 0 ? 'no successor at all' : `only successors 0 to ${count - 1}`;
  return new PathError(
    `step ${step} of the path takes successor ${index}, but the state there has ${choices}: ${model.describe(state, 0)}. ` +
      'Likely the path was recorded on another model, other arguments or another version of it; ' +
      'if not, the model is not deterministic (a clock, a random number, an iteration order that varies).',
    step,
  );
}
