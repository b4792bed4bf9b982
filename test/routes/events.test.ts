/** Live events as pages and as streams, through real sockets and across instances. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { EventPageSchema } from '../../schemas/event.js';
import { sha256 } from '../../src/config/access-tokens.js';
import { EventStore, insertEvents } from '../../src/store/event-store.js';
import { bodyOf, problemOf } from '../helper.js';
import {
  connect,
  emptyDatabase,
  eventually,
  type Instance,
  meddler,
  startInstance,
} from '../instances.js';
import { Stream } from './event-stream.js';

const url = await emptyDatabase(t);
const database = await connect(t, url);
const here = await startInstance(t, url, { role: 'api' });
const there = await startInstance(t, url, { role: 'api' });
await there.app.listen({ port: 0, host: '127.0.0.1' });

const HOST = { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' };

async function newHost({ app }: Instance): Promise<string> {
  return (await app.inject({ method: 'POST', url: '/v1/hosts', payload: HOST })).json().id;
}

async function page(t: Test, query: string) {
  return bodyOf(t, await here.app.inject(`/v1/events?${query}`), EventPageSchema);
}

/** A place after everything so far. */
async function now(t: Test): Promise<string> {
  const marker = await newHost(here);
  const read = async () => {
    let after = '';
    for (;;) {
      const { items, next_cursor, has_more } = await page(t, `limit=1000${after}`);
      if (items.some(({ subject }) => subject === marker)) return next_cursor;
      if (!has_more) return undefined;
      after = `&after=${next_cursor}`;
    }
  };
  return (await eventually(read, (cursor) => cursor !== undefined)) ?? '';
}

t.test('pages follow each other without gap or doubling while others write', async (t) => {
  let after = await now(t);
  let writing = true;
  const write = Promise.all(
    [here, there].map(async (instance) => {
      const ids: string[] = [];
      for (let at = 0; at < 40; at += 1) ids.push(await newHost(instance));
      return ids;
    }),
  ).finally(() => {
    writing = false;
  });
  const seen: string[] = [];
  const look = async () => {
    const { items, next_cursor } = await page(t, `limit=7&after=${after}`);
    seen.push(...items.map(({ subject }) => subject));
    t.equal(next_cursor, items.at(-1)?.id ?? after);
    after = next_cursor;
    return items.length;
  };
  while (writing) await look();
  const made = (await write).flat();
  await eventually(
    async () => {
      await look();
      return seen.length;
    },
    (length) => length >= made.length,
  );
  t.strictSame(seen.sort(), made.sort());
  t.equal(await look(), 0, 'and a page after the last one is empty, with a cursor');
});

t.test('a page tells whether there is more, and where', async (t) => {
  const after = await now(t);
  const ids = [await newHost(here), await newHost(there), await newHost(here)];
  await eventually(
    () => page(t, `after=${after}`),
    ({ items }) => items.length === 3,
  );
  const first = await here.app.inject(`/v1/events?after=${after}&limit=2`);
  const { items, next_cursor, has_more } = first.json();
  t.equal(has_more, true);
  t.equal(first.headers.link, `</v1/events?after=${next_cursor}&limit=2>; rel="next"`);
  const rest = await here.app.inject(`/v1/events?after=${next_cursor}&limit=2`);
  t.match(rest.json(), { has_more: false });
  t.equal(rest.headers.link, undefined);
  const subjects = [...items, ...rest.json().items].map(
    ({ subject }: { subject: string }) => subject,
  );
  t.strictSame(subjects, ids);
  t.match(items[0], { type: 'host.created', data: HOST });
});

t.test('what is no cursor is refused', async (t) => {
  for (const after of ['abcd', 'MC4w'.repeat(20), 'LTEuMA', 'MS4', '%00%00%00%00', "'%3Bdrop"]) {
    problemOf(t, await here.app.inject(`/v1/events?after=${after}`), 'validation');
  }
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'from=1']) {
    problemOf(t, await here.app.inject(`/v1/events?${query}`), 'validation');
  }
  problemOf(
    t,
    await here.app.inject({ url: '/v1/events', headers: { accept: 'text/html' } }),
    'not_acceptable',
  );
});

t.test('a stream that resumes from what is no cursor is told to begin anew', async (t) => {
  const stream = await Stream.open(t, there, '', { 'last-event-id': 'nonsense' });
  t.equal(stream.response.statusCode, 200, 'or an EventSource would give up');
  t.match(await stream.until(1), [{ event: 'reset' }]);
});

t.test('a stream tells on one instance what happens on another', async (t) => {
  // Older than all others, though as text its transaction is the newest.
  await database.pool.query(
    `insert into events (xid, type, subject, data) values ('99', 'host.created', 'host_old', '{}')`,
  );
  const stream = await Stream.open(t, there);
  t.equal(stream.response.statusCode, 200);
  t.match(stream.response.headers, {
    'content-type': /^text\/event-stream/,
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  });
  await eventually(
    async () => stream.text,
    (text) => text.includes('\n\n'),
  );
  t.equal(stream.text, 'retry: 3000\n\n', 'without a place it begins now');
  const ids = [await newHost(here), await newHost(there)];
  const messages = await stream.until(2);
  t.strictSame(stream.subjects().sort(), ids.sort());
  t.match(messages, [{ event: 'host.created', id: /^[\w-]+$/ }, { event: 'host.created' }]);
});

t.test(
  'a stream goes on from a place, and the last event id counts more than the address',
  async (t) => {
    const start = await now(t);
    const ids = [await newHost(here), await newHost(here), await newHost(here)];
    const whole = await Stream.open(t, there, `?after=${start}`);
    const messages = await whole.until(3);
    t.strictSame(whole.subjects(), ids);
    const rest = await Stream.open(t, there, `?after=${start}`, {
      'last-event-id': messages[0]?.id,
    });
    await rest.until(2);
    t.strictSame(rest.subjects(), ids.slice(1));
  },
);

t.test('only the events of a subject, or of a type', async (t) => {
  const after = await now(t);
  const ids = [await newHost(here), await newHost(here), await newHost(here)];
  await here.app.inject({ method: 'DELETE', url: `/v1/hosts/${ids[1]}` });
  await eventually(
    () => page(t, `after=${after}`),
    ({ items }) => items.length === 4,
  );
  const told = async (query: string) => {
    const { items } = await page(t, `after=${after}&${query}`);
    return items.map(({ type, subject }) => [type, subject]);
  };
  t.strictSame(await told(`subject=${ids[1]}`), [
    ['host.created', ids[1]],
    ['host.deleted', ids[1]],
  ]);
  t.strictSame(await told('type=host.deleted'), [['host.deleted', ids[1]]]);
  t.strictSame(await told(`type=host.created&subject=${ids[2]}`), [['host.created', ids[2]]]);
  t.strictSame(await told('subject=exp_nobody'), []);
  for (const query of ['type=host.lost', 'subject=', "subject='"]) {
    problemOf(t, await here.app.inject(`/v1/events?${query}`), 'validation');
  }
  const first = await here.app.inject(`/v1/events?after=${after}&limit=1&subject=${ids[1]}`);
  t.match(first.json(), { has_more: true, items: [{ type: 'host.created' }] });
  const [, next = ''] = /^<(.*)>; rel="next"$/.exec(String(first.headers.link)) ?? [];
  const rest = await here.app.inject(next);
  t.match(rest.json(), { has_more: false, items: [{ type: 'host.deleted' }] }, 'page by page');
});

t.test('the cursor passes the events that are not asked for, and none that are', async (t) => {
  const after = await now(t);
  const marker = await now(t);
  const { items, next_cursor } = await page(t, `after=${after}&type=campaign.ended`);
  t.strictSame(items, []);
  t.not(next_cursor, after, 'it would expire');
  const wanted = { type: 'campaign.ended', subject: 'cmp_1', data: {} };
  await insertEvents(database.query, [wanted]);
  const { items: found } = await eventually(
    () => page(t, `after=${next_cursor}&type=campaign.ended`),
    (read) => read.items.length > 0,
  );
  t.match(found, [wanted]);
  t.strictSame((await page(t, `after=${marker}&type=campaign.ended`)).items, found);
});

t.test('a stream of a subject or a type, from a place and live', async (t) => {
  const start = await now(t);
  const [one, two] = [await newHost(here), await newHost(here)];
  const streams = await Promise.all(
    [`subject=${two}`, 'type=host.deleted'].map((query) =>
      Stream.open(t, there, `?after=${start}&${query}`),
    ),
  );
  const [ofHost, deleted] = streams;
  const told = (stream: Stream | undefined) =>
    (stream?.messages ?? [])
      .filter(({ data }) => data !== undefined)
      .map(({ event, data = '{}' }) => [event, JSON.parse(data).subject]);
  await eventually(
    async () => told(ofHost),
    ({ length }) => length === 1,
  );
  await newHost(here);
  await here.app.inject({ method: 'DELETE', url: `/v1/hosts/${one}` });
  await here.app.inject({ method: 'DELETE', url: `/v1/hosts/${two}` });
  await eventually(
    async () => [told(ofHost), told(deleted)],
    ([host = [], gone = []]) => host.length === 2 && gone.length === 2,
  );
  t.strictSame(told(ofHost), [
    ['host.created', two],
    ['host.deleted', two],
  ]);
  t.strictSame(told(deleted), [
    ['host.deleted', one],
    ['host.deleted', two],
  ]);
  const last = ofHost?.messages.at(-1)?.id;
  const { items } = await page(t, `after=${last}`);
  t.notOk(
    items.some(({ subject }) => subject === one || subject === two),
    'the last id is a cursor as any other',
  );
});

t.test('a violation is told once for a host', async (t) => {
  const after = await now(t);
  const host = `/v1/hosts/${await newHost(here)}`;
  const post = (path: string, payload: object) =>
    here.app.inject({ method: 'POST', url: `${host}/${path}`, payload });
  await post('perf-events', { counter: 'PMC0', precise_ip: 2, exclude_guest: true });
  const { id } = (await post('vcpus', {})).json();
  const inject = [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }];
  await post(`vcpus/${id}/transitions`, { kind: 'round_trip', inject });
  await post(`vcpus/${id}/transitions`, { kind: 'round_trip' });
  await here.app.inject({ method: 'DELETE', url: host });
  const { items } = await eventually(
    () => page(t, `after=${after}`),
    (read) => read.items.some(({ type }) => type === 'host.deleted'),
  );
  const found = items
    .filter(({ type }) => type === 'violation.found')
    .map(({ data }) => data.invariant);
  t.ok(found.includes('I1'));
  t.equal(new Set(found).size, found.length, found.join());
});

t.test('who comes after events were forgotten is told where to go on', async (t) => {
  const old = await now(t);
  await insertEvents(database.query, [{ type: 'host.created', subject: 'host_old', data: {} }]);
  await database.pool.query(`update events set created_at = now() - interval '1000 hours'`);
  const kept = await newHost(here);
  const store = new EventStore(database.query);
  // Other test files keep transactions open on the same server, and events wait for those.
  const oldEvents = async (): Promise<number> => {
    await store.forget(720, 1_000_000, 1000);
    const { rows } = await database.pool.query(
      `select from events where created_at < now() - interval '720 hours'`,
    );
    return rows.length;
  };
  t.equal(await eventually(oldEvents, (count) => count === 0), 0);
  const refused = await here.app.inject(`/v1/events?after=${old}`);
  const { restart_cursor } = problemOf(t, refused, 'cursor_expired') as { restart_cursor?: string };
  const rest = await page(t, `after=${restart_cursor}`);
  t.strictSame(
    rest.items.map(({ subject }) => subject),
    [kept],
  );

  const stream = await Stream.open(t, there, '', { 'last-event-id': old });
  t.equal(stream.response.statusCode, 200, 'or an EventSource would give up');
  const messages = await stream.until(2);
  t.match(messages, [{ event: 'reset', id: restart_cursor }, { event: 'host.created' }]);
  t.strictSame(stream.subjects(), [undefined, kept]);
});

function connections({ app }: Instance): Promise<number> {
  return new Promise((resolve) => {
    app.server.getConnections((_error, count) => resolve(count));
  });
}

/** All streams of the tests before have ended. */
const idle = () =>
  eventually(
    () => connections(there),
    (count) => count === 0,
  );

t.test(
  'streams are bounded, and clients that hung up before theirs began do not count',
  async (t) => {
    t.equal(await idle(), 0);
    const sql = await meddler(t, url);
    await sql.query('begin');
    // The streams begin at the newest event, and cannot look for it.
    await sql.query('lock table events in access exclusive mode');
    const { port } = there.app.server.address() as AddressInfo;
    const headers = { accept: 'text/event-stream' };
    const requests = Array.from({ length: 30 }, () => {
      const request = httpRequest({ port, host: '127.0.0.1', path: '/v1/events', headers });
      request.on('error', () => {});
      request.end();
      return request;
    });
    const watch = await meddler(t, url);
    const waiting = async () => {
      const { rows } = await watch.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length;
    };
    t.equal(await eventually(waiting, (length) => length >= 3), 3, 'with connections of their own');
    t.equal((await there.app.inject('/v1/hosts')).statusCode, 200, 'so nobody else waits');
    for (const request of requests) request.destroy();
    t.equal(await idle(), 0);
    await sql.query('rollback');

    const streams: Stream[] = [];
    let refused: Stream | undefined;
    while (refused === undefined && streams.length < 300) {
      const more = await Promise.all(Array.from({ length: 20 }, () => Stream.open(t, there)));
      refused = more.find(({ response }) => response.statusCode !== 200);
      streams.push(...more.filter(({ response }) => response.statusCode === 200));
    }
    t.equal(refused?.response.statusCode, 429);
    t.equal(refused?.response.headers['retry-after'], '5');
    t.equal(streams.length, 200);
    for (const { response } of streams) response.destroy();
    const again = await eventually(
      () => Stream.open(t, there),
      ({ response }) => response.statusCode === 200,
    );
    t.equal(again.response.statusCode, 200, 'those that left made room');
  },
);

t.test('a token has its share of the places', async (t) => {
  const instance = await startInstance(t, url, {
    role: 'api',
    tokens: ['one', 'two'].map((name) => ({
      name,
      scope: 'read' as const,
      sha256: sha256(name).toString('hex'),
    })),
  });
  await instance.app.listen({ port: 0, host: '127.0.0.1' });
  const open = (token: string) =>
    Stream.open(t, instance, '', { authorization: `Bearer ${token}` });
  const streams = await Promise.all(Array.from({ length: 22 }, () => open('one')));
  const statuses = streams.map(({ response }) => response.statusCode).sort();
  t.strictSame(statuses, [...Array(20).fill(200), 429, 429]);
  t.equal((await open('two')).response.statusCode, 200, 'another token has places of its own');
  streams.find(({ response }) => response.statusCode === 200)?.response.destroy();
  const again = await eventually(
    () => open('one'),
    ({ response }) => response.statusCode === 200,
  );
  t.equal(again.response.statusCode, 200, 'one that left made room');
});

t.test('who asks for the header of a stream gets it at once, and takes no place', async (t) => {
  t.equal(await idle(), 0);
  const { port } = there.app.server.address() as AddressInfo;
  const headers = { accept: 'text/event-stream', connection: 'close' };
  const head = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method: 'HEAD', port, host: '127.0.0.1', path: '/v1/events', headers };
      const request = httpRequest(options, (response) => {
        response.resume();
        response.on('end', () => resolve(response));
      });
      request.on('error', reject);
      request.end();
    });
  for (let at = 0; at < 201; at += 1) {
    const { statusCode, headers } = await head();
    if (statusCode === 200 && /^text\/event-stream/.test(headers['content-type'] ?? '')) continue;
    t.fail(`${at}: ${statusCode} ${headers['content-type']}`);
  }
  t.equal(await idle(), 0);
});

t.test('a service that stops ends its streams, also those that nobody reads', async (t) => {
  const instance = await startInstance(t, url, { role: 'api' });
  await instance.app.listen({ port: 0, host: '127.0.0.1' });
  const read = await Stream.open(t, instance);
  const unread = await Stream.open(t, instance);
  unread.response.pause();
  unread.response.removeAllListeners('data');
  // More than the buffers of both sides hold.
  const data = { text: 'x'.repeat(1_000_000) };
  for (let at = 0; at < 10; at += 1) {
    await insertEvents(database.query, [{ type: 'host.created', subject: 'host_big', data }]);
  }
  await read.until(10);
  await instance.close();
  await eventually(
    async () => read.ended,
    (ended) => ended,
  );
  t.ok(read.ended);
});
