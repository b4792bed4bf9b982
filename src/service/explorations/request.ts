/** What a request for an exploration asks for, once invalid values are rejected. */

import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import type { ExplorationRequest } from '../../../schemas/exploration-request.js';
import { COVERAGE_GOALS } from '../../model/coverage-goals.js';
import {
  canonicalId,
  findScenario,
  findWorld,
  SCENARIOS,
  type Scenario,
} from '../../model/worlds/scenarios.js';
import { msrCode, msrName } from '../../pmu/arch/msr.js';
import { COST_SCENARIOS } from '../../pmu/cost-cases/cost-scenarios.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import { kernelById, unknownName } from '../lookups.js';
import { ruleViolated } from '../problem-error.js';

/** What is checked unless the request says otherwise. */
const DEFAULT_PROPERTIES = [
  'I1',
  'I2',
  'I3',
  'guest_entered',
  'event_throttled',
  'list_stale_at_vmlaunch',
];

export interface AskedExploration {
  /** The request with its properties filled in. */
  readonly request: ExplorationRequest & { readonly properties: string[] };
  readonly model: ExplorationModel;
}

/** What is stored of a request. */
export interface StoredRequest {
  readonly request: AskedExploration['request'];
  readonly fold: boolean;
}

/** Resolves the scenario and fills in what the request leaves open. */
export function askedExploration(request: ExplorationRequest): AskedExploration {
  const scenario =
    request.scenario === undefined ? undefined : scenarioById(request.scenario, '/scenario');
  const model = scenario?.model ?? (request.model && withSdmNames(request.model));
  if (model === undefined) {
    throw ruleViolated('/model', 'is missing');
  }
  const properties = request.properties ?? scenario?.properties ?? DEFAULT_PROPERTIES;
  properties.forEach((id, at) => {
    assertProperty(id, `/properties/${at}`);
  });
  if (request.compare_with !== undefined) {
    kernelById(request.compare_with, '/compare_with');
  }
  return {
    request: { ...request, ...(request.model && { model }), properties },
    model: withNmiBudget(model, request.bounds?.nmis),
  };
}

/** A scenario that can be explored, or a problem that names the field. */
export function scenarioById(id: string, pointer: string): Scenario {
  const scenario = findScenario(id);
  if (scenario !== undefined) return scenario;
  const ofWorld = findWorld(id);
  if (ofWorld === undefined) return unknownScenario(id, pointer);
  const detail = `names ${id}, a world without a CPU model and kernel; its scenarios have both, ${ofWorld.id} for instance`;
  throw ruleViolated(pointer, detail);
}

/** The same by the id of the scenario or by its world, for those who bring CPU model and kernel. */
export function worldById(id: string, pointer: string): Scenario {
  return findScenario(id) ?? findWorld(id) ?? unknownScenario(id, pointer);
}

function unknownScenario(id: string, pointer: string): never {
  if (COST_SCENARIOS.some((costed) => costed.id === id)) {
    const detail = `names ${id}, which has nothing to explore; POST /v1/comparisons says what it costs`;
    throw ruleViolated(pointer, detail);
  }
  const ids = SCENARIOS.map((known) => known.id);
  const listed = 'GET /v1/scenarios lists them';
  return unknownName('scenario', id, pointer, ids, { listed, canonical: canonicalId(id) });
}

function assertProperty(id: string, pointer: string): void {
  const known = [...INVARIANTS, ...COVERAGE_GOALS].map((property) => property.id);
  if (!known.includes(id)) unknownName('invariant or coverage goal', id, pointer, known);
}

/** MSRs may be named by their index. */
function withSdmNames(model: ExplorationModel): ExplorationModel {
  if (model.vcpus === undefined) return model;
  const vcpus = model.vcpus.map((vcpu) =>
    vcpu.wrmsr === undefined
      ? vcpu
      : { ...vcpu, wrmsr: vcpu.wrmsr.map((write) => ({ ...write, msr: sdmName(write.msr) })) },
  );
  return { ...model, vcpus };
}

function sdmName(msr: string): string {
  const code = msrCode(msr);
  return code === undefined ? msr : msrName(code);
}

/** `bounds.nmis` is the budget of the throttling NMI where the model gives none. */
function withNmiBudget(model: ExplorationModel, nmis: number | undefined): ExplorationModel {
  if (nmis === undefined) {
    return model;
  }
  const { actors = [] } = model;
  if (!actors.some(({ kind }) => kind === 'nmi_throttle')) {
    throw ruleViolated('/bounds/nmis', 'bounds an actor nmi_throttle, and the world has none');
  }
  const bounded = actors.map((actor) =>
    actor.kind === 'nmi_throttle' ? { ...actor, budget: actor.budget ?? nmis } : actor,
  );
  return { ...model, actors: bounded };
}
