/**
 * One exploration carried out: its searches, and their findings as a resource.
 */
import type { Exploration } from '../../../schemas/exploration.js';
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import type { ExploreOptions, ExploreWatch } from '../../explorer/explore.js';
import type { ModelSource } from '../../explorer/model.js';
import { formatPath, type Path, replay } from '../../explorer/path.js';
import type { ExploreResult, PropertyResult, Verdict } from '../../explorer/result.js';
import type { MachineModelArgs } from '../../model/machine-model.js';
import { createModel as createPair, type ProductModelArgs } from '../../model/pair-model.js';
import { actionOf, executedStep } from '../../model/steps/told.js';
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import type { Search } from './bounded-search.js';
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
  model: ExplorationModel,
  options: ExploreOptions,
  watch: ExploreWatch,
): Promise<Outcome> {
  const { properties } = request;
  const outcome = outcomeOf(await search(machineSource(model, properties), options, watch));
  const millisMax = options.limits?.millisMax ?? Number.POSITIVE_INFINITY;
  const until = performance.now() + millisMax;
  const find: Find = (source, more) => {
    const millisLeft = Math.max(1, Math.floor(until - performance.now()));
    const limits = { ...options.limits, millisMax: Math.min(millisMax, millisLeft) };
    return search(source, { ...options, limits, ...more }, watch);
  };
  const assumptions =
    request.assumptions && outcome.verdict === 'violated'
      ? { assumptions: await assumptionsOf(model, properties, find, watch.signal) }
      : {};
  const difference =
    request.compare_with === undefined
      ? {}
      : {
          difference: await differenceOf({ model, other: request.compare_with, properties }, find),
        };
  return { ...outcome, ...assumptions, ...difference };
}

type Find = (source: ModelSource, more: Partial<ExploreOptions>) => Promise<ExploreResult>;

export function machineSource(model: ExplorationModel, properties: readonly string[]): ModelSource {
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
    states_per_second: result.millis === 0 ? 0 : (states * 1000) / result.millis,
    properties: result.properties.map(propertyItem),
  };
}

/** The worst of the invariants; whether a mark was reached does not change the verdict. */
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

/** Drops one part of the world after the other and asks whether anything is still violated. */
async function assumptionsOf(
  model: ExplorationModel,
  properties: readonly string[],
  find: Find,
  signal: AbortSignal | undefined,
): Promise<NonNullable<Exploration['assumptions']>> {
  const findings: NonNullable<Exploration['assumptions']> = [];
  for (const { assumption, model: without } of withoutEach(model)) {
    if (signal?.aborted) {
      break;
    }
    const result = await find(machineSource(without, properties), {
      fold: false,
      stopAtFirstViolation: true,
      groupsMax: 1,
      pathsMax: 1,
    });
    const verdict = verdictOf(result.properties, result.complete);
    findings.push({ assumption, needed: verdict === 'holds', verdict });
  }
  return findings;
}

/** The world without late NMIs, without one actor, event or vCPU. */
function withoutEach(model: ExplorationModel): { assumption: string; model: ExplorationModel }[] {
  const { actors = [], events = [], vcpus = [] } = model;
  const leads = (at: number): boolean =>
    events.some((event) => event.group_leader === (events[at]?.name ?? `e${at}`));
  return [
    ...(model.nmi_timing === 'late'
      ? [{ assumption: 'late NMIs', model: { ...model, nmi_timing: 'prompt' as const } }]
      : []),
    ...(model.nmi_in_e3 === false
      ? []
      : [
          {
            assumption: 'NMIs between the load and the WRMSR of e3',
            model: { ...model, nmi_in_e3: false },
          },
        ]),
    ...actors.map((actor) => ({
      assumption: `the actor ${actor.kind}`,
      model: { ...model, actors: actors.filter((other) => other !== actor) },
    })),
    ...events.flatMap((event, at) =>
      leads(at)
        ? []
        : [
            {
              assumption: `the event ${event.name ?? `e${at}`}`,
              model: { ...model, events: named(events).filter((_, nth) => nth !== at) },
            },
          ],
    ),
    ...vcpus.map((vcpu, at) => ({
      assumption: `the vCPU ${vcpu.name ?? `v${at}`}`,
      model: { ...model, vcpus: vcpus.filter((_, nth) => nth !== at) },
    })),
  ];
}

/** Events keep the names they had before one of them is left out. */
function named(events: NonNullable<ExplorationModel['events']>) {
  return events.map((event, at) => ({ name: `e${at}`, ...event }));
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
  const [kernel, other] =
    found.id === 'only_first_fails'
      ? [args.model.kernel, args.other]
      : [args.other, args.model.kernel];
  return { kernel, other, steps: path.length, ...tellPair(args, path) };
}

/** The schedule in words, and the first step after which the two machines' registers differ. */
function tellPair(
  args: ProductModelArgs,
  path: Path,
): { schedule: string[]; msrs_part_at: string | null } {
  const pair = createPair(args);
  const start = new Int32Array(pair.words);
  pair.initial(start);
  let before: Int32Array = start;
  let partAt: string | null = null;
  const schedule = replay(pair, path).map(({ label, state }, at) => {
    pair.load(before, 0);
    const executed = executedStep(pair.first.model.explored, pair.first.state, label);
    const action = actionOf(pair.first.model.explored, pair.first.state, label);
    const what = executed === undefined ? action : `${STEP_NAMES[executed]} (${action})`;
    pair.load(state, 0);
    const differs = pair.first.state.cpus.some((cpu, index) => {
      const other = pair.other.state.cpus[index]!;
      return cpu.pc === other.pc && hasOtherRegisters(cpu.hardware, other.hardware);
    });
    if (differs) {
      partAt ??= `step ${at + 1}: ${what}`;
    }
    before = state;
    return what;
  });
  return { schedule, msrs_part_at: partAt };
}

type Registers = {
  readonly globalCtrl: number;
  readonly pebsEnable: number;
  readonly dsArea: number;
  readonly pebsDataCfg: number;
};

function hasOtherRegisters(a: Registers, b: Registers): boolean {
  return (
    a.globalCtrl !== b.globalCtrl ||
    a.pebsEnable !== b.pebsEnable ||
    a.dsArea !== b.dsArea ||
    a.pebsDataCfg !== b.pebsDataCfg
  );
}
