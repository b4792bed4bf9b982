/**
 * The hosts of the service: making, reading and changing them. Requests that change a host wait for each other, each
 * works on a copy, and a refused one leaves the host as it was.
 */
import type { HostCreate } from '../../schemas/host.js';
import { ProblemError } from '../errors.js';
import { Refused } from '../pmu/live/refused.js';
import type { Tally } from '../pmu/live/tally.js';
import type { HostStore } from '../store/host-store.js';
import { createHost, HOSTS_MAX, type Host } from './host.js';
import { HostSession } from './host-session.js';
import { randomId } from './ids.js';
import { cpuModelById, kernelById } from './lookups.js';
import { parseU64 } from './wire.js';

/** How many changes may wait for one host. */
const QUEUE_MAX = 64;

export class Hosts {
  private readonly store: HostStore<Host>;
  private readonly onTally: (tally: Tally) => void;
  private readonly queues = new Map<string, { tail: Promise<void>; length: number }>();

  /** `onTally` is told what each committed change counted. */
  constructor(store: HostStore<Host>, onTally: (tally: Tally) => void) {
    this.store = store;
    this.onTally = onTally;
  }

  create(body: HostCreate): Host {
    if (this.store.list().length >= HOSTS_MAX) {
      throw new ProblemError('limit_reached', `The service keeps at most ${HOSTS_MAX} hosts.`);
    }
    const model = cpuModelById(body.cpu_model, '/cpu_model');
    const host = createHost({
      id: randomId('host'),
      ...(body.name === undefined ? {} : { name: body.name }),
      createdAt: new Date().toISOString(),
      model,
      kernel: kernelById(body.kernel, '/kernel'),
      stepping: body.stepping ?? model.defaultStepping,
      microcode: parseU64(body.microcode ?? 0, '/microcode'),
      cpus: body.cpus ?? 1,
      options: body.options ?? {},
    });
    this.store.add(host);
    return host;
  }

  list(): readonly Host[] {
    return this.store.list();
  }

  get(id: string): Host {
    return this.store.get(id) ?? missing('host', id);
  }

  delete(id: string): void {
    if (!this.store.delete(id)) {
      missing('host', id);
    }
  }

  /**
   * Changes a host: `act` works in a session, which is committed when it returns; `view` then makes the answer.
   */
  async change<Result, View>(
    id: string,
    act: (session: HostSession) => Promise<Result> | Result,
    view: (host: Host, session: HostSession, result: Result) => View,
  ): Promise<View> {
    return this.inTurn(id, async () => {
      const session = new HostSession(this.get(id));
      const result = await refusalsAsProblems('', () => act(session));
      const host = this.get(id);
      session.commit();
      this.onTally(session.run.tally);
      return view(host, session, result);
    });
  }

  /** Runs changes of one host one after the other, in the order in which they came. */
  private async inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    const queue = this.queues.get(id) ?? { tail: Promise.resolve(), length: 0 };
    if (queue.length >= QUEUE_MAX) {
      throw new ProblemError(
        'too_many_requests',
        `${QUEUE_MAX} changes of this host are waiting already.`,
        [],
        {},
        { 'retry-after': '1' },
      );
    }
    this.queues.set(id, queue);
    queue.length += 1;
    const turn = queue.tail.then(work);
    queue.tail = turn.then(ignore, ignore);
    try {
      return await turn;
    } finally {
      queue.length -= 1;
      if (queue.length === 0) {
        this.queues.delete(id);
      }
    }
  }
}

function ignore(): void {}

export function missing(what: string, id: string): never {
  throw new ProblemError('not_found', `There is no ${what} ${id}.`);
}

/** Runs an action; what the machine refuses is thrown as a problem with the pointer put before its field. */
export async function refusalsAsProblems<Result>(
  pointer: string,
  act: () => Promise<Result> | Result,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw asProblem(error, pointer);
  }
}

/** The same for an action that is done at once. */
export function problemAt<Result>(pointer: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw asProblem(error, pointer);
  }
}

function asProblem(error: unknown, pointer: string): unknown {
  if (error instanceof Refused) {
    return problemOf(error, pointer);
  }
  if (error instanceof ProblemError && pointer !== '') {
    const errors = error.errors.map((item) => ({ ...item, pointer: pointer + item.pointer }));
    return new ProblemError(error.code, `In ${pointer}: ${error.message}`, errors, error.extra);
  }
  return error;
}

const CODES = {
  state: 'conflict',
  rule: 'rule_violated',
  perf: 'perf_errno',
  limit: 'limit_reached',
} as const;

function problemOf(refused: Refused, pointer: string): ProblemError {
  const reason = refused.message;
  // Names of fields and functions keep their spelling at the start of a sentence too.
  const startsWithName = /^[a-z]+_/.test(reason);
  const detail = `${startsWithName ? reason : reason.charAt(0).toUpperCase() + reason.slice(1)}.`;
  const at = pointer + refused.field;
  return new ProblemError(
    CODES[refused.kind],
    pointer === '' ? detail : `In ${pointer}: ${detail}`,
    at === '' ? [] : [{ pointer: at, detail: reason }],
    refused.errno === undefined ? {} : { errno: refused.errno },
  );
}
