/** Pool jobs: asking for them, how they stand, cancelling them. How their runs are lent is in leases.ts. */
import {
  COPIES_MAX,
  type PoolJob,
  type PoolJobQuery,
  type PoolJobRequest,
} from '../../../schemas/pool-job.js';
import type { Database } from '../../store/database.js';
import { type JobRow, PoolJobStore } from '../../store/pool-job-store.js';
import { finished } from '../../store/work-store.js';
import type { Explorations } from '../explorations/explorations.js';
import { counterexamples } from '../explorations/findings.js';
import { scenarioById } from '../explorations/request.js';
import { type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { waitFor } from '../long-work/waiting.js';
import { cpuModelById, kernelById } from '../lookups.js';
import { numbered } from '../numbered.js';
import { fieldRefused, ProblemError, ruleViolated, tryLater } from '../problem-error.js';
import { missing } from '../refusals.js';
import { poolJobReport } from '../reports/of-pool-job.js';
import type { Report } from '../reports/report.js';
import { jobItem, runItem } from './pool-views.js';

/** In one pool, as long as they have not ended. */
const LIMITS = { jobs: 1000, runs: 100_000 };
const RETRY_SECONDS = 60;

export class PoolJobs {
  private readonly store: PoolJobStore;

  constructor(
    private readonly database: Database,
    private readonly explorations: Explorations,
    private readonly closing: AbortSignal,
  ) {
    this.store = new PoolJobStore(database);
  }

  async create(request: PoolJobRequest, ticket?: Ticket): Promise<Reply<PoolJob>> {
    await this.assertMeant(request);
    const { pool, requires = {}, run, copies, timeout_seconds, priority } = request;
    const id = randomId('job');
    const job = { id, pool, requires, run, copies, timeoutSeconds: timeout_seconds, priority };
    const runs = Array.from({ length: copies }, () => randomId('run'));
    const replyOf = (row: JobRow): Reply<PoolJob> => ({
      status: 202,
      headers: { location: `/v1/pool-jobs/${id}` },
      body: jobItem(row),
    });
    const added = await this.store.add(
      job,
      runs,
      LIMITS,
      (row) => ticket && storedAnswer(ticket, replyOf(row)),
    );
    if (added === 'no pool') throw fieldRefused('unknown_name', '/pool', `names no pool (${pool})`);
    if (added === 'full') {
      const detail = `${pool} has as many jobs or runs waiting as it may have: ${LIMITS.jobs} and ${LIMITS.runs}.`;
      throw tryLater('too_many_requests', detail, RETRY_SECONDS);
    }
    return replyOf(added);
  }

  async list({ pool }: PoolJobQuery, before: number, limit: number) {
    return numbered(await this.store.list(before, limit, pool), jobItem);
  }

  /** Waits for the end of its last run, at most so long. */
  async wait(id: string, millis: number): Promise<PoolJob> {
    const read = () => this.row(id);
    const isOver = ({ finishedAt }: JobRow) => finishedAt !== null;
    return jobItem(await waitFor(this.database, finished(id), this.closing, millis, read, isOver));
  }

  async runs(id: string, after: number, limit: number) {
    await this.row(id);
    return numbered(await this.store.runs(id, after, limit), runItem);
  }

  /** Its copies as tests. */
  async report(id: string): Promise<Report> {
    const job = jobItem(await this.row(id));
    const runs = (await this.store.runs(id, 0, COPIES_MAX)).map(runItem);
    return poolJobReport(job, runs, await this.store.machineFacts(id), new Date());
  }

  async cancel(id: string): Promise<PoolJob> {
    await this.store.cancel(id);
    return jobItem(await this.row(id));
  }

  async delete(id: string): Promise<void> {
    if (!(await this.store.delete(id))) missing('pool job', id);
  }

  private async row(id: string): Promise<JobRow> {
    return (await this.store.get(id)) ?? missing('pool job', id);
  }

  /** Refuses names that nothing has, before anything waits. */
  private async assertMeant({ requires, run }: PoolJobRequest): Promise<void> {
    const { scenario, counterexample, script, kernel } = run;
    const asked = [scenario, counterexample, script].filter((one) => one !== undefined);
    if (asked.length !== 1) {
      throw ruleViolated('/run', 'must have one of scenario, counterexample and script');
    }
    if (requires?.cpu_model !== undefined) cpuModelById(requires.cpu_model, '/requires/cpu_model');
    if (kernel !== undefined) kernelById(kernel, '/run/kernel');
    if (scenario !== undefined) scenarioById(scenario, '/run/scenario');
    if (counterexample !== undefined) await this.assertFound(counterexample);
  }

  private async assertFound(asked: {
    readonly exploration: string;
    readonly counterexample: string;
  }): Promise<void> {
    const { exploration, counterexample } = asked;
    const pointer = '/run/counterexample';
    const row = await this.explorations.row(exploration).catch((error) => {
      if (!(error instanceof ProblemError) || error.code !== 'not_found') throw error;
      throw fieldRefused(
        'unknown_name',
        `${pointer}/exploration`,
        `names no exploration (${exploration})`,
      );
    });
    const id = counterexample.includes('-') ? counterexample : `${counterexample}-0`;
    if (counterexamples(row).some((one) => one.id === id)) return;
    const detail = `names no counterexample of ${exploration} (${counterexample})`;
    throw fieldRefused('unknown_name', `${pointer}/counterexample`, detail);
  }
}
