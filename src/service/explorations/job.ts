/**
 * One exploration carried out: its searches, and their findings as a resource.
 */
import type { Exploration } from '../../../schemas/exploration.js';
import type { ExploreOptions, ExploreWatch } from '../../explorer/explore.js';
import type { ModelSource } from '../../explorer/model.js';
import { formatPath } from '../../explorer/path.js';
import type { ExploreResult, PropertyResult, Verdict } from '../../explorer/result.js';
import type { MachineModelArgs } from '../../model/machine-model.js';
import type { ProductModelArgs } from '../../model/pair-model.js';
import { pairStory } from '../../model/render/pair-story.js';
import type { WorldSpec } from '../../model/world-spec.js';
import { assumptionsOf, type Judged } from './assumptions.js';
import type { Search } from './bounded-search.js';
import { pairRuns } from './pair-runs.js';
import type { AskedExploration } from './request.js';

const MACHINE_MODULE = new URL('../../model/machine-model.js', import.meta.url).href;
const PRODUCT_MODULE = new URL('../../model/pair-model.js', import.meta.url).href;

type Outcome = Partial<Exploration>;

/**
 * Searches, and afterwards whatever else was asked for, which together may take as long again. Rejects only on our own
 * bugs, or with what `search` rejects.
 */
export async function runExploration(
  search: Search,
  request: AskedExploration['request'],
  model: WorldSpec,
  options: ExploreOptions,
  watch: ExploreWatch,
): Promise<Outcome> {
  const { properties, compare_with: other } = request;
  const outcome = outcomeOf(await search(machineSource(model, properties), options, watch));
  const millisMax = options.limits?.millisMax ?? Number.POSITIVE_INFINITY;
  const until = performance.now() + millisMax;
  const find: Find = (source, more) => {
    const millisLeft = Math.max(1, Math.floor(until - performance.now()));
    const limits = { ...options.limits, millisMax: Math.min(millisMax, millisLeft) };
    // Only the search that was asked for itself keeps its levels and looks for points of no return.
    return search(
      source,
      { ...options, keep: undefined, graph: undefined, limits, ...more },
      watch,
    );
  };
  const judgeIn = (world: WorldSpec): Promise<Judged> => judge(world, properties, find);
  const explains = request.assumptions && outcome.verdict === 'violated';
  return {
    ...outcome,
    ...(explains && (await assumptionsOf(model, judgeIn, watch.signal))),
    ...(other && { difference: await differenceOf({ model, other, properties }, find) }),
  };
}

type Find = (source: ModelSource, more: Partial<ExploreOptions>) => Promise<ExploreResult>;

export function machineSource(model: WorldSpec, properties: readonly string[]): ModelSource {
  const args: MachineModelArgs = { model, properties };
  return { module: MACHINE_MODULE, args };
}

function outcomeOf(result: ExploreResult): Outcome {
  const states = result.distinctStates ?? 0;
  return {
    verdict: verdictOf(result.properties, result.complete),
    complete: result.complete,
    cut: result.cut,
    distinct_states: result.distinctStates,
    total_states: result.totalStates,
    depth: result.depth,
    bytes_per_state: states === 0 ? 0 : result.bytes / states,
    states_per_second:
      result.millis === 0 ? 0 : ((states - result.restoredStates) * 1000) / result.millis,
    properties: result.properties.map(propertyItem),
  };
}

/** The worst of the invariants; whether a coverage goal was reached does not change the verdict. */
function verdictOf(properties: readonly PropertyResult[], complete: boolean): Verdict {
  const verdicts = properties.filter(({ kind }) => kind === 'always').map(({ verdict }) => verdict);
  if (verdicts.includes('violated')) {
    return 'violated';
  }
  return complete ? 'holds' : 'undecided';
}

function propertyItem(result: PropertyResult): Exploration['properties'][number] {
  const groups = result.evidence?.groups ?? [];
  const links = groups.map((group, at) => {
    const path = group.listed[0] ?? [];
    return {
      id: `${result.id}-${at}`,
      path: formatPath(path),
      steps: path.length,
      ...(group.pointOfNoReturn == null ? {} : { point_of_no_return: group.pointOfNoReturn }),
      symmetric: group.states,
      paths: group.paths,
    };
  });
  const [first] = links;
  return {
    id: result.id,
    kind: result.kind,
    verdict: result.verdict,
    states: result.count,
    ...(first === undefined ? {} : { counterexample: first }),
    counterexamples: links,
    ...(result.evidence === null ? {} : { minimal: result.evidence.minimal }),
  };
}

/** Whether anything is violated in a world. */
async function judge(world: WorldSpec, properties: readonly string[], find: Find): Promise<Judged> {
  const result = await find(machineSource(world, properties), {
    fold: false,
    stopAtFirstViolation: true,
    groupsMax: 1,
    pathsMax: 1,
  });
  const depths = result.properties
    .filter(({ kind, evidence }) => kind === 'always' && evidence !== null)
    .map(({ evidence }) => evidence?.depth ?? 0);
  return { verdict: verdictOf(result.properties, result.complete), steps: Math.min(...depths) };
}

async function differenceOf(
  args: ProductModelArgs,
  find: Find,
): Promise<NonNullable<Exploration['difference']> | null> {
  const result = await find(
    { module: PRODUCT_MODULE, args },
    { strategy: { kind: 'breadth-first' }, fold: false, stopAtFirstViolation: true },
  );
  const found = result.properties
    .filter((property) => property.evidence !== null)
    .sort((a, b) => (a.evidence?.depth ?? 0) - (b.evidence?.depth ?? 0))[0];
  const path = found?.evidence?.groups[0]?.listed[0];
  if (found === undefined || path === undefined) {
    return null;
  }
  const fails = found.id === 'only_first_fails' ? 'first' : 'other';
  const [kernel, other] =
    fails === 'first' ? [args.model.kernel, args.other] : [args.other, args.model.kernel];
  const { runs, rows, ...story } = pairStory(args, path, fails);
  const compared = pairRuns({ runs, rows });
  return { kernel, other, steps: path.length, ...story, ...compared };
}
