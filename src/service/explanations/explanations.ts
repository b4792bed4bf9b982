/**
 * The explanations of the service: asking for them, reading what was found, cancelling them. A worker, here or in another
 * instance, carries them out (explanation-work.ts).
 */
import type { Explanation, ExplanationRequest } from '../../../schemas/explanation.js';
import { FactsBook } from '../../observations/facts-book.js';
import { identify } from '../../observations/identify.js';
import { isOwnerGone } from '../../store/database-errors.js';
import { defined } from '../defined.js';
import { worldOf } from '../explorations/world.js';
import type { Reply, Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { LongWorks, type Owner, type Workplace } from '../long-work/long-works.js';
import { cpuModelById, kernelById } from '../lookups.js';
import type { Observations } from '../observations/observations.js';
import { ruleViolated } from '../problem-error.js';
import { missing } from '../refusals.js';
import { explanationJob } from './explanation-work.js';

/** What a worker is to do. */
export interface StoredExplanation extends Pick<ExplanationRequest, 'model' | 'cpu' | 'window'> {
  readonly observation: string;
  readonly kernels: readonly string[];
  readonly cpu_model: string;
}

export class Explanations extends LongWorks<Explanation> {
  constructor(
    around: Workplace,
    private readonly observations: Observations,
  ) {
    super('explanations', around);
  }

  async create(
    observation: string,
    request: ExplanationRequest,
    owner: Owner,
    ticket?: Ticket,
  ): Promise<Reply<Explanation>> {
    const { model, cpu, window } = request;
    const kernels = kernelsOf(request);
    if ((window?.first_line ?? 1) > (window?.last_line ?? Number.MAX_SAFE_INTEGER)) {
      throw ruleViolated('/window', 'ends before it begins');
    }
    const facts = await this.observations.factsOf(observation);
    const cpu_model = request.cpu_model ?? cpuModelOf(facts);
    cpuModelById(cpu_model, '/cpu_model');
    // A world that cannot be is refused before anything is queued.
    const [kernel = ''] = kernels;
    const actors = model?.actors ?? [{ kind: 'pmu_section' as const }];
    worldOf({ ...model, cpu_model, kernel, actors }, '/model');
    const stored: StoredExplanation = {
      observation,
      kernels,
      cpu_model,
      ...defined({ model, cpu, window }),
    };
    const resource = newResource(randomId('exn'), observation, kernels.length);
    const added = { lane: 'work' as const, request: stored, resource };
    const { reply, own } = await this.add(added, owner, ticket).catch((error) => {
      if (isOwnerGone(error)) missing('observation', observation);
      throw error;
    });
    await this.around.queue.offer([explanationJob({ id: resource.id, lane: 'work', own })]);
    return reply;
  }
}

function kernelsOf({ kernel, kernels }: ExplanationRequest): string[] {
  if ((kernel === undefined) === (kernels === undefined)) {
    throw ruleViolated(
      '/kernel',
      'or /kernels must say what the recording is compared with: give one of the two',
    );
  }
  if (kernel !== undefined) kernelById(kernel, '/kernel');
  for (const [at, id] of (kernels ?? []).entries()) kernelById(id, `/kernels/${at}`);
  return [...new Set(kernels ?? [kernel as string])];
}

function cpuModelOf(facts: Readonly<Record<string, string>>): string {
  const { cpu_model } = identify(new FactsBook(facts));
  if (cpu_model !== null) return cpu_model;
  throw ruleViolated(
    '/cpu_model',
    'is needed: the text does not tell which CPU model it is from (/proc/cpuinfo does)',
  );
}

function newResource(id: string, observation: string, of: number): Explanation {
  return {
    id,
    state: 'queued',
    attempts: 0,
    created_at: new Date().toISOString(),
    observation,
    progress: { kernels: 0, of, records: 0 },
    fits: [],
    kernels: [],
  };
}
