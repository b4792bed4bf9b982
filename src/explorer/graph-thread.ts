import { AnsweringThread } from './answering-thread.js';
import type { ModelSource } from './model.js';
import type { Quotient } from './quotient.js';
import type { GraphBounds } from './state-graph.js';
import type { Region } from './verdicts.js';

/** The graph of a model, judged by one of its properties. */
export interface AskedGraph {
  readonly source: ModelSource;
  readonly bounds: GraphBounds;
  /** Its place among the model's properties; null for none, and then no state is judged. */
  readonly property: number | null;
}

/** Where a state stands: the way to the nearest violation has so many steps; null where none can be reached. */
export interface Standing {
  readonly region: Region;
  readonly steps: number | null;
}

export type GraphTask = AskedGraph &
  (
    | { readonly kind: 'standings'; readonly states: readonly Int32Array[] }
    | { readonly kind: 'aut' }
    | { readonly kind: 'map'; readonly part: number; readonly nodesMax: number }
  );

export type GraphAnswer = readonly Standing[] | Quotient | string | null;

/**
 * Builds whole graphs in a thread of its own, and keeps the last few there for further questions. What they take is given
 * back after a while without any.
 */
export class GraphThread {
  private readonly thread = new AnsweringThread<GraphTask, GraphAnswer>(
    new URL('./graph-worker.js', import.meta.url),
    IDLE_MILLIS_MAX,
  );

  /** How the states stand, in order; null where the graph is larger than its bounds, or there is nothing to judge by. */
  standings(graph: AskedGraph, states: readonly Int32Array[]): Promise<readonly Standing[] | null> {
    const task: GraphTask = { ...graph, kind: 'standings', states };
    return this.thread.ask(task) as Promise<readonly Standing[] | null>;
  }

  /** The graph by the places of a part; of a larger one as far as the bounds reach. */
  map(graph: AskedGraph, part: number, nodesMax: number): Promise<Quotient> {
    const task: GraphTask = { ...graph, kind: 'map', part, nodesMax };
    return this.thread.ask(task) as Promise<Quotient>;
  }

  /** The whole graph in the Aldebaran format; null where it is larger than its bounds. */
  aut(graph: AskedGraph): Promise<string | null> {
    return this.thread.ask({ ...graph, kind: 'aut' }) as Promise<string | null>;
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}

const IDLE_MILLIS_MAX = 60_000;
