/**
 * Creates, reads and changes hosts. A refused request leaves a host as it was, and a response is sent only after the change it
 * reports is stored.
 */
import type {
  HostCopy,
  HostCreate,
  HostFilter,
  Host as HostItem,
  HostQuery,
} from '../../../schemas/host.js';
import type { HostScript, ScriptAction } from '../../../schemas/script.js';
import { type Run, TRACE_MAX, type TraceEntry } from '../../pmu/stepping/run.js';
import type { Tally } from '../../pmu/stepping/tally.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { HostStore, HostsWanted } from '../../store/host-store.js';
import type { StoredAnswer } from '../../store/idempotency-store.js';
import { defined } from '../defined.js';
import { problemAnswer, type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { cpuModelById, kernelById, namesOfKernel } from '../lookups.js';
import { numbered } from '../numbered.js';
import { ProblemError } from '../problem-error.js';
import { ambiguous, missing, refusalsAsProblems } from '../refusals.js';
import { parseU64 } from '../wire.js';
import { createHost, HOSTS_MAX, type Host } from './host.js';
import { hostConfig, hostImage } from './host-image.js';
import { HostQueue, type OnTally } from './host-queue.js';
import { HostSession } from './host-session.js';
import { hostItem, hostSummary, listedItem } from './host-summary.js';
import { violationItems } from './host-views.js';
import { hostScript, recordedCount, withActions } from './recorded-actions.js';
import { NO_TAIL, readTrace } from './trace-text.js';

/** The conditions of a request to change a host. */
export interface ChangeTerms {
  /** The versions that `If-Match` allows. */
  readonly versions?: readonly number[] | undefined;
  readonly ticket?: Ticket | undefined;
}

/** A host as asked for, which is not stored yet; the problem names the kernel by the pointer. */
export function newHost(body: HostCreate, kernelPointer = '/kernel'): Host {
  const model = cpuModelById(body.cpu_model, '/cpu_model');
  return createHost({
    id: randomId('host'),
    ...defined({ name: body.name }),
    createdAt: new Date().toISOString(),
    model,
    kernel: kernelById(body.kernel, kernelPointer),
    stepping: body.stepping ?? model.defaultStepping,
    microcode: parseU64(body.microcode ?? 0, '/microcode'),
    cpus: body.cpus ?? 1,
    options: body.options ?? {},
  });
}

/** What a request does to a host. */
interface Work<Result> {
  readonly act: (session: HostSession) => Promise<Result> | Result;
  readonly actions: readonly ScriptAction[];
}

function wantedBy({ name, cpu_model, kernel }: HostFilter): HostsWanted {
  return {
    name,
    cpuModel: cpu_model === undefined ? undefined : cpuModelById(cpu_model, '/cpu_model').id,
    kernels: kernel === undefined ? undefined : namesOfKernel(kernel, '/kernel'),
  };
}

/** Makes the answer to a change from the host it leads to and what was run for it. */
export type ChangeView<Result, View> = (host: Host, run: Run, result: Result) => View;

export class Hosts {
  private readonly queues = new Map<string, HostQueue>();

  /** `onTally` receives the counts of each change. */
  constructor(
    private readonly store: HostStore,
    private readonly onTally: OnTally,
  ) {}

  async create(body: HostCreate, ticket?: Ticket): Promise<Reply<HostItem>> {
    return this.add(newHost(body), ticket);
  }

  /** A new host in the state and with the counts of another, named parts included. Its trace begins empty. */
  async copy(
    id: string,
    { versions, ticket }: ChangeTerms,
    body: HostCopy,
  ): Promise<Reply<HostItem>> {
    const host = await this.get(id);
    assertVersion(host, versions);
    const copy: Host = {
      ...host,
      ...body,
      id: randomId('host'),
      createdAt: new Date().toISOString(),
      version: 0,
      tail: { ...NO_TAIL, after: host.tally.happened },
    };
    return this.add(copy, ticket, host);
  }

  private async add(
    host: Host,
    ticket: Ticket | undefined,
    original?: Host,
  ): Promise<Reply<HostItem>> {
    const reply = {
      status: 201,
      headers: { location: `/v1/hosts/${host.id}`, etag: hostTag(host) },
      body: hostItem(host),
    };
    const isStored = await this.store.create({
      id: host.id,
      config: hostConfig(host),
      image: hostImage(host),
      summary: JSON.stringify(hostSummary(host)),
      createdAt: host.createdAt,
      copied: original && { id: original.id, lastIndex: original.recorded?.actions ?? 0 },
      answer: ticket && storedAnswer(ticket, reply),
      event: eventOf('host.created', host.id, hostConfig(host)),
    });
    if (!isStored) {
      throw new ProblemError('limit_reached', `The service can have at most ${HOSTS_MAX} hosts.`);
    }
    return reply;
  }

  /** The hosts that follow a sequence number and are wanted, with their numbers. */
  async list({ sort, ...filter }: HostQuery, after: number, limit: number) {
    const rows = await this.store.list(after, limit, sort === 'newest', wantedBy(filter));
    return numbered(rows, listedItem);
  }

  /** The newest hosts, newest first. */
  async newest(limit: number): Promise<HostItem[]> {
    const rows = await this.store.list(Number.MAX_SAFE_INTEGER, limit, true, {});
    return rows.map(listedItem);
  }

  async get(reference: string): Promise<Host> {
    return this.queue(await this.idOf(reference)).read();
  }

  async delete(reference: string, versions?: readonly number[]): Promise<void> {
    const id = await this.idOf(reference);
    // If not, there is no such host, or not in these versions. It may match by now; still, do not delete it.
    if (!(await this.store.delete(id, versions))) throw wrongVersion(await this.get(id));
    this.queues.delete(id);
  }

  /** Deletes the hosts that pass all filters. Returns how many. */
  async deleteAll(filter: HostFilter): Promise<number> {
    const { name, cpu_model, kernel, all } = filter;
    const hasFilter = name !== undefined || cpu_model !== undefined || kernel !== undefined;
    if (hasFilter === (all === true)) {
      const detail = 'is true instead of any filter, and is needed where there is none';
      throw new ProblemError('validation', `In the query, /all ${detail}.`, [
        { pointer: '/all', detail, in: 'query' },
      ]);
    }
    const ids = await this.store.idsOf(wantedBy(filter));
    let deleted = 0;
    for (const id of ids) {
      if (await this.store.delete(id, undefined)) deleted += 1;
      this.queues.delete(id);
    }
    return deleted;
  }

  /** The newest micro-steps of a host after an index, oldest first. */
  async trace(host: Host, after: number): Promise<TraceEntry[]> {
    const from = Math.max(after, host.tally.happened - TRACE_MAX);
    // Chunks written after the host was read repeat entries of its tail.
    const chunks = await this.store.chunks(host.id, from, host.tail.after);
    return readTrace([...chunks, host.tail.text]).filter(({ index }) => index > from);
  }

  /** What makes a host again: a new host, and a script for it. */
  async script(host: Host): Promise<HostScript> {
    return hostScript(host, await this.store.actions(host.id, recordedCount(host)));
  }

  /**
   * Changes a host: `act` works in a session, which is what `actions` of a script would do, and `view` makes the answer from the
   * resulting host. `location` is the address of a new resource on it.
   */
  async change<Result, View>(
    reference: string,
    terms: ChangeTerms,
    { act, actions }: Work<Result>,
    view: ChangeView<Result, View>,
    location?: (view: View, host: Host) => string,
  ): Promise<Reply<View>> {
    return this.queue(await this.idOf(reference)).run(async (base) => {
      try {
        assertVersion(base, terms.versions);
        const session = new HostSession(base);
        const result = await refusalsAsProblems('', () => act(session));
        const { run } = session;
        const { recorded, text } = withActions(base.recorded, actions);
        const host = { ...session.finish(), recorded };
        const body = view(host, run, result);
        const made = location && { location: location(body, host) };
        const headers = { etag: hostTag(host), ...made };
        const reply = { status: made === undefined ? 200 : 201, headers, body };
        return {
          host,
          tally: run.tally,
          events: violationEvents(base, host, run.tally),
          actions: text,
          answer: terms.ticket && storedAnswer(terms.ticket, reply),
          reply,
        };
      } catch (error) {
        return { refusal: error, answer: refusalToStore(error, terms.ticket) };
      }
    });
  }

  /** The id of the host that an address names. */
  private async idOf(reference: string): Promise<string> {
    if (ID.test(reference)) return reference;
    const [id, ...others] = await this.store.idsOf({ name: reference });
    if (id === undefined) return missing('host', reference);
    return others.length === 0
      ? id
      : ambiguous('host', reference, [id, ...others].slice(0, NAMED_MAX));
  }

  private queue(id: string): HostQueue {
    let queue = this.queues.get(id);
    if (queue === undefined) {
      this.forgetIdle();
      queue = new HostQueue(id, this.store, this.onTally);
      this.queues.set(id, queue);
    }
    return queue;
  }

  /** Otherwise queues of unknown ids would pile up. */
  private forgetIdle(): void {
    if (this.queues.size < QUEUES_MAX) return;
    for (const [id, queue] of this.queues) {
      if (queue.isIdle) this.queues.delete(id);
    }
  }
}

const ID = /^host_[0-9a-z]{1,26}$/;
/** More ids of one name would only fill the answer. */
const NAMED_MAX = 10;

const QUEUES_MAX = 2 * HOSTS_MAX;

/** The strong entity tag of a host's version. */
export function hostTag(host: Host): string {
  return `"${host.version}"`;
}

function assertVersion(host: Host, versions: readonly number[] | undefined): void {
  if (versions !== undefined && !versions.includes(host.version)) throw wrongVersion(host);
}

function wrongVersion(host: Host): ProblemError {
  return new ProblemError(
    'precondition_failed',
    `If-Match does not name the current version of the host, ${hostTag(host)}.`,
    [{ pointer: '/if-match', detail: 'is not the current version', in: 'header' }],
  );
}

/** A refusal is the answer of its key, except for a wrong version: the client reads the host and repeats the request. */
function refusalToStore(error: unknown, ticket: Ticket | undefined): StoredAnswer | undefined {
  const isExpected =
    error instanceof ProblemError && error.status < 500 && error.code !== 'precondition_failed';
  return ticket !== undefined && isExpected
    ? storedAnswer(ticket, problemAnswer(error))
    : undefined;
}

/** The invariants that failed for the first time on this host. */
function violationEvents(before: Host, after: Host, counted: Tally): EventInput[] {
  if (counted.firstViolations.length === 0) return [];
  const known = new Set(violationItems(before, before.tally).map(({ invariant }) => invariant));
  return violationItems(after, after.tally)
    .filter(({ invariant }) => !known.has(invariant))
    .map(({ invariant, first_at }) =>
      eventOf('violation.found', before.id, { invariant, first_at }),
    );
}
