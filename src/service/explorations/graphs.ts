/** What the graph of an exploration says as a whole: from where a violation can still be avoided, and the map of its states. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exploration } from '../../../schemas/exploration.js';
import type { ExplorationMap } from '../../../schemas/exploration-graph.js';
import type { AskedGraph, GraphThread, Standing } from '../../explorer/graph-thread.js';
import { formatPath } from '../../explorer/path.js';
import type { GraphBounds } from '../../explorer/state-graph.js';
import { toDot, toGraphMl } from '../../model/exports/map-formats.js';
import { placeNames } from '../../model/place.js';
import {
  AUT_STATES_MAX,
  GRAPH_STATES_MAX,
  type GraphFormat,
  MAP_NODES_MAX,
} from '../../model/vocabulary.js';
import type { WorkRow } from '../../store/work-store.js';
import type { ExportFile } from '../exports.js';
import { ProblemError, queryRefused, tryLater } from '../problem-error.js';
import { worldNames } from './findings.js';
import { machineSource } from './job.js';
import type { StoredRequest } from './request.js';

/** How long a walk waits for the regions of its states: the largest graphs take a few seconds to build, and then are kept. */
const STANDINGS_MILLIS_MAX = 10_000;
/** How many questions wait for the thread of graphs. */
const WAITING_MAX = 32;
const TRANSITIONS_MAX = 8 * GRAPH_STATES_MAX;
const MEGABYTES_MAX = 384;

/** Within which a graph is looked at as a whole. */
export function graphBounds(searchMegabytes: number): Omit<GraphBounds, 'fold'> {
  return {
    statesMax: GRAPH_STATES_MAX,
    transitionsMax: TRANSITIONS_MAX,
    bytesMax: Math.min(searchMegabytes, MEGABYTES_MAX) * 2 ** 20,
  };
}

/** How states stand towards the violation of a property; or why that is not known. */
export interface Standings {
  readonly property: string | null;
  /** In the order of the states that were asked about. */
  readonly standings: readonly Standing[] | null;
  readonly unknown?: string;
}

export class Graphs {
  private waiting = 0;

  constructor(
    private readonly thread: GraphThread,
    private readonly searchMegabytes: number,
  ) {}

  async standings(
    row: WorkRow,
    asked: string | undefined,
    states: readonly Int32Array[],
  ): Promise<Standings> {
    const property = judgedProperty(row, asked);
    const unknown = (reason: string): Standings => ({ property, standings: null, unknown: reason });
    const found = row.resource as Exploration;
    if (property === null) return unknown('the search checks no invariant');
    if (!found.complete) return unknown('the search is not complete');
    if ((found.distinct_states ?? 0) > GRAPH_STATES_MAX) {
      return unknown(`the search has more than ${GRAPH_STATES_MAX} states`);
    }
    if (this.waiting >= WAITING_MAX) return unknown('too many graphs are asked for: ask again');
    const gaveUp = new AbortController();
    const standings = await Promise.race([
      this.ask(() => this.thread.standings(this.graphOf(row, property), states)),
      sleep(STANDINGS_MILLIS_MAX, undefined, { signal: gaveUp.signal }).catch(() => undefined),
    ]).finally(() => gaveUp.abort());
    if (standings === undefined) return unknown('the graph is being built: ask again');
    return standings === null
      ? unknown('the graph takes too much memory')
      : { property, standings };
  }

  /** By micro-step and operation of a CPU. */
  async map(row: WorkRow, asked: string | undefined, cpu: number): Promise<ExplorationMap> {
    const property = judgedProperty(row, asked);
    const { model, distinct_states } = row.resource as Exploration;
    const cpus = model.cpus ?? 1;
    if (cpu >= cpus)
      throw queryRefused('validation', 'cpu', `is not a CPU of this world, which has ${cpus}`);
    if (row.finishedAt === null || distinct_states === 0) {
      throw new ProblemError('conflict', 'The search has not ended, or it has seen no state.');
    }
    this.assertRoom();
    const graph = this.graphOf(row, property);
    const { nodes, edges, complete } = await this.ask(() =>
      this.thread.map(graph, cpu, MAP_NODES_MAX),
    );
    return {
      cpu,
      property,
      nodes: nodes.map(({ place, shallowest, ...node }) => ({
        ...placeNames(place),
        ...node,
        shallowest: formatPath(shallowest),
      })),
      edges: [...edges],
      complete,
    };
  }

  /** As a file: every state and transition, or the map. */
  async file(
    row: WorkRow,
    format: GraphFormat,
    asked: string | undefined,
    cpu: number,
  ): Promise<ExportFile> {
    const about = worldNames(row.resource as Exploration);
    if (format === 'aut') return { name: `${about.join('_')}.aut`, text: await this.aut(row) };
    const map = await this.map(row, asked, cpu);
    const text = format === 'dot' ? toDot(map) : toGraphMl(map);
    return { name: `${[...about, `cpu${cpu}`].join('_')}.${format}`, text };
  }

  private async aut(row: WorkRow): Promise<string> {
    const { complete, distinct_states } = row.resource as Exploration;
    if (!complete) {
      throw new ProblemError('conflict', 'The search is not complete: its graph would be cut.');
    }
    const tooLarge = new ProblemError(
      'limit_reached',
      `The search has ${distinct_states} states, and graphs of up to ${AUT_STATES_MAX} are written: take the map, as dot or graphml.`,
    );
    if ((distinct_states ?? Number.POSITIVE_INFINITY) > AUT_STATES_MAX) throw tooLarge;
    this.assertRoom();
    const text = await this.ask(() => this.thread.aut(this.graphOf(row, null)));
    if (text === null) throw tooLarge;
    return text;
  }

  private assertRoom(): void {
    if (this.waiting >= WAITING_MAX) {
      throw tryLater('too_many_requests', 'Too many graphs are asked for.', 5);
    }
  }

  /** The same states that the search has seen: it may have been cut. */
  private graphOf({ request, resource }: WorkRow, property: string | null): AskedGraph {
    const { request: asked, fold } = request as StoredRequest;
    const { model, distinct_states } = resource as Exploration;
    const { strategy = 'bfs', properties } = asked;
    const bounds = graphBounds(this.searchMegabytes);
    const statesMax = Math.min(bounds.statesMax, distinct_states ?? bounds.statesMax);
    return {
      source: machineSource(model, properties),
      bounds: { ...bounds, statesMax, fold: fold && strategy === 'bfs' },
      property: property === null ? null : properties.indexOf(property),
    };
  }

  private async ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    this.waiting += 1;
    try {
      return await question();
    } finally {
      this.waiting -= 1;
    }
  }
}

/** The invariant that is asked about; else the first that is violated, or the first. */
function judgedProperty(row: WorkRow, asked: string | undefined): string | null {
  const invariants = (row.resource as Exploration).properties.filter(
    ({ kind }) => kind === 'always',
  );
  if (asked !== undefined && !invariants.some(({ id }) => id === asked)) {
    const known = invariants.map(({ id }) => id).join(', ') || 'none';
    throw queryRefused('validation', 'property', `is not an invariant of this search (${known})`);
  }
  const violated = invariants.find(({ verdict }) => verdict === 'violated');
  return asked ?? (violated ?? invariants[0])?.id ?? null;
}
