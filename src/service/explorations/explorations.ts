/**
 * The explorations of the service: asking for them, reading what they found, cancelling them. A worker, here or in another
 * instance, carries them out (exploration-work.ts).
 */
import type { Exploration } from '../../../schemas/exploration.js';
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import type { ExplorationRequest } from '../../../schemas/exploration-request.js';
import { WORDS_MAX } from '../../explorer/model.js';
import { MachineModel } from '../../model/machine-model.js';
import { eventOf } from '../../store/event-store.js';
import type { Reply, Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { CANCEL_MILLIS, LongWorks, type Owner, type Workplace } from '../long-work/long-works.js';
import { fieldRefused, ruleViolated } from '../problem-error.js';
import { isMaybeSmall } from './bounded-search.js';
import { explorationJob } from './exploration-work.js';
import { type AskedExploration, askedExploration, type StoredRequest } from './request.js';
import { worldOf } from './world.js';

export class Explorations extends LongWorks<Exploration> {
  constructor(
    around: Workplace,
    private readonly searchMegabytes: number,
  ) {
    super('explorations', around);
  }

  async create(
    request: ExplorationRequest,
    owner: Owner,
    ticket?: Ticket,
  ): Promise<Reply<Exploration>> {
    assertMegabytes(request.bounds?.megabytes, this.searchMegabytes);
    const { request: asked, model } = askedExploration(request);
    // Setting the world up here refuses what cannot be meant before anything is queued.
    const machine = new MachineModel(worldOf(model, '/model'), asked.properties);
    if (machine.words > WORDS_MAX) {
      const detail = `needs ${machine.words * 32} bits a state, and a search keeps at most ${WORDS_MAX * 32}: take fewer events, vCPUs or budgets`;
      throw ruleViolated('/model', detail);
    }
    // A scenario's counts are pinned without folding, so by name it is searched without, unless asked otherwise.
    const fold = (request.fold ?? request.scenario === undefined) && machine.folding.length > 0;
    const resource = newResource(randomId('exp'), asked, model, fold ? machine.folding : []);
    const stored: StoredRequest = { request: asked, fold };
    const lane = isMaybeSmall(asked) ? 'small' : 'work';
    const { reply, own } = await this.add({ lane, request: stored, resource }, owner, ticket);
    await this.around.queue.offer([explorationJob({ id: resource.id, lane, own })]);
    return reply;
  }

  /**
   * Stops a search within moments, without ending it. In breadth it goes on from its last whole level, otherwise it begins
   * again.
   */
  async pause(id: string): Promise<Exploration> {
    await this.store.requestPause(id, eventOf('exploration.paused', id));
    return this.wait(id, CANCEL_MILLIS, ({ state }) => state === 'paused');
  }

  async resume(id: string): Promise<Exploration> {
    await this.store.resume(id);
    const waiting = await this.store.waiting(id);
    if (waiting !== undefined) await this.around.queue.offer([explorationJob(waiting)]);
    return this.get(id);
  }
}

function assertMegabytes(asked: number | undefined, most: number): void {
  if (asked === undefined || asked <= most) return;
  const detail = `may be at most ${most} here, since every search that runs at once has its share of the memory`;
  throw fieldRefused('value_out_of_range', '/bounds/megabytes', detail);
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
