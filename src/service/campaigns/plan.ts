/**
 * What a campaign is going to do: its cells in order, each with the world to walk through or the reason why there is
 * none, and its walks cut into chunks. A plan follows from the request alone and survives JSON, so whoever needs it
 * makes it again.
 */
import type { CampaignRequest } from '../../../schemas/campaign.js';
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import { WORDS_MAX } from '../../explorer/model.js';
import { seedFor } from '../../explorer/prng.js';
import { MachineModel } from '../../model/machine-model.js';
import { CELLS_MAX } from '../../model/vocabulary.js';
import type { Scenario } from '../../model/worlds/scenarios.js';
import { findInvariant } from '../../pmu/invariants/index.js';
import { worldById } from '../explorations/request.js';
import { worldOf } from '../explorations/world.js';
import { cpuModelById, kernelById } from '../lookups.js';
import { ProblemError, ruleViolated } from '../problem-error.js';
import { Slices } from '../slices.js';

export interface CampaignPlan {
  readonly cells: readonly PlannedCell[];
  /** Of each cell that is not skipped. */
  readonly walks: number;
  readonly stepsPerWalk: number;
  readonly seed: number;
}

export interface PlannedCell {
  readonly kernel: string;
  readonly cpuModel: string;
  /** Its world: kernel and CPU model are the cell's own. */
  readonly scenario: string;
  readonly model: ExplorationModel;
  /** The invariants of the scenario; the bits of a search's findings are in this order. */
  readonly properties: readonly string[];
  /** Names the walks of this cell. It depends on the campaign's seed and the cell, not on the rest of the matrix. */
  readonly seed: number;
  /** Why there is no such world; null when there is one. */
  readonly skipped: string | null;
}

/** Walks `first_walk` to `first_walk + walks - 1` of the cell with that index. */
export interface Chunk {
  readonly cell: number;
  readonly first_walk: number;
  readonly walks: number;
}

/** What a thread needs to know for a piece of work on a cell. */
export interface CellTask<Piece> {
  readonly cell: PlannedCell;
  readonly stepsPerWalk: number;
  readonly piece: Piece;
}

const WORK_MAX = 1e12;
const CHUNKS_MAX = 20_000;

/** A thread takes one to two million steps a second. */
const CHUNK_STEPS = 1_500_000;

/** Throws a `ProblemError` that names the field which cannot be meant. */
export async function planCampaign(request: CampaignRequest): Promise<CampaignPlan> {
  const { matrix, walks, steps_per_walk: stepsPerWalk, seed } = request;
  const kernels = resolved(matrix.kernels, '/matrix/kernels', kernelById);
  const cpuModels = resolved(matrix.cpu_models, '/matrix/cpu_models', cpuModelById);
  const scenarios = worlds(matrix.scenarios, '/matrix/scenarios');
  assertSize(kernels.length * cpuModels.length * scenarios.length, walks, stepsPerWalk);
  const slices = new Slices();
  const cells: PlannedCell[] = [];
  for (const kernel of kernels) {
    for (const cpuModel of cpuModels) {
      for (const scenario of scenarios) {
        cells.push(plannedCell(scenario, kernel.id, cpuModel.id, request));
        // Setting a world up takes half a millisecond.
        await slices.pause();
      }
    }
  }
  return { cells, walks, stepsPerWalk, seed };
}

/** The walks of a plan, cell by cell; how they are cut makes no difference to what they find. */
export function chunksOf(plan: CampaignPlan, chunkSteps = CHUNK_STEPS): Chunk[] {
  const chunksPerCell = Math.max(1, Math.floor(CHUNKS_MAX / plan.cells.length));
  const size = Math.max(
    1,
    Math.floor(chunkSteps / plan.stepsPerWalk),
    Math.ceil(plan.walks / chunksPerCell),
  );
  return plan.cells.flatMap(({ skipped }, cell) => {
    const count = skipped === null ? Math.ceil(plan.walks / size) : 0;
    return Array.from({ length: count }, (_, at) => ({
      cell,
      first_walk: at * size,
      walks: Math.min(size, plan.walks - at * size),
    }));
  });
}

/** Entries by id or alias. Two names of one entry are refused, since its cells would come twice. */
function resolved<Entry extends { readonly id: string }>(
  names: readonly string[],
  pointer: string,
  find: (id: string, pointer: string) => Entry,
): Entry[] {
  const entries = names.map((name, at) => find(name, `${pointer}/${at}`));
  entries.forEach((entry, at) => {
    const before = entries.indexOf(entry);
    if (before < at) {
      throw ruleViolated(`${pointer}/${at}`, `names ${entry.id}, as ${pointer}/${before} does`);
    }
  });
  return entries;
}

/** Scenarios of one world are the same row: what tells them apart is what a cell brings itself. */
function worlds(names: readonly string[], pointer: string): Scenario[] {
  const scenarios = names.map((name, at) => worldById(name, `${pointer}/${at}`));
  return [...new Map(scenarios.map((scenario) => [scenario.world, scenario])).values()];
}

function assertSize(cells: number, walks: number, stepsPerWalk: number): void {
  if (cells > CELLS_MAX) {
    throw ruleViolated('/matrix', `has ${cells} cells, and a campaign has at most ${CELLS_MAX}`);
  }
  const steps = cells * walks * stepsPerWalk;
  if (steps > WORK_MAX) {
    const asked = `asks for ${steps} steps (cells × walks × steps_per_walk)`;
    throw ruleViolated('/walks', `${asked}, and a campaign takes at most ${WORK_MAX}`);
  }
}

function plannedCell(
  scenario: Scenario,
  kernel: string,
  cpuModel: string,
  { budgets, seed }: CampaignRequest,
): PlannedCell {
  const world = { ...scenario.model, kernel, cpu_model: cpuModel };
  const model = budgets === 'unlimited' ? withoutBudgets(world) : world;
  // Its coverage goals are left out: one that no walk reaches says nothing.
  const properties = scenario.properties.filter((id) => findInvariant(id) !== undefined);
  return {
    kernel,
    cpuModel,
    scenario: scenario.world,
    model,
    properties,
    seed: seedFor(seed, `${kernel}\n${cpuModel}\n${scenario.world}`),
    skipped: obstacle(model, properties),
  };
}

function withoutBudgets(model: ExplorationModel): ExplorationModel {
  const { actors } = model;
  return actors === undefined ? model : { ...model, actors: actors.map(({ kind }) => ({ kind })) };
}

/** Why a world cannot be set up on its CPU model, or null when it can. */
function obstacle(model: ExplorationModel, properties: readonly string[]): string | null {
  try {
    const { words } = new MachineModel(worldOf(model, ''), properties);
    return words <= WORDS_MAX ? null : `a state needs more than ${WORDS_MAX * 32} bits`;
  } catch (error) {
    if (error instanceof ProblemError) {
      return error.message;
    }
    throw error;
  }
}
