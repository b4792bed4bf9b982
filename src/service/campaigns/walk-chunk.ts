/** One chunk of a campaign's walks: counted in a thread, handed back as a few numbers. */
import { performance } from 'node:perf_hooks';
import { type RangeFindings, walkRange } from '../../explorer/walk.js';
import { modelOf } from './cell-models.js';
import type { CellTask, Chunk } from './plan.js';

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
  readonly first: { readonly walk: number; readonly steps: number } | null;
}

export function walkChunk({ cell, stepsPerWalk, piece }: CellTask<Chunk>): ChunkResult {
  const began = performance.now();
  const { steps, finding, found } = walkRange(modelOf(cell), {
    seed: cell.seed,
    first: piece.first_walk,
    walks: piece.walks,
    stepsMax: stepsPerWalk,
  });
  const seconds = (performance.now() - began) / 1000;
  return { ...piece, steps, seconds, violating: finding, properties: found.map(countOf) };
}

function countOf({ count, walk, steps }: RangeFindings['found'][number]): PropertyCount {
  return { violated_walks: count, first: walk < 0 ? null : { walk, steps } };
}
