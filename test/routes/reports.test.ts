/** Observations, campaigns and pool jobs as KTAP, JUnit and KCIDB, and all finished observations for KernelCI. */
import t from 'tap';
import { CampaignSchema } from '../../schemas/campaign.js';
import { ObservationSchema } from '../../schemas/observation.js';
import { type KcidbPage, KcidbPageSchema } from '../../schemas/report.js';
import { bodyOf, build, freshStorage, problemOf } from '../helper.js';
import { eventually } from '../instances.js';
import { capture } from '../observations/captures.js';
import { dashboardFaults, kcidbFaults } from '../service/reports/kcidb-schema.js';

const storage = await freshStorage(t);
const app = await build(t, { storage });

const FORMATS = [
  ['ktap', 'text/plain', /^KTAP version 1\n/, 'ktap', 'inline'],
  ['junit', 'application/xml', /^<\?xml /, 'junit.xml', 'attachment'],
  ['kcidb', 'application/vnd.kernelci.kcidb+json', /^\{\n/, 'kcidb.json', 'attachment'],
] as const;

const fileOf = (id: string): string => id.replace('_', '-');

async function upload(name: string, query = '') {
  const answer = await app.inject({
    method: 'POST',
    url: `/v1/observations${query}`,
    headers: { 'content-type': 'text/plain', prefer: 'wait=20' },
    payload: capture(name),
  });
  return bodyOf(t, answer, ObservationSchema, 201);
}

t.test('an observation comes in three more formats, by Accept or by name', async (t) => {
  const query = '?machine=host-17&pool=lab-a';
  const { id } = await upload('rdmsr-loop-cpu-equals.txt', query);
  const url = `/v1/observations/${id}`;
  for (const [format, type, start, extension, disposition] of FORMATS) {
    const named = await app.inject(`${url}?format=${format}`);
    const accepted = await app.inject({ url, headers: { accept: type } });
    t.equal(named.statusCode, 200, format);
    t.equal(named.body, accepted.body, format);
    t.ok(named.headers['content-type']?.toString().startsWith(type), format);
    t.equal(
      named.headers['content-disposition'],
      `${disposition}; filename="${fileOf(id)}_host-17.${extension}"`,
    );
    t.match(named.body, start);
    t.match(named.body, /cpu3/);
  }
  const ktap = (await app.inject(`${url}?format=ktap`)).body;
  t.match(ktap, / {2}not ok 5 pebs_enable_stuck.cpu3 # cpu=3 verdict=stuck\n/);
  const kcidb = (await app.inject(`${url}?format=kcidb`)).json();
  t.strictSame([...kcidbFaults(kcidb), ...dashboardFaults(kcidb)], []);
  t.match(kcidb.builds, [{ misc: { lab: 'lab-a' } }]);
  bodyOf(t, await app.inject(`${url}?format=json`), ObservationSchema);
  bodyOf(t, await app.inject({ url, headers: { accept: '*/*' } }), ObservationSchema);
  problemOf(t, await app.inject(`${url}?format=pdf`), 'validation');
  problemOf(t, await app.inject({ url, headers: { accept: 'image/png' } }), 'not_acceptable');
  problemOf(t, await app.inject('/v1/observations/obs_none?format=ktap'), 'not_found');
  await storage.database.pool.query(
    `insert into observations (id, state, about) values
       ('obs_reading', 'reading', '{"format": "rdmsr", "facts": {}}'),
       ('obs_failed', 'failed', '{"format": "rdmsr", "facts": {}}')`,
  );
  problemOf(t, await app.inject('/v1/observations/obs_reading?format=ktap'), 'conflict');
  t.match((await app.inject('/v1/observations/obs_failed?format=ktap')).body, /# TIMEOUT/);
  await storage.database.pool.query(`delete from observations where state <> 'done'`);
});

t.test('a campaign comes as tests, with real durations', async (t) => {
  const made = await app.inject({
    method: 'POST',
    url: '/v1/campaigns',
    headers: { prefer: 'wait=60' },
    payload: {
      name: 'nightly',
      matrix: {
        kernels: ['linux-7.2.6', 'linux-6.12.117'],
        cpu_models: ['emerald-rapids'],
        scenarios: ['matrix-linux-7.2.6-k3-prompt'],
      },
      walks: 300,
      steps_per_walk: 100,
    },
  });
  const { id } = bodyOf(t, made, CampaignSchema);
  for (const [format, type, start, extension, disposition] of FORMATS) {
    const url = `/v1/campaigns/${id}`;
    const named = await app.inject(`${url}?format=${format}`);
    t.match(named.body, start, format);
    t.equal((await app.inject({ url, headers: { accept: type } })).body, named.body);
    t.equal((await app.inject(`${url}/results?format=${format}`)).body, named.body);
    t.equal(
      named.headers['content-disposition'],
      `${disposition}; filename="${fileOf(id)}_nightly.${extension}"`,
    );
  }
  const junit = (await app.inject(`/v1/campaigns/${id}?format=junit`)).body;
  const times = [...junit.matchAll(/<testcase .*time="([\d.]+)"/g)].map(([, time]) => Number(time));
  t.equal(times.length, 2);
  for (const time of times) t.ok(time > 0 && time < 60, `${time} s`);
  const kcidb = (await app.inject(`/v1/campaigns/${id}?format=kcidb`)).json();
  t.strictSame([...kcidbFaults(kcidb), ...dashboardFaults(kcidb)], []);
  t.match(kcidb.tests, [
    { status: 'FAIL', path: /^linux-7_2_6\.emerald-rapids\./ },
    { status: 'PASS' },
  ]);
});

const pageNow = async (query: string): Promise<KcidbPage> =>
  bodyOf(t, await app.inject(`/v1/exports/kcidb${query}`), KcidbPageSchema);

/** Until no transaction is under way that is older than the end of an observation, in this database or in those of other tests. */
async function settled(): Promise<void> {
  const left = async (): Promise<number> => {
    const { rows } = await storage.database.pool.query(
      'select count(*) as left from observations where ended_xid >= pg_snapshot_xmin(pg_current_snapshot())',
    );
    return rows[0].left;
  };
  await eventually(left, (count) => count === 0);
}

async function page(query = ''): Promise<KcidbPage> {
  await settled();
  return pageNow(query);
}

t.test('finished observations are exported page by page, each once', async (t) => {
  for (const name of ['sysrq-stuck.txt', 'tuxrun-results.json', 'lava-callback-results.json']) {
    await upload(name);
  }
  await settled();
  const first = await app.inject('/v1/exports/kcidb?limit=3');
  const { items, next_cursor, has_more } = bodyOf(t, first, KcidbPageSchema);
  t.equal(items.length, 3);
  t.equal(has_more, true);
  t.equal(first.headers.link, `</v1/exports/kcidb?limit=3&after=${next_cursor}>; rel="next"`);
  const rest = await page(`?after=${next_cursor}`);
  t.match(rest, { has_more: false, items: [{}] });
  const all = [...items, ...rest.items];
  for (const document of all) {
    t.strictSame([...kcidbFaults(document), ...dashboardFaults(document)], []);
  }
  t.equal(new Set(all.map(({ tests }) => tests[0]?.id)).size, 4);
  const { next_cursor: end } = rest;
  t.strictSame(await page(`?after=${end}`), { items: [], next_cursor: end, has_more: false });
  await upload('kut-skip-reasons.txt');
  t.match(await page(`?after=${end}`), { items: [{}], has_more: false });
  problemOf(t, await app.inject('/v1/exports/kcidb?after=bm9uZQ'), 'validation');
  problemOf(t, await app.inject('/v1/exports/kcidb?limit=101'), 'validation');
});

t.test('what ended while another transaction was under way is not passed over', async (t) => {
  const { next_cursor } = await page();
  const older = await storage.database.pool.connect();
  await older.query('begin');
  await older.query(
    `insert into observations (id, state, about, answer, finished_at, ended_xid)
     select 'obs_slow', state, about, answer, now(), pg_current_xact_id() from observations limit 1`,
  );
  const { id } = await upload('sysrq-stuck.txt');
  const ids = (found: KcidbPage) => found.items.map(({ tests }) => tests[0]?.misc.report);
  const before = await pageNow(`?after=${next_cursor}`);
  await older.query('commit');
  older.release();
  const after = await page(`?after=${before.next_cursor}`);
  t.strictSame([...ids(before), ...ids(after)].sort(), ['obs_slow', id].sort());
});

t.test('a page of many tests is short, and the next one goes on', async (t) => {
  const line = (cpu: number) => `cpu=${cpu} 3f1=0000000000000001\n`;
  const text = Array.from({ length: 520 }, (_, cpu) => line(cpu)).join('');
  const { next_cursor } = await page();
  for (let n = 0; n < 3; n += 1) {
    const headers = { 'content-type': 'text/plain', prefer: 'wait=20' };
    await app.inject({ method: 'POST', url: '/v1/observations', headers, payload: text });
  }
  const some = await page(`?after=${next_cursor}`);
  t.equal(some.items.length, 2);
  t.equal(some.has_more, true);
  t.equal((await page(`?after=${some.next_cursor}`)).items.length, 1);
});

t.test('a pool job comes as tests: what its machines brought, and what none did', async (t) => {
  const send = async (method: 'POST' | 'PUT', url: string, payload: object) =>
    (await app.inject({ method, url, payload })).json();
  await send('PUT', '/v1/pools/lab-r', {});
  const facts = { family: 6, model: '0xcf', stepping: 2, kernel: '6.12.112' };
  await send('PUT', '/v1/pools/lab-r/machines/host-1', facts);
  const asked = { pool: 'lab-r', run: { script: 'uname -a\n' }, copies: 5 };
  const { id } = await send('POST', '/v1/pool-jobs', asked);
  const claim = async (machine: string) => {
    const { lease } = await send('POST', '/v1/pools/lab-r/leases', { machine });
    return { lease: lease.id, fencing_token: lease.fencing_token };
  };
  const complete = async (machine: string, result: object) => {
    const { lease, fencing_token } = await claim(machine);
    await send('POST', `/v1/leases/${lease}/complete`, { fencing_token, ...result });
  };
  await complete('host-1', { result: 'pass' });
  const { lease, fencing_token } = await claim('host-1');
  const headers = { 'content-type': 'text/plain', prefer: 'wait=20' };
  const text = capture('rdmsr-loop-cpu-equals.txt');
  await app.inject({
    method: 'POST',
    url: `/v1/observations?lease=${lease}`,
    headers,
    payload: text,
  });
  await send('POST', `/v1/leases/${lease}/complete`, { fencing_token, result: 'pass' });
  await complete('host-2', { result: 'skip' });
  await claim('host-2');

  const url = `/v1/pool-jobs/${id}`;
  for (const [format, type, start, extension, disposition] of FORMATS) {
    const named = await app.inject(`${url}?format=${format}`);
    t.equal(named.statusCode, 200, named.body);
    t.match(named.headers['content-type'], type);
    t.match(named.body, start);
    const name = `${fileOf(id)}_lab-r.${extension}`;
    t.equal(named.headers['content-disposition'], `${disposition}; filename="${name}"`);
  }
  const ktap = (await app.inject({ url, headers: { accept: 'text/plain' } })).body;
  const results = ktap.split('\n').filter((line) => /^ +(not )?ok /.test(line));
  t.match(results, [
    /^ {2}ok 1 copy1$/,
    /^ {2}not ok 2 copy2 # run=run_\w+ attempts=1$/,
    /^ {2}ok 3 copy3 # SKIP host-2 reported skip$/,
    /^ {2}not ok 4 copy4 # TIMEOUT host-2 has not reported yet$/,
    /^ {2}not ok 5 copy5 # TIMEOUT it waits for a machine$/,
  ]);
  t.match(ktap, /# its observations show fail\n {2}not ok 2 /);
  const kcidb = (await app.inject(`${url}?format=kcidb`)).json();
  t.strictSame([...kcidbFaults(kcidb), ...dashboardFaults(kcidb)], []);
  t.match(kcidb.tests, [
    {
      path: 'script.copy1',
      status: 'PASS',
      environment: { comment: 'Runtime: lab-r/host-1', misc: { platform: 'emerald-rapids' } },
    },
    { status: 'FAIL' },
    { status: 'SKIP' },
    { status: 'MISS' },
    { status: 'MISS' },
  ]);
  await app.inject({ method: 'POST', url: `${url}/cancel` });
  const junit = (await app.inject(`${url}?format=junit`)).body;
  t.match(junit, /<testsuite name="script" tests="5" failures="1" errors="1" skipped="2"/);
  t.match(junit, /<skipped message="it was cancelled"\/>/);
  problemOf(t, await app.inject('/v1/pool-jobs/job_none?format=ktap'), 'not_found');
});
