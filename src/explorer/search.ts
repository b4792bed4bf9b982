import { performance } from 'node:perf_hooks';
import { breadthFirst } from './bfs.js';
import { Budget, BYTES_MAX_DEFAULT, type Limits } from './budget.js';
import { depthFirst } from './dfs.js';
import { type Evidence, explain } from './evidence.js';
import type { Exchange } from './exchange.js';
import { Gauge } from './gauge.js';
import { assertModel, type Model } from './model.js';
import { replay } from './path.js';
import { randomWalks } from './random-walk.js';
import { pointOfNoReturn, regionsOf } from './regions.js';
import { type ExploreResult, type PropertyResult, verdictOf, worstVerdict } from './result.js';
import { type GraphBounds, stateGraph } from './state-graph.js';
import type { Findings, Found, Levels, Run, Share, Strategy } from './strategy.js';

export interface SearchOptions {
  /** Default breadth-first. */
  readonly strategy?: Strategy | undefined;
  readonly limits?: Limits | undefined;
  /** Search one state of each class of symmetric ones; the model must have `canonical`. Default false. */
  readonly fold?: boolean | undefined;
  /** End after the level in which an 'always' property is first violated. Default false: search everything. */
  readonly stopAtFirstViolation?: boolean | undefined;
  /** About how many distinct states there are, if known: avoids growing the table, about a fifth of the time. */
  readonly statesExpected?: number | undefined;
  /** Classes of symmetric counterexamples reported for each property. Default 32. */
  readonly groupsMax?: number | undefined;
  /** Paths listed for each class. Default 8. */
  readonly pathsMax?: number | undefined;
  /** Of every way to a violation, find the point of no return, where the search is complete and its graph within these bounds. */
  readonly graph?: Omit<GraphBounds, 'fold'> | undefined;
}

/** What a search shares with other threads while it runs. */
export interface Hooks {
  readonly budget: Budget;
  readonly gauge: Gauge;
  readonly share: Share;
  readonly exchange: Exchange | null;
}

/** Searches in the calling thread, and blocks it. Throws if the model or the options violate their contract. */
export function search(model: Model, options: SearchOptions = {}): ExploreResult {
  const start = performance.now();
  const hooks = {
    budget: new Budget(options.limits ?? {}),
    gauge: new Gauge(),
    share: { index: 0, of: 1 },
    exchange: null,
  };
  return conclude(model, options, [searchShare(model, options, hooks)], start);
}

/** Does one worker's share of a search. */
export function searchShare(model: Model, options: SearchOptions, hooks: Hooks): Findings {
  assertModel(model);
  assertOptions(options, hooks.share.of);
  if (options.fold && model.canonical === undefined)
    throw new TypeError('fold needs a model with canonical()');
  const run: Run = {
    ...hooks,
    model,
    fold: options.fold ?? false,
    limits: options.limits ?? {},
    stopAtFirstViolation: options.stopAtFirstViolation ?? false,
    statesExpected: options.statesExpected ?? 0,
  };
  const strategy = options.strategy ?? { kind: 'breadth-first' };
  switch (strategy.kind) {
    case 'breadth-first':
      return breadthFirst(run);
    case 'depth-first':
      return depthFirst(run);
    case 'random-walk':
      return randomWalks(run, strategy.seed, strategy.walks);
  }
}

/** Rejects options out of range. */
export function assertOptions(options: SearchOptions, workers: number): void {
  const whole = (name: string, value: number | undefined, min: number): void => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= min))
      throw new RangeError(`${name} must be a whole number from ${min}, not ${value}`);
  };
  whole('workers', workers, 1);
  if (workers > WORKERS_MAX)
    throw new RangeError(`workers must be at most ${WORKERS_MAX}, not ${workers}`);
  whole('statesMax', options.limits?.statesMax, 1);
  whole('depthMax', options.limits?.depthMax, 0);
  whole('millisMax', options.limits?.millisMax, 0);
  whole('bytesMax', options.limits?.bytesMax, 1);
  whole('statesExpected', options.statesExpected, 0);
  whole('groupsMax', options.groupsMax, 1);
  whole('pathsMax', options.pathsMax, 1);
  const { strategy } = options;
  if (strategy?.kind === 'depth-first' && workers !== 1)
    throw new RangeError('depth-first search takes one worker');
  if (strategy?.kind === 'random-walk') {
    whole('walks', strategy.walks, 1);
    if (!Number.isInteger(strategy.seed))
      throw new RangeError(`seed must be a whole number, not ${strategy.seed}`);
    if (options.fold)
      throw new RangeError('fold has no effect on random walks, which store no states');
  }
}

/** Combines the shares of all workers, rebuilds the counterexamples and computes the verdicts. */
export function conclude(
  model: Model,
  options: SearchOptions,
  shares: readonly Findings[],
  start: number,
): ExploreResult {
  const cut = shares.find((share) => share.cut !== null)?.cut ?? null;
  const complete = cut === null;
  const properties = model.properties.map(({ id, kind }, p): PropertyResult => {
    const found = shares.map((share) => share.found[p] as Found).filter((one) => one.count > 0);
    return {
      id,
      kind,
      verdict: verdictOf(kind, found.length > 0, complete),
      count: found.reduce((sum, one) => sum + one.count, 0),
      evidence:
        found.length === 0 || cut === 'cancelled'
          ? null
          : evidenceOf(model, options, shares, found),
    };
  });
  const sum = (of: (share: Findings) => number): number =>
    shares.reduce((total, share) => total + of(share), 0);
  const max = (of: (share: Findings) => number): number => Math.max(...shares.map(of));
  const bytes = sum((share) => share.bytes);
  const states = shares.some((share) => share.distinctStates === null)
    ? null
    : sum((share) => share.distinctStates ?? 0);
  return {
    verdict: worstVerdict(
      properties.map((property) => property.verdict),
      complete,
    ),
    complete,
    cut,
    distinctStates: states,
    totalStates: sum((share) => share.totalStates),
    depth: max((share) => share.depth),
    widestLevel: max((share) => share.widestLevel),
    millis: performance.now() - start,
    bytes,
    properties: complete
      ? withPointsOfNoReturn(model, options, properties, { states, bytes })
      : properties,
  };
}

function withPointsOfNoReturn(
  model: Model,
  options: SearchOptions,
  properties: readonly PropertyResult[],
  { states, bytes }: { readonly states: number | null; readonly bytes: number },
): readonly PropertyResult[] {
  const { graph: bounds, fold = false, limits = {} } = options;
  if (bounds === undefined || !properties.some(({ verdict }) => verdict === 'violated')) {
    return properties;
  }
  if (states === null || states > bounds.statesMax) return properties;
  const bytesMax = Math.min(bounds.bytesMax, (limits.bytesMax ?? BYTES_MAX_DEFAULT) - bytes);
  const graph = stateGraph(model, { ...bounds, fold, bytesMax });
  if (!graph.complete) return properties;
  return properties.map((property, p) => {
    const { evidence } = property;
    if (property.verdict !== 'violated' || evidence === null) return property;
    const regions = regionsOf(graph, p);
    const groups = evidence.groups.map((group) => ({
      ...group,
      pointOfNoReturn: pointOfNoReturn(graph, regions, group.listed[0] ?? []),
    }));
    return { ...property, evidence: { ...evidence, groups } };
  });
}

function evidenceOf(
  model: Model,
  options: SearchOptions,
  shares: readonly Findings[],
  found: readonly Found[],
): Evidence {
  const levels = shares.map((share) => share.levels).filter((one): one is Levels => one !== null);
  if (levels.length === 0) {
    const first = found.reduce((low, one) => (one.walk < low.walk ? one : low));
    const path = first.path ?? [];
    const state = replay(model, path).at(-1)?.state ?? new Int32Array(model.words);
    if (path.length === 0) model.initial(state);
    return {
      depth: path.length,
      minimal: path.length === 0,
      exhaustive: false,
      states: 1,
      paths: null,
      groups: [{ state: [...state], states: 1, paths: null, listed: [path] }],
    };
  }
  const depth = Math.min(...found.map((one) => one.depth));
  const atDepth = found.filter((one) => one.depth === depth);
  const targets = new Int32Array(atDepth.reduce((length, one) => length + one.states.length, 0));
  let at = 0;
  for (const one of atDepth) {
    targets.set(one.states, at);
    at += one.states.length;
  }
  const levelsComplete = Math.min(...shares.map((share) => share.levelsComplete));
  const limits = { groupsMax: options.groupsMax ?? 32, pathsMax: options.pathsMax ?? 8 };
  return {
    ...explain(model, options.fold ?? false, levels, targets, depth, limits),
    minimal: true,
    exhaustive: levelsComplete >= depth,
  };
}

const WORKERS_MAX = 64;
