/** One chunk of a campaign's walks: counted in a thread of the pool, handed back as a few numbers. */
import { performance } from 'node:perf_hooks';
import { type RangeFindings, walkRange } from '../../explorer/walk.js';
import { modelOf } from './cell-models.js';
import type { CampaignPlan, Chunk, PlannedCell } from './plan.js';
import type { WalkPool } from './walk-pool.js';

/** What the walks of a chunk found; it survives JSON, for queues and databases. */
export interface ChunkResult extends Chunk {
  readonly steps: number;
  /** How long they took; absent in chunks that were walked before this was measured. */
  readonly seconds?: number;
  /** Walks that violated something. */
  readonly violating: number;
  /** In the order of the cell's properties. */
  readonly properties: readonly PropertyCount[];
}

export interface PropertyCount {
  readonly violated_walks: number;
  /** The lowest violating walk, and the steps after which it did. */
  readonly first: FirstWalk | null;
}

export interface FirstWalk {
  readonly walk: number;
  readonly steps: number;
}

/** What a thread needs to know for a chunk. */
interface ChunkTask {
  readonly cell: PlannedCell;
  readonly chunk: Chunk;
  readonly stepsPerWalk: number;
}

/** Rejects with an `AbortError` when the signal is aborted. */
export function walkChunk(
  pool: WalkPool,
  { cells, stepsPerWalk }: CampaignPlan,
  chunk: Chunk,
  signal?: AbortSignal,
): Promise<ChunkResult> {
  const cell = cells[chunk.cell];
  if (cell === undefined || cell.skipped !== null) {
    return Promise.reject(new Error(`the plan has no walks in cell ${chunk.cell}`));
  }
  return pool.run('walkChunkHere', { cell, chunk, stepsPerWalk }, signal);
}

/** The same on the calling thread. */
export function walkChunkHere({ cell, chunk, stepsPerWalk }: ChunkTask): ChunkResult {
  const began = performance.now();
  const { steps, finding, found } = walkRange(modelOf(cell), {
    seed: cell.seed,
    first: chunk.first_walk,
    walks: chunk.walks,
    stepsMax: stepsPerWalk,
  });
  const seconds = (performance.now() - began) / 1000;
  return { ...chunk, steps, seconds, violating: finding, properties: found.map(countOf) };
}

function countOf({ count, walk, steps }: RangeFindings['found'][number]): PropertyCount {
  return { violated_walks: count, first: walk < 0 ? null : { walk, steps } };
}
