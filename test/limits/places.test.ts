/** Places for long work: counted exactly, shared out between tokens, and small searches never wait for large ones. */
import { createHash } from 'node:crypto';
import t from 'tap';
import type { Config } from '../../src/config/configuration.js';
import { problemOf } from '../helper.js';
import { emptyDatabase, eventually, type Instance, meddler, startInstance } from '../instances.js';
import { request } from '../service/campaigns/lab.js';
import { HUGE_SEARCH, SMALL } from '../worlds.js';

const NAMES = ['one', 'two', 'three', 'four', 'five'];
const TOKENS: Partial<Config> = {
  tokens: NAMES.map((name) => ({
    name,
    scope: 'write',
    sha256: createHash('sha256').update(name.repeat(9)).digest('hex'),
  })),
  rateLimit: 0,
};

const huge = (bounds: object = { seconds: 3600 }) => ({ ...HUGE_SEARCH, bounds });
const CAMPAIGN = request({}, { walks: 1 });

function post({ app }: Instance, path: string, payload: object, token?: string, prefer?: string) {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token.repeat(9)}` }),
    ...(prefer === undefined ? {} : { prefer }),
  };
  return app.inject({ method: 'POST', url: `/v1/${path}`, headers, payload });
}

/** A machine may be so busy that a request waits too long for a connection: as it is told, it asks again. */
async function insist(...request: Parameters<typeof post>): ReturnType<typeof post> {
  const answer = await post(...request);
  return answer.statusCode === 503 ? insist(...request) : answer;
}

async function accepted(answers: readonly { statusCode: number }[]): Promise<number> {
  for (const { statusCode } of answers) t.ok([202, 429].includes(statusCode), `${statusCode}`);
  return answers.filter(({ statusCode }) => statusCode === 202).length;
}

t.test('of what is asked for at once exactly as much is taken as may wait', async (t) => {
  const url = await emptyDatabase(t);
  const instances = [
    await startInstance(t, url, { role: 'api' }),
    await startInstance(t, url, { role: 'api' }),
  ] as const;
  const all = (path: string, payload: object, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, at) => insist(instances[at % 2]!, path, payload)),
    );
  t.equal(await accepted(await all('explorations', huge(), 120)), 64);
  t.equal(await accepted(await all('campaigns', CAMPAIGN, 80)), 32);
  const refused = await post(instances[0], 'explorations', huge());
  problemOf(t, refused, 'too_many_requests');
  t.match(refused.headers['retry-after'], /^\d+$/);
});

t.test('a token has places of its own, and leaves the others to others', async (t) => {
  const url = await emptyDatabase(t);
  const api = await startInstance(t, url, { role: 'api', ...TOKENS });
  const all = (path: string, payload: object, count: number, token: string) =>
    Promise.all(Array.from({ length: count }, () => insist(api, path, payload, token)));
  t.equal(await accepted(await all('explorations', huge(), 30, 'one')), 16);
  t.equal(await accepted(await all('campaigns', CAMPAIGN, 20, 'one')), 8);
  const refused = await post(api, 'explorations', huge(), 'one');
  t.match(problemOf(t, refused, 'too_many_requests').detail, /of this token/);
  const others = await Promise.all(
    NAMES.slice(1).map((name) => all('explorations', huge(), 20, name)),
  );
  t.equal(await accepted(others.flat()), 48, 'until there are no places at all');
});

t.test('a small search does not wait for large ones', async (t) => {
  const url = await emptyDatabase(t);
  const instance = await startInstance(t, url, { workerConcurrency: 1 });
  const large: { id: string }[] = [];
  for (let nth = 0; nth < 3; nth += 1)
    large.push((await post(instance, 'explorations', huge())).json());
  const state = async ({ id }: { id: string }): Promise<string> =>
    (await instance.app.inject(`/v1/explorations/${id}`)).json().state;
  const isBusy = async () => {
    const states = await Promise.all(large.map(state));
    const { rows } = await sql.query(`select lane from explorations where lane = 'small'`);
    return states.filter((one) => one === 'running').length === 1 && rows.length === 0;
  };
  const sql = await meddler(t, url);
  t.ok(await eventually(isBusy, (busy) => busy), 'the large ones hold their only slot');
  const small = { model: SMALL, properties: ['I1'] };
  const found = await post(instance, 'explorations', small, undefined, 'wait=60');
  t.match(found.json(), { state: 'succeeded', verdict: 'violated', attempts: 1 });
  t.equal((await Promise.all(large.map(state))).filter((one) => one === 'running').length, 1);
  for (const { id } of large) await post(instance, `explorations/${id}/cancel`, {});
});

t.test('who asks for much waits behind who asks for little', async (t) => {
  const url = await emptyDatabase(t);
  const api = await startInstance(t, url, { role: 'api', ...TOKENS });
  const ids: string[] = [];
  for (const token of ['one', 'one', 'one', 'two']) {
    ids.push((await post(api, 'explorations', huge({ states: 40_000 }), token)).json().id);
  }
  await startInstance(t, url, { role: 'worker', workerConcurrency: 1 });
  const sql = await meddler(t, url);
  const ended = async (): Promise<string[]> => {
    const { rows } = await sql.query(
      'select id from explorations where finished_at is not null order by finished_at',
    );
    return rows.map(({ id }) => id);
  };
  const order = await eventually(ended, ({ length }) => length === 4, 120_000);
  t.equal(order.length, 4, 'all have ended');
  const places = ids.map((id) => order.indexOf(id));
  const [first = 0, second = 0, third = 0, other = 0] = places;
  t.ok(first < second && second < third, `${places}: each in its turn`);
  t.ok(other < second, `${places}: the first of another before the second of the same`);
});

for (const [way, state] of [
  ['cancel', 'cancelled'],
  ['pause', 'paused'],
] as const) {
  t.test(`many at once to ${way} are one write, and every search is ${state}`, async (t) => {
    const url = await emptyDatabase(t);
    const instance = await startInstance(t, url, { role: 'api' });
    const sql = await meddler(t, url);
    const made = await Promise.all(
      Array.from({ length: 64 }, () => insist(instance, 'explorations', huge())),
    );
    const ids = made.map((answer) => answer.json().id as string);
    await sql.query('begin');
    await sql.query('lock table explorations in share mode');
    const stops = Promise.all(ids.map((id) => post(instance, `explorations/${id}/${way}`, {})));
    // Longer than a request waits for a connection: if each held one, others would be refused by now.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    t.equal(
      (await instance.app.inject('/v1/hosts')).statusCode,
      200,
      'others are answered meanwhile',
    );
    await sql.query('commit');
    for (const { statusCode, body } of await stops) t.equal(statusCode, 200, body.slice(0, 200));
    const others = async (): Promise<number> => {
      const { rows } = await sql.query(
        'select count(*)::int as count from explorations where state <> $1',
        [state],
      );
      return rows[0].count;
    };
    t.equal(await eventually(others, (count) => count === 0), 0);
  });
}
