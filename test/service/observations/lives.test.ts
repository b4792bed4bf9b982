/** Texts while they are read, by instances that stop, die, or are asked for what another one reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { ObservationSchema } from '../../../schemas/observation.js';
import { bodyOf, problemOf } from '../../helper.js';
import { emptyDatabase, eventually, meddler, startInstance } from '../../instances.js';
import { listen, loop, send } from '../../routes/upload.js';

const url = await emptyDatabase(t);
const here = await startInstance(t, url, { role: 'api', jobLockSeconds: 5 });
const there = await startInstance(t, url, { role: 'api', jobLockSeconds: 5 });
const port = await listen(here.app);
const sql = await meddler(t, url);

const TEXT = loop(100);

/** Nothing can be stored meanwhile. */
async function withoutRoom<Result>(t: Test, act: () => Promise<Result>): Promise<Result> {
  const session = await meddler(t, url);
  await session.query('begin');
  await session.query('lock table observation_pieces in access exclusive mode');
  try {
    return await act();
  } finally {
    await session.query('rollback');
  }
}

t.test('what one instance has read, another one shows', async (t) => {
  const text = loop(50_000);
  const sent = await send(port, '?format=rdmsr&machine=two', text, {
    headers: { prefer: 'wait=60' },
  });
  t.equal(sent.status, 201, sent.text);
  const path = `/v1/observations/${sent.body.id}`;
  const read = await there.app.inject(path);
  t.strictSame(bodyOf(t, read, ObservationSchema), sent.body);
  const raw = await there.app.inject({
    url: `${path}/raw`,
    headers: { 'accept-encoding': 'gzip' },
  });
  t.ok(gunzipSync(raw.rawPayload).equals(Buffer.from(text)));
  let next = `${path}/records?limit=1000`;
  let lines = 0;
  while (next !== '') {
    const response = await there.app.inject(next);
    const { items, next_cursor } = response.json();
    for (const { line } of items) {
      lines += 1;
      if (line !== lines) t.fail(`line ${line} in place of ${lines}`);
    }
    // The first pages, one in the middle and the last.
    next = next_cursor === null ? '' : `${path}/records?limit=1000&cursor=${next_cursor}`;
    if (lines > 3000) break;
  }
  const cursor = Buffer.from('49990:seq').toString('base64url');
  const last = (await there.app.inject(`${path}/records?cursor=${cursor}`)).json();
  t.equal(last.items.length, 10);
  t.match(last.items.at(-1), { line: 50_000, value: '0x0000000000000001' });
  t.equal(last.has_more, false);
});

t.test('reading that takes longer than a second is accepted, and waited for', async (t) => {
  const { sent, key } = await withoutRoom(t, async () => {
    const key = { 'idempotency-key': 'late' };
    const sent = await send(port, '', TEXT, { headers: key });
    t.equal(sent.status, 202, sent.text);
    t.match(sent.body, { state: 'reading', format: 'auto' });
    t.equal(sent.headers.location, `/v1/observations/${sent.body.id}`);
    return { sent, key };
  });
  const path = `/v1/observations/${sent.body.id}`;
  const read = await there.app.inject({ url: path, headers: { prefer: 'wait=30' } });
  t.match(bodyOf(t, read, ObservationSchema), { state: 'done', format: 'rdmsr', records: 100 });
  const again = await send(port, '', TEXT, { headers: key });
  t.equal(again.headers['idempotent-replayed'], 'true');
  t.equal(again.status, 202, 'as the first time');
  t.strictSame(again.body, sent.body);
});

t.test('what is being read has no records and no text yet, and can be deleted', async (t) => {
  await withoutRoom(t, async () => {
    const { body } = await send(port, '', TEXT);
    const path = `/v1/observations/${body.id}`;
    t.match(problemOf(t, await there.app.inject(`${path}/raw`), 'conflict'), { detail: /wait/ });
    problemOf(t, await there.app.inject(`${path}/records`), 'conflict');
    const { items } = (await there.app.inject('/v1/observations?limit=1')).json();
    t.match(items, [{ id: body.id, state: 'reading' }]);
  });
});

t.test('a client that prefers to wait gets the end', async (t) => {
  const sent = withoutRoom(t, async () => {
    const sending = send(port, '', TEXT, { headers: { prefer: 'wait=30' } });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return { sending };
  });
  const { sending } = await sent;
  t.match(await sending, { status: 201, body: { state: 'done' } });
});

t.test('of what a dead instance was reading, nobody waits for the end', async (t) => {
  const server = fileURLToPath(new URL('../../../src/server.js', import.meta.url));
  const { PATH = '' } = process.env;
  const env = { PATH, PORT: '0', DATABASE_URL: url, ROLE: 'api', JOB_LOCK_SECONDS: '5' };
  const child = spawn(process.execPath, [server], { env });
  t.teardown(() => void child.kill('SIGKILL'));
  let out = '';
  const address = await new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const found = /Server listening at http:[^"]*:(\d+)/.exec(out)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  const id = await withoutRoom(t, async () => {
    const { status, body } = await send(Number(address), '?machine=lost', TEXT);
    t.equal(status, 202);
    // Another one has not come to its end, so nobody has heard of it.
    void send(Number(address), '?machine=unheard', unended()).catch(() => {});
    const unheard = async () =>
      (await sql.query(`select 1 from observations where state = 'arriving'`)).rows.length;
    await eventually(unheard, (count) => count === 1, 10_000);
    child.kill('SIGKILL');
    await once(child, 'exit');
    return body.id as string;
  });
  const read = await here.app.inject({
    url: `/v1/observations/${id}`,
    headers: { prefer: 'wait=30' },
  });
  t.match(bodyOf(t, read, ObservationSchema), {
    state: 'failed',
    error: 'The service ended while it was read; send it again.',
  });
  const left = async () =>
    (await sql.query(`select 1 from observations where finished_at is null`)).rows.length;
  t.equal(await eventually(left, (count) => count === 0, 20_000), 0, 'the other one is gone');
  const told = async () => (await here.app.inject(`/v1/events?subject=${id}`)).json().items;
  t.match(await eventually(told, ({ length }) => length > 0), [
    { type: 'observation.ended', data: { state: 'failed', machine: 'lost' } },
  ]);
});

/** Enough for a piece, and then nothing more. */
async function* unended() {
  yield loop(80_000);
  await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
}

t.test('an instance that stops ends what arrives, and reads what has arrived', async (t) => {
  const third = await startInstance(t, url, { role: 'api', jobLockSeconds: 5 });
  const thirdPort = await listen(third.app);
  const { body, slow, closed } = await withoutRoom(t, async () => {
    const slow = send(thirdPort, '?machine=slow', unended()).catch((error) => error);
    const { body } = await send(thirdPort, '?machine=stopping', TEXT);
    const closed = third.close();
    await new Promise((resolve) => setTimeout(resolve, 500));
    return { body, slow, closed };
  });
  await closed;
  const answer = await slow;
  t.ok(answer instanceof Error || answer.status === 503, String(answer.status ?? answer));
  const { items } = (await here.app.inject('/v1/observations?machine=slow')).json();
  t.strictSame(items, []);
  const read = (await here.app.inject(`/v1/observations/${body.id}`)).json();
  t.match(read, { state: 'done', records: 100 });
});
