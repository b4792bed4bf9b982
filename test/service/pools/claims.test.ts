/** Many machines ask two instances for the same runs, while connections break, leases expire and machines begin afresh. */
import t from 'tap';
import type { Lent } from '../../../schemas/lease.js';
import type { Explorations } from '../../../src/service/explorations/explorations.js';
import { Leases } from '../../../src/service/pools/leases.js';
import { PoolJobs } from '../../../src/service/pools/pool-jobs.js';
import { Pools } from '../../../src/service/pools/pools.js';
import { WaitingLine } from '../../../src/service/pools/waiting-line.js';
import { openDatabase } from '../../../src/store/database.js';
import { emptyDatabase, meddler } from '../../instances.js';

const POLLERS = 32;
const RUNS = 150;

const url = await emptyDatabase(t);
const never = new AbortController().signal;

/** As much of an instance as lends, with connections of its own. */
async function instance() {
  const database = await openDatabase(url);
  t.teardown(() => database.close());
  const leases = new Leases(database, () => {});
  return { database, leases };
}

/** Insists, as a machine does whose answer was lost. */
async function insist<Answer>(act: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      const isRefusal = (error as { code?: string }).code === 'conflict';
      if (isRefusal || tries === 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

t.test('no run is given twice, and none is lost', async (t) => {
  const instances = [await instance(), await instance()];
  const [{ database }] = instances as [Awaited<ReturnType<typeof instance>>];
  const sql = await meddler(t, url);
  await new Pools(database).put('lab-a', { lease_seconds: 300, draining: false }, true);
  // No job is about a counterexample.
  const jobs = new PoolJobs(database, undefined as unknown as Explorations, never);
  const job = { pool: 'lab-a', run: { script: 'true' }, timeout_seconds: 3600, priority: 0 };
  for (let n = 0; n < 3; n += 1) await jobs.create({ ...job, copies: RUNS / 3 });

  const given = new Map<string, string>();
  let claims = 0;
  let isOver = false;
  const poll = async (machine: string, n: number): Promise<void> => {
    for (let turn = n; !isOver; turn += 1) {
      const { leases } = instances[turn % 2] as (typeof instances)[number];
      let lent: Lent | undefined;
      try {
        const asked = { machine };
        lent = (await insist(() => leases.claim('lab-a', asked, undefined, undefined, 0, never)))
          ?.body;
      } catch {
        // The answer to an earlier request was lost: the machine holds a lease and does not know.
        await insist(() => leases.reset('lab-a', machine));
        continue;
      }
      if (lent === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      claims += 1;
      const { id, fencing_token } = lent.lease;
      const key = `${id} ${fencing_token}`;
      if (given.has(key)) t.fail(`${key} is given to ${given.get(key)} and ${machine}`);
      given.set(key, machine);
      const kind = (claims * 7) % 10;
      if (kind === 0) {
        // It dies, and its lease is not renewed; another that was given up for dead speaks up.
        await sql.query(
          `update pool_runs set expires_at = now() - interval '1 second'
            where id = $1 and fence = $2 and state = 'leased'`,
          [lent.run.id, fencing_token],
        );
        if (turn % 2 === 0) {
          await insist(() => leases.complete(id, { fencing_token, result: 'fail' }, undefined));
        }
        continue;
      }
      if (kind === 1) {
        await insist(() => leases.reset('lab-a', machine));
        continue;
      }
      if (kind === 2) await insist(() => leases.beat(id, { fencing_token }, undefined));
      const result = kind === 3 ? 'error' : 'pass';
      await insist(() => leases.complete(id, { fencing_token, result }, undefined));
    }
  };
  const left = async (): Promise<number> => {
    const { rows } = await sql.query(
      `select count(*)::int as left from pool_runs where state in ('queued', 'leased')`,
    );
    return rows[0].left;
  };
  const watch = async (): Promise<void> => {
    while ((await left()) > 0) {
      await sql.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'pebslab' and state <> 'idle'
          order by random() limit 1`,
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    isOver = true;
  };
  const pollers = Array.from({ length: POLLERS }, (_, n) => poll(`host-${n}`, n));
  await Promise.all([watch(), ...pollers]);

  t.comment(`${claims} claims answered, ${given.size} leases`);
  const { rows: attempts } = await sql.query(
    `select run_id, fence, machine, state from pool_attempts`,
  );
  t.ok(attempts.length >= given.size && attempts.length > RUNS, `${attempts.length} attempts`);
  for (const { run_id, fence, machine } of attempts) {
    const holder = given.get(`${run_id.replace('run_', 'lease_')} ${fence}`);
    if (holder !== undefined && holder !== machine) t.fail(`${run_id} ${fence}: ${machine}`);
  }
  const { rows } = await sql.query(
    `select count(*)::int as runs,
            count(*) filter (where state = 'finished' and result in ('pass', 'error'))::int as ended,
            count(*) filter (where result = 'pass' and 1 = (
              select count(*) from pool_attempts a where a.run_id = r.id and a.state = 'completed' and a.result = 'pass'))::int as passed,
            count(*) filter (where result = 'pass')::int as said,
            count(*) filter (where result = 'error' and fence = 3)::int as failed,
            count(*) filter (where fence <> (select count(*) from pool_attempts a where a.run_id = r.id))::int as odd
       from pool_runs r`,
  );
  const { runs, ended, passed, said, failed, odd } = rows[0];
  t.equal(runs, RUNS);
  t.equal(ended, RUNS, 'every run has one end');
  t.equal(passed, said, 'each passed by one attempt');
  t.equal(passed + failed, RUNS, 'or was tried three times');
  t.equal(odd, 0, 'every lease was an attempt');
  t.equal(attempts.filter(({ state }) => state === 'held').length, 0, 'nobody holds anything');
  const { rows: ends } = await sql.query(
    'select unfinished, finished_at is not null as is_over from pool_jobs',
  );
  t.strictSame(
    ends.map(({ unfinished, is_over }) => [unfinished, is_over]),
    [1, 2, 3].map(() => [0, true]),
    'and counted once',
  );
});

t.test('of many that wait, as many look as there is something for', async (t) => {
  const { database } = await instance();
  const sql = await meddler(t, url);
  const notify = () => sql.query(`select pg_notify('pebslab', 'pool:line')`);
  let left = 0;
  let looks = 0;
  let isGone = false;
  const hasWork = async (): Promise<boolean> => {
    if (isGone) throw new Error('the pool is gone');
    return left > 0;
  };
  const line = new WaitingLine(database.notices, 'pool:line', hasWork);
  const served: number[] = [];
  const wait = (n: number, millis = 30_000): Promise<number | undefined> =>
    line.wait(
      async () => {
        looks += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
        if (left === 0) return undefined;
        left -= 1;
        served.push(n);
        return n;
      },
      millis,
      never,
    );
  const waiting = Array.from({ length: 60 }, (_, n) => wait(n));
  t.equal(await wait(60, 20), undefined, 'the time is up');
  t.equal(looks, 62, 'everybody has looked once, and at the end');
  left = 2;
  await notify();
  t.strictSame((await Promise.all(waiting.slice(0, 2))).sort(), [0, 1], 'the longest waiting');
  t.ok(looks <= 66, `${looks} looks`);
  left = 30;
  await notify();
  await Promise.all(waiting.slice(2, 32));
  t.equal(left, 0);
  t.strictSame(
    served.sort((a, b) => a - b),
    Array.from({ length: 32 }, (_, n) => n),
  );
  isGone = true;
  const ending = Promise.allSettled(waiting.slice(32));
  await notify();
  const ended = await ending;
  t.ok(ended.every(({ status }) => status === 'rejected'));
  t.ok(line.isEmpty);
});
