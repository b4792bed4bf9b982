/** Texts sent over real connections: plain, compressed, in pieces, slowly, not to the end; what is answered and what is stored. */
import { gunzipSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import {
  ObservationPageSchema,
  ObservationPreviewSchema,
  ObservationSchema,
} from '../../schemas/observation.js';
import { ProblemSchema } from '../../schemas/problem.js';
import { batchesOf } from '../../src/service/observations/text-source.js';
import { faults } from '../faults.js';
import { emptyDatabase, eventually, meddler, startInstance } from '../instances.js';
import { type Answer, line, listen, loop, send } from './upload.js';

const url = await emptyDatabase(t);
const { app } = await startInstance(t, url, { role: 'api' });
const port = await listen(app);
const sql = await meddler(t, url);

const TEXT = loop(16);

/** What is there for clients: a text that is still arriving, or has broken off, is not. */
async function stored(): Promise<{ observations: number; pieces: number }> {
  const kept = `select id from observations where state <> 'arriving'`;
  const { rows } = await sql.query(
    `select (select count(*) from (${kept}) o)::int as observations,
            (select count(*) from observation_pieces where observation_id in (${kept}))::int as pieces`,
  );
  return rows[0];
}

/** Sends what must be refused; nothing is stored of it. */
async function refuses(t: Test, status: number, type: string, sending: () => Promise<Answer>) {
  const before = await stored();
  const answer = await sending();
  t.equal(answer.status, status, answer.text.slice(0, 300));
  t.equal(answer.body.type, `/problems/${type}`);
  t.strictSame(faults(ProblemSchema, answer.body), []);
  t.strictSame(await stored(), before, 'nothing is stored');
  return answer.body;
}

t.test('a text is read and stored', async (t) => {
  const query = '?format=rdmsr&machine=host-17&pool=lab-a&lease=job-1&pebs_events=0';
  const answer = await send(port, query, TEXT);
  t.equal(answer.status, 201, answer.text);
  t.strictSame(faults(ObservationSchema, answer.body), []);
  t.match(answer.body, {
    state: 'done',
    format: 'rdmsr',
    machine: 'host-17',
    pool: 'lab-a',
    lease: 'job-1',
    records: 16,
    bytes: TEXT.length,
    facts: { pebs_events: '0' },
  });
  t.equal(answer.headers.location, `/v1/observations/${answer.body.id}`);
  const read = await app.inject(`/v1/observations/${answer.body.id}`);
  t.strictSame(read.json(), answer.body);
});

t.test('however it is sent, it says the same and comes back byte for byte', async (t) => {
  const bytes = Buffer.from(TEXT);
  const type = (name: string) => ({ headers: { 'content-type': name } });
  const packed = gzipSync(bytes);
  const ways: Record<string, () => Promise<Answer>> = {
    'as bytes': () => send(port, '', TEXT, type('application/octet-stream')),
    'as JSON': () => send(port, '', TEXT, type('application/json')),
    'as curl does': () => send(port, '', TEXT, type('application/x-www-form-urlencoded')),
    'with a charset': () => send(port, '', TEXT, type('text/plain; charset=utf-8')),
    'byte by byte': () =>
      send(
        port,
        '',
        [...bytes].map((byte) => Buffer.from([byte])),
      ),
    compressed: () => send(port, '', packed, type('application/gzip')),
    'compressed in chunks': () =>
      send(
        port,
        '',
        [...packed].map((byte) => Buffer.from([byte])),
      ),
    'compressed on the way': () =>
      send(port, '', packed, { headers: { 'content-encoding': 'gzip' } }),
    'compressed, and once more on the way': () =>
      send(port, '', gzipSync(packed), { headers: { 'content-encoding': 'x-gzip' } }),
    'compressed in two parts': () =>
      send(
        port,
        '',
        Buffer.concat([bytes.subarray(0, 99), bytes.subarray(99)].map((part) => gzipSync(part))),
      ),
  };
  for (const [way, sending] of Object.entries(ways)) {
    const { status, body, text } = await sending();
    t.equal(status, 201, `${way}: ${text}`);
    t.match(body, { format: 'rdmsr', records: 16, bytes: bytes.length }, way);
    const raw = await app.inject(`/v1/observations/${body.id}/raw`);
    t.ok(raw.rawPayload.equals(bytes), `${way}: plain`);
    t.equal(raw.headers['content-encoding'], undefined);
    const headers = { 'accept-encoding': 'br, gzip;q=0.5' };
    const gzip = await app.inject({ url: `/v1/observations/${body.id}/raw`, headers });
    t.equal(gzip.headers['content-encoding'], 'gzip');
    t.ok(gunzipSync(gzip.rawPayload).equals(bytes), `${way}: compressed`);
    t.match(gzip.headers, { vary: 'accept-encoding', 'content-type': /^text\/plain/ });
  }
  const { body } = await send(port, '', TEXT);
  const none = await app.inject({
    url: `/v1/observations/${body.id}/raw`,
    headers: { 'accept-encoding': 'gzip;q=0' },
  });
  t.equal(none.headers['content-encoding'], undefined);
});

t.test('bytes that are no UTF-8 come back as they were sent', async (t) => {
  const odd = Buffer.concat([Buffer.from(TEXT), Buffer.from([0xff, 0xfe, 0, 0xc3, 10, 0xe2])]);
  const { body, status, text } = await send(port, '?format=rdmsr', odd);
  t.equal(status, 201, text);
  const raw = await app.inject(`/v1/observations/${body.id}/raw`);
  t.ok(raw.rawPayload.equals(odd));
});

t.test('a slow body is read as it comes', async (t) => {
  async function* slowly() {
    for (const piece of [TEXT.slice(0, 40), TEXT.slice(40)]) {
      yield piece;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  t.match(await send(port, '', slowly()), { status: 201, body: { records: 16 } });
});

t.test('a body that breaks off leaves nothing', async (t) => {
  const before = await stored();
  const large = loop(100_000);
  for (const headers of [{}, { 'content-length': String(9_999_999) }]) {
    await t.rejects(send(port, '', [TEXT, large], { headers, breaks: true }));
    t.strictSame(await eventually(stored, ({ pieces }) => pieces === before.pieces, 5000), before);
  }
  t.match(await send(port, '', TEXT), { status: 201 }, 'and the next is read');
});

t.test('a dry run answers the same and stores nothing', async (t) => {
  const before = await stored();
  const wet = await send(port, '?machine=a', loop(1500));
  const dry = await send(port, '?machine=a&dry_run=true', loop(1500));
  t.equal(dry.status, 200, dry.text);
  t.strictSame(faults(ObservationPreviewSchema, dry.body), []);
  const { records_preview, ...said } = dry.body;
  const { id, state, created_at, finished_at, ...says } = wet.body;
  t.strictSame(said, says);
  t.equal(records_preview.length, 1000);
  const page = await app.inject(`/v1/observations/${id}/records?limit=1000`);
  t.strictSame(page.json().items, records_preview.slice(0, 500), 'as many as a page has');
  t.equal((await stored()).observations, before.observations + 1);
});

t.test('binary files are refused with the command that makes text of them', async (t) => {
  const filler = Buffer.alloc(3_000_000, 7);
  const files: [string | Buffer, RegExp][] = [
    [Buffer.from('\x17\x08Dtracing6\0\0', 'latin1'), /trace-cmd report/],
    ['PERFILE2', /perf script/],
    [Buffer.from('\x28\xb5\x2f\xfd', 'latin1'), /zstd -dc/],
  ];
  for (const [start, command] of files) {
    const file = Buffer.concat([Buffer.from(start), filler]);
    for (const sent of [file, gzipSync(file)]) {
      const refused = await refuses(t, 415, 'unsupported_media_type', () => send(port, '', sent));
      t.match(refused.detail, command);
    }
  }
});

t.test('what cannot be taken is refused', async (t) => {
  const media = (headers: Record<string, string>) => () => send(port, '', TEXT, { headers });
  const form = media({ 'content-type': 'multipart/form-data; boundary=x' });
  t.match(await refuses(t, 415, 'unsupported_media_type', form), { detail: /--data-binary/ });
  const packed = media({ 'content-encoding': 'br' });
  t.match(await refuses(t, 415, 'unsupported_media_type', packed), { detail: /gzip/ });
  await refuses(t, 400, 'bad_request', media({ 'content-encoding': 'gzip' }));
  const cut = gzipSync(TEXT).subarray(0, 60);
  t.match(await refuses(t, 400, 'bad_request', () => send(port, '', cut)), { detail: /gzip/ });
  const query = (text: string) => () => send(port, text, TEXT);
  const unknown = await refuses(t, 400, 'validation', query('?format=rdmrs'));
  t.match(unknown.errors, [{ pointer: '/format', detail: /auto, .*did you mean "rdmsr"\?/ }]);
  for (const wrong of ['?pebs_events=x', '?machine=', '?complete=maybe', '?pebs_evnts=0']) {
    await refuses(t, 400, 'validation', query(wrong));
  }
});

t.test('of a text that is too long nothing is stored', async (t) => {
  const length = { headers: { 'content-length': String(2 ** 31 + 1) } };
  await refuses(t, 413, 'body_too_large', () => send(port, '', ['x'], length));
});

t.test('how long a text is shows as it is read, however small it was sent', async (t) => {
  const lines = Buffer.alloc(2 ** 24, 'a line\n');
  async function* text(pieces: number, rest: string) {
    for (let at = 0; at < pieces; at += 1) yield lines;
    if (rest !== '') yield Buffer.from(rest);
  }
  const bytesOf = async (pieces: number, rest: string): Promise<number> => {
    let bytes = 0;
    for await (const batch of batchesOf(text(pieces, rest))) {
      for (const piece of batch) bytes += piece.length;
    }
    return bytes;
  };
  t.equal(await bytesOf(128, ''), 2 ** 31);
  await t.rejects(bytesOf(128, 'x'), { code: 'body_too_large', message: /2 GiB/ });
});

t.test('they are listed newest first, by machine, pool, verdict and format', async (t) => {
  for (const at of [1, 2, 3]) {
    await send(port, `?machine=m-${at}&pool=${at === 2 ? 'even' : 'odd'}`, TEXT);
  }
  const list = async (query: string) => {
    const response = await app.inject(`/v1/observations${query}`);
    t.equal(response.statusCode, 200, response.body);
    t.strictSame(faults(ObservationPageSchema, response.json()), []);
    return response.json();
  };
  const machines = (page: { items: { machine?: string }[] }) =>
    page.items.map(({ machine }) => machine);
  const first = await list('?limit=2');
  t.strictSame(machines(first), ['m-3', 'm-2']);
  await send(port, '?machine=m-4', TEXT);
  const second = await list(`?limit=1&cursor=${first.next_cursor}`);
  t.strictSame(machines(second), ['m-1'], 'new ones do not move the others');
  t.strictSame(machines(await list('?pool=odd')), ['m-3', 'm-1']);
  t.strictSame(machines(await list('?machine=m-2&format=rdmsr')), ['m-2']);
  t.strictSame(machines(await list('?pool=odd&verdict=stuck')), []);
  const [{ verdict }] = first.items;
  t.strictSame(machines(await list(`?pool=odd&verdict=${verdict}`)), ['m-3', 'm-1']);
});

t.test('one that is deleted is gone with its text', async (t) => {
  const before = await stored();
  const { body } = await send(port, '', TEXT);
  const path = `/v1/observations/${body.id}`;
  t.equal((await app.inject({ method: 'DELETE', url: path })).statusCode, 204);
  t.strictSame(await stored(), before);
  for (const part of ['', '/raw', '/records']) {
    t.equal((await app.inject(path + part)).statusCode, 404);
  }
  t.equal((await app.inject({ method: 'DELETE', url: path })).statusCode, 404);
  // Events are told once whatever began before them is over, in other databases of the server, too.
  const told = async () => (await app.inject(`/v1/events?subject=${body.id}`)).json().items;
  t.match(await eventually(told, ({ length }) => length === 2), [
    { type: 'observation.ended', data: { state: 'done', format: 'rdmsr' } },
    { type: 'observation.deleted' },
  ]);
});

t.test('what is not text and what is nothing at all never fails the service', async (t) => {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed >>> 16;
  };
  const statuses = new Map<number, number>();
  for (let round = 0; round < 120; round += 1) {
    const bytes = Buffer.from(Array.from({ length: random() % 5000 }, () => random() & 0xff));
    const mixed = round % 3 === 0 ? Buffer.concat([Buffer.from(line(1, 1)), bytes]) : bytes;
    const sent = round % 4 === 0 ? gzipSync(mixed) : mixed;
    if (round % 5 === 0 && sent.length > 0) sent[random() % sent.length]! ^= 1 << (random() & 7);
    const { status, text } = await send(port, round % 2 === 0 ? '' : '?dry_run=true', sent);
    t.ok([200, 201, 400, 415, 422].includes(status), `${status} ${text.slice(0, 200)}`);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  t.comment(JSON.stringify([...statuses]));
});
