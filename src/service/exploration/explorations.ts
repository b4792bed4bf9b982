/**
 * The explorations of the service: asking for them, reading what they found, cancelling them. A worker, here or in another
 * instance, carries them out (exploration-work.ts).
 */
import type { RaceVerdict } from '../../../schemas/comparison.js';
import type { Exploration, ExplorationRequest } from '../../../schemas/exploration.js';
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import { ruleViolated, tryLater } from '../../errors.js';
import { WORDS_MAX } from '../../explorer/model.js';
import type { Scout } from '../../explorer/scout.js';
import type { WorkQueue } from '../../jobs/work-queue.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import type { Database } from '../../store/database.js';
import { type WorkRow, WorkStore } from '../../store/work-store.js';
import { type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { cpuModelById, kernelById } from '../lookups.js';
import { missing } from '../refusals.js';
import { waitForEnd } from '../waiting.js';
import { endedEvent, explorationJob } from './exploration-work.js';
import { exploredWorld } from './explored-world.js';
import { machineSource } from './job.js';
import { MachineModel } from './machine-model.js';
import { type AskedExploration, askedExploration, type StoredRequest } from './request.js';
import { mainRace } from './scenarios.js';

/** How many explorations may wait or run. */
const UNFINISHED_MAX = 64;
/** How long a request to cancel waits for the end. */
const CANCEL_MILLIS = 2000;

export class Explorations {
  private readonly database: Database;
  private readonly store: WorkStore;
  private readonly queue: WorkQueue;
  private readonly scout: Scout;

  private readonly closing: AbortSignal;

  /** Nobody waits any longer once `closing` is given. */
  constructor(database: Database, queue: WorkQueue, scout: Scout, closing: AbortSignal) {
    this.closing = closing;
    this.database = database;
    this.store = new WorkStore(database, 'explorations');
    this.queue = queue;
    this.scout = scout;
  }

  async create(request: ExplorationRequest, ticket?: Ticket): Promise<Reply<Exploration>> {
    const { request: asked, model } = askedExploration(request);
    // Setting the world up here refuses what cannot be meant before anything is queued.
    const machine = new MachineModel(exploredWorld(model, '/model'), asked.properties);
    if (machine.words > WORDS_MAX) {
      const detail = `needs ${machine.words * 32} bits a state, and a search keeps at most ${WORDS_MAX * 32}: take fewer events, vCPUs or budgets`;
      throw ruleViolated('/model', detail);
    }
    if ((await this.store.countUnfinished()) >= UNFINISHED_MAX) {
      throw tryLater('too_many_requests', `${UNFINISHED_MAX} explorations are waiting already.`, 5);
    }
    // A scenario's counts are pinned without folding, so by name it is searched without, unless asked otherwise.
    const fold = (request.fold ?? request.scenario === undefined) && machine.folding.length > 0;
    const resource = newResource(randomId('exp'), asked, model, fold ? machine.folding : []);
    const reply = {
      status: 202,
      headers: { location: `/v1/explorations/${resource.id}` },
      body: resource,
    };
    const stored: StoredRequest = { request: asked, fold };
    await this.store.add({
      id: resource.id,
      request: stored,
      resource,
      answer: ticket && storedAnswer(ticket, reply),
    });
    await this.queue.offer([explorationJob(resource.id)]);
    return reply;
  }

  /**
   * Whether the main race leaves a bit stuck; its few hundred states need no resource of their own. Where perf takes no
   * precise event there is no race.
   */
  async raceVerdict(cpuModel: string, kernel: string): Promise<RaceVerdict> {
    const { precise } = capsOf(
      kernelById(kernel, '/kernels'),
      cpuModelById(cpuModel, '/cpu_models'),
    );
    if (precise.max === 0) {
      return { prompt: 'unreachable', late: 'unreachable' };
    }
    const verdict = async (timing: 'prompt' | 'late') => {
      const source = machineSource(mainRace(cpuModel, kernel, timing), ['I1']);
      return (await this.scout.search(source, { stopAtFirstViolation: true })).verdict;
    };
    return { prompt: await verdict('prompt'), late: await verdict('late') };
  }

  /** The explorations after a number in the order in which they were asked for, with their numbers. */
  async list(after: number, limit: number): Promise<{ seq: number; item: Exploration }[]> {
    const rows = await this.store.list(after, limit);
    return rows.map((row) => ({ seq: row.seq, item: explorationItem(row) }));
  }

  async get(id: string): Promise<Exploration> {
    return explorationItem(await this.row(id));
  }

  async row(id: string): Promise<WorkRow> {
    return (await this.store.get(id)) ?? missing('exploration', id);
  }

  /** Waits for the end of an exploration, at most so long; then it is read again. */
  wait(id: string, millis: number): Promise<Exploration> {
    return waitForEnd(this.database.notices, id, millis, this.closing, () => this.get(id));
  }

  /** Stops a search within moments; one that has ended stays as it is. */
  async cancel(id: string): Promise<Exploration> {
    await this.store.requestCancel(id, endedEvent(id, { state: 'cancelled' }));
    return this.wait(id, CANCEL_MILLIS);
  }
}

/** The resource of a row: what was found, and how the work stands. */
export function explorationItem(row: WorkRow): Exploration {
  return {
    ...(row.resource as Exploration),
    state: row.state,
    attempts: row.attempts,
    created_at: row.createdAt.toISOString(),
    ...(row.finishedAt === null ? {} : { finished_at: row.finishedAt.toISOString() }),
  };
}

function newResource(
  id: string,
  request: AskedExploration['request'],
  model: ExplorationModel,
  folded: string[],
): Exploration {
  return {
    id,
    state: 'queued',
    attempts: 0,
    progress: { done: 0, unit: 'states' },
    created_at: new Date().toISOString(),
    ...(request.scenario === undefined ? {} : { scenario: request.scenario }),
    model,
    ...(request.compare_with === undefined ? {} : { compare_with: request.compare_with }),
    cut: null,
    distinct_states: 0,
    total_states: 0,
    depth: 0,
    bytes_per_state: 0,
    states_per_second: 0,
    folded,
    properties: [],
  };
}
