import type { Observation } from './observation.js';

/**
 * The contract between a transition system and everything that searches it.
 *
 * A state is `words` 32-bit words in an Int32Array. Constants of a world are in the model, only variables are in the
 * state. A model is deterministic: the same state always has the same successors in the same order, which is
 * why a path can be the list of their indices. Nothing here allocates per step: the hot loops of the strategies call
 * `expand` and `check` tens of millions of times.
 */
export interface Model {
  /** 32-bit words of one state, 1 to 16. */
  readonly words: number;
  /** No state has more successors than this; it sizes the buffers, and `expand` must not exceed it. */
  readonly successorsMax: number;
  /** At most 31, since `check` returns one bit for each. */
  readonly properties: readonly Property[];
  /** Writes the initial state to `out[0 … words-1]`. */
  initial(out: Int32Array): void;
  /**
   * Appends every successor of the state at `states[at … at+words-1]` to `out`, in a stable order.
   * A successor equal to the state itself counts as a transition like any other.
   */
  expand(states: Int32Array, at: number, out: Successors): void;
  /** Bit p is set if this state violates `properties[p]` ('always') or witnesses it ('sometimes'). */
  check(states: Int32Array, at: number): number;
  /** Describes the state at `at` in words, or, with `label`, the action with that label in it. */
  describe(states: Int32Array, at: number, label?: number): string;
  /**
   * The actor of the action with a label, 0 to 30, or -1 if it has none. Of equally short runs those with the fewest
   * actors are reported first.
   */
  actorOf?(label: number): number;
  /**
   * Rewrites the state at `at` into the representative of its class of symmetric states. Sound only if the symmetry
   * commutes with `expand` and preserves `check`, and the representative is the same for all members of a class.
   */
  canonical?(states: Int32Array, at: number): void;
  /**
   * Where a part of the state at `at` is, as a number from 0: states with the same place are one node of a map. Symmetric
   * states may differ in it.
   */
  placeOf?(states: Int32Array, at: number, part: number): number;
  /** What the step with this label from the state at `at` is called where steps are told by name. */
  nameOf?(states: Int32Array, at: number, label: number): string;
  /**
   * Writes to `out` what an observer sees of the step to the nth of the successors that `expand` wrote last, in order, and
   * returns how many symbols that is; 0 for a step that shows nothing. Symbols are those of observation.ts.
   */
  emits?(nth: number, out: Int32Array): number;
  /** What a recorded symbol that says something of a state would be in the state at `at`: the same where it is true, else another, or MISSING. */
  stateSymbol?(states: Int32Array, at: number, recorded: number): number;
  /** What was recorded next, from a position on: until told otherwise `expand` may leave out steps that show anything else. */
  expects?(recording: Observation, position: number): void;
  /**
   * Writes to `out` the successor of the state at `at` by the step with this label. Paths of a model that has it name steps by
   * their labels instead of counting successors.
   */
  take?(states: Int32Array, at: number, label: number, out: Int32Array): void;
}

export interface Property {
  readonly id: string;
  /** 'always': no reachable state may violate it. 'sometimes': some reachable state should witness it. */
  readonly kind: 'always' | 'sometimes';
}

/**
 * Where `expand` puts successors: successor k is `words[k*n … k*n+n-1]` (n = the model's words) reached by the action
 * `labels[k]`. Append at `count`, then add one to it; keep `count` in a local variable while appending several.
 */
export interface Successors {
  readonly words: Int32Array;
  readonly labels: Int32Array;
  count: number;
}

/** How many 32-bit words a packed state may take. */
export const WORDS_MAX = 16;

/** An empty buffer with room for the successors of `states` states. */
export function successorsFor(model: Model, states: number): Successors {
  const room = states * model.successorsMax;
  return { words: new Int32Array(room * model.words), labels: new Int32Array(room), count: 0 };
}

/**
 * Expands one state onto the end of `out`. Throws if the model exceeds its own `successorsMax`: a write past the end of a
 * typed array is silently lost, and a lost successor would make every verdict wrong.
 */
export function expandInto(model: Model, states: Int32Array, at: number, out: Successors): void {
  const before = out.count;
  model.expand(states, at, out);
  if (out.count - before > model.successorsMax) {
    throw new RangeError(
      `model error: a state has ${out.count - before} successors, successorsMax is ${model.successorsMax}`,
    );
  }
}

/**
 * How a worker thread makes its own model: `module` is the URL of a compiled ES module that exports
 * `createModel(args)`; `args` must survive structured cloning.
 */
export interface ModelSource {
  readonly module: string;
  readonly args: unknown;
}

/** Loads the model of a source. Throws if the module does not export `createModel`. */
export async function loadModel(source: ModelSource): Promise<Model> {
  const loaded = (await import(source.module)) as {
    createModel?: (args: unknown) => Model | Promise<Model>;
  };
  if (typeof loaded.createModel !== 'function')
    throw new TypeError(`${source.module} exports no createModel(args)`);
  return assertModel(await loaded.createModel(source.args));
}

/** Rejects a model that the packed tables cannot hold. */
export function assertModel(model: Model): Model {
  const { words, successorsMax, properties } = model;
  if (!Number.isInteger(words) || words < 1 || words > WORDS_MAX)
    throw new RangeError(`model.words must be 1 to ${WORDS_MAX}, not ${words}`);
  if (!Number.isInteger(successorsMax) || successorsMax < 1)
    throw new RangeError(`model.successorsMax must be at least 1, not ${successorsMax}`);
  if (properties.length > 31)
    throw new RangeError(`a model has at most 31 properties, not ${properties.length}`);
  return model;
}
