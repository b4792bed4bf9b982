/**
 * The polling surface of KernelCI's Maestro as labs of PULL_LABS know it: a run of a pool is a node, which is `available`, then
 * `running`, then `done`. A claim is a lease that lasts as long as the job allows, since nobody renews it; a second one is refused.
 */

import type { Requirements } from '../../../schemas/pool-job.js';
import type {
  NodeRequest,
  PullLabsEvent,
  PullLabsJob,
  PullLabsNode,
} from '../../../schemas/pull-labs.js';
import type { Database } from '../../store/database.js';
import { type NodeRow, NodeStore } from '../../store/node-store.js';
import type { RunResult } from '../../store/vocabulary.js';
import { ProblemError, queryRefused, ruleViolated } from '../problem-error.js';
import { missing } from '../refusals.js';
import type { Leases } from './leases.js';
import { leaseOfRun, nodeHolder } from './pool-views.js';
import type { Reach } from './reach.js';

const STATES = {
  queued: 'available',
  leased: 'running',
  finished: 'done',
  cancelled: 'done',
} as const;

const RESULTS = { pass: 'pass', fail: 'fail', skip: 'skip', error: 'incomplete' } as const;

const FROM_RESULTS: Readonly<Record<string, RunResult>> = {
  pass: 'pass',
  fail: 'fail',
  skip: 'skip',
  incomplete: 'error',
};

/** The time of everything before any time. */
const EVER = '1970-01-01T00:00:00';

export class PullLabs {
  private readonly store: NodeStore;
  private readonly leases: Leases;

  constructor(database: Database, leases: Leases) {
    this.store = new NodeStore(database);
    this.leases = leases;
  }

  /** Runs that have become available after a time. `base` is where clients reach this service. */
  async events(
    reach: Reach,
    after: string = EVER,
    limit: number,
    base: string,
  ): Promise<PullLabsEvent[]> {
    assertTime(after);
    const rows = await this.store.available(reach, after, limit);
    return rows.map((row) => {
      const node = nodeItem(row, base);
      const { id, kind, name, path, group, state, result, owner, data } = node;
      return {
        id: `${row.id}-${row.fence}`,
        timestamp: row.availableAt,
        sequence_id: row.sequence,
        channel: 'node',
        owner,
        data: { op: 'created', id, kind, name, path, group, state, result, owner, data },
        node,
      };
    });
  }

  async node(id: string, reach: Reach, base: string): Promise<PullLabsNode> {
    return nodeItem(await this.row(id, reach), base);
  }

  /** Claims a node (`state` is running, or `data.job_id` is set) or reports its result (`state` is done). */
  async put(id: string, request: NodeRequest, reach: Reach, base: string): Promise<PullLabsNode> {
    const row = await this.row(id, reach);
    const { state, data = {} } = request;
    if (state === 'done') await this.finish(row, request);
    else if (state === 'running' || data?.job_id != null) {
      if (!(await this.store.claim(id, nodeHolder(id)))) throw taken(id);
    }
    return this.node(id, reach, base);
  }

  /** What a poller fetches and carries out. */
  async job(id: string, reach: Reach, base: string): Promise<PullLabsJob> {
    const row = await this.row(id, reach);
    const lease = leaseOfRun(id);
    const requires = row.requires as Requirements;
    // Read before it is claimed, it is for the attempt to come.
    const attempt = row.state === 'queued' ? row.fence + 1 : row.fence;
    return {
      artifacts: {},
      tests: [
        {
          id,
          type: Object.keys(row.run)[0] ?? 'script',
          depends: [],
          timeout_s: row.timeoutSeconds,
          'pre-commands': [],
          'post-commands': [],
        },
      ],
      environment: {
        platform: platformOf(row),
        arch: 'x86_64',
        requirements: [...(requires.labels ?? [])],
      },
      callback: {
        url: `${base}/v1/callbacks/pull-labs?pool=${row.pool}&lease=${lease}&fencing_token=${attempt}`,
        token_name: 'pebslab',
      },
      parameters: { ...row.run },
    };
  }

  private async finish(row: NodeRow, { result, data }: NodeRequest): Promise<void> {
    if (row.machine !== nodeHolder(row.id)) throw notClaimed(row);
    const said = data?.error_code == null ? FROM_RESULTS[result ?? ''] : 'error';
    if (said === undefined) {
      throw ruleViolated(
        '/result',
        'must be pass, fail, skip or incomplete where the node is done',
      );
    }
    const code = said === 'error' ? data?.error_code : undefined;
    const error = code == null ? {} : { error_code: code };
    const report = { fencing_token: row.fence, result: said, ...error };
    await this.leases.complete(leaseOfRun(row.id), report, undefined);
  }

  private async row(id: string, reach: Reach): Promise<NodeRow> {
    const row = await this.store.get(id);
    if (row === undefined || (reach !== undefined && !reach.includes(row.pool)))
      missing('node', id);
    return row;
  }
}

function nodeItem(row: NodeRow, base: string): PullLabsNode {
  const { id, jobId, pool, state, result, observed, errorCode, machine, createdAt, expiresAt } =
    row;
  const verdict = state === 'finished' ? (observed ?? result) : null;
  return {
    id,
    kind: 'job',
    name: jobId,
    path: [pool, jobId],
    group: pool,
    parent: null,
    owner: 'pebslab',
    state: STATES[state],
    result: state === 'cancelled' ? 'incomplete' : verdict === null ? null : RESULTS[verdict],
    artifacts: { job_definition: `${base}/latest/job-definition/${id}` },
    data: {
      platform: platformOf(row),
      runtime: pool,
      job_id: state === 'queued' ? null : machine,
      error_code: errorCode,
    },
    created: withoutZone(createdAt),
    timeout: withoutZone(expiresAt ?? new Date(createdAt.getTime() + row.timeoutSeconds * 1000)),
  };
}

/** The database has no year 0, and a day that its month lacks would be one of the next month here. */
function assertTime(from: string): void {
  const [day = ''] = from.split('T');
  const time = Date.parse(`${from.replace(/Z$/, '')}Z`);
  const isDay = !Number.isNaN(time) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
  if (day.startsWith('0000') || !isDay) {
    throw queryRefused('validation', 'from', 'must be a time of the calendar');
  }
}

/** What pollers choose by: the machine that is asked for, or the kind of machine. */
function platformOf({ requires }: NodeRow): string {
  const { machine, cpu_model, platform_class } = requires as Requirements;
  return machine ?? cpu_model ?? platform_class ?? 'any';
}

/** Times of Maestro are in UTC and do not say so. */
function withoutZone(time: Date): string {
  return time.toISOString().slice(0, -1);
}

function taken(id: string): ProblemError {
  const detail = `${id} is claimed already, or done, or its pool lends nothing at the moment.`;
  return new ProblemError('conflict', detail);
}

function notClaimed({ id, machine }: NodeRow): ProblemError {
  const by = machine === null ? '' : `: ${machine} holds it, and ends its lease itself`;
  return new ProblemError('conflict', `${id} has not been claimed as a node${by}.`);
}
