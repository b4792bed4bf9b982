/** The two formats of /metrics say the same, in whatever order they are asked for, and Prometheus has no complaint. */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import root from 'tap';
import { build } from '../../helper.js';
import { clientOf, KERNELS, work } from './busy.js';

const t = root;
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
/** As Prometheus 2.42 and 3 ask. */
const PROMETHEUS_2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
const VMAGENT = 'text/plain;version=0.0.4;q=1,*/*;q=0.1';

const app = await build(t);
await work(clientOf(app));

const scrape = async (accept?: string, headers = {}) => {
  const response = await app.inject({
    url: '/metrics',
    headers: accept === undefined ? headers : { accept, ...headers },
  });
  t.equal(response.statusCode, 200);
  return response;
};

/** The samples of a service at rest; requests count themselves, and the process goes on. */
function samples(body: string): string[] {
  const moving = /^(process_|nodejs_|http_|pebslab_database_pool|#)/;
  return body.split('\n').filter((line) => line !== '' && !moving.test(line));
}

// A job is let go of a moment after its result can be read.
t.before(async () => {
  while (!/^pebslab_jobs_running\{queue="work"\} 0$/m.test((await scrape(VMAGENT)).body)) {
    await delay(20);
  }
});

t.test('one format does not change the other', async (t) => {
  const bodies: string[] = [];
  for (const accept of [VMAGENT, PROMETHEUS_2, VMAGENT, PROMETHEUS_3, PROMETHEUS_2, VMAGENT]) {
    bodies.push((await scrape(accept)).body);
  }
  const [first = '', ...others] = bodies.map((body) => samples(body));
  t.ok(first.length > 100, `${first.length} samples`);
  for (const other of others) t.strictSame(other, first, 'the same names and values');
  const [text = '', open = ''] = bodies;
  t.match(text, /^# TYPE pebslab_nmis_total counter$/m);
  t.match(open, /^# TYPE pebslab_nmis counter$/m);
  t.match(open, /^pebslab_nmis_total \d+$/m);
  t.ok(open.endsWith('\n# EOF\n'));
  t.notMatch(text, /# EOF/);
  const names = (body: string) => new Set(body.match(/^[a-z_0-9]+/gm));
  t.strictSame(names(open), names(text), 'also of the process');
});

t.test('a scraper gets what it prefers, and is never refused', async (t) => {
  const wanted: [string | undefined, string][] = [
    [undefined, TEXT],
    ['*/*', TEXT],
    ['application/*', TEXT],
    ['image/png', TEXT],
    ['application/json', TEXT],
    ['text/plain;q=0', TEXT],
    [VMAGENT, TEXT],
    ['application/openmetrics-text;version=0.0.1', TEXT],
    ['application/openmetrics-text;q=0.3,text/plain;q=0.5', TEXT],
    ['application/openmetrics-text,text/plain', TEXT],
    ['application/openmetrics-text;q=0', TEXT],
    ['application/openmetrics-text', OPENMETRICS],
    ['application/openmetrics-text; version=1.0.0', OPENMETRICS],
    [PROMETHEUS_2, OPENMETRICS],
    [PROMETHEUS_3, OPENMETRICS],
  ];
  for (const [accept, type] of wanted) {
    const { headers } = await scrape(accept);
    t.equal(headers['content-type'], type, accept ?? 'no Accept');
    t.match(headers.vary, /accept/);
    const head = await app.inject({
      method: 'HEAD',
      url: '/metrics',
      headers: accept === undefined ? {} : { accept },
    });
    t.equal(head.statusCode, 200);
    t.equal(head.headers['content-type'], type, `HEAD ${accept}`);
    t.equal(head.body, '');
  }
});

t.test('compressed where that is taken', async (t) => {
  const packed = await scrape(PROMETHEUS_2, { 'accept-encoding': 'gzip' });
  t.equal(packed.headers['content-encoding'], 'gzip');
  t.equal(packed.headers['content-type'], OPENMETRICS);
  t.strictSame(
    samples(gunzipSync(packed.rawPayload).toString()),
    samples((await scrape(PROMETHEUS_2)).body),
  );
  for (const coding of ['identity', 'gzip;q=0', 'br']) {
    const plain = await scrape(VMAGENT, { 'accept-encoding': coding });
    t.notOk('content-encoding' in plain.headers, coding);
  }
});

t.test('a scrape of a busy service is small', async (t) => {
  const { body } = await scrape(VMAGENT);
  t.ok(body.length < 19_700, `${body.length} bytes: there is room for larger numbers`);
  const pairs = body.match(/^pebslab_round_trips_total/gm) ?? [];
  t.equal(pairs.length, 25, 'it has run as many pairs of kernel and class as are told apart');
  t.match(body, /^pebslab_round_trips_total\{kernel="other",platform_class="other"\} 12$/m);
});

t.test('what was done shows', async (t) => {
  const { body } = await scrape(VMAGENT);
  const value = (name: string): number => {
    const line = body.split('\n').find((line) => line.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  };
  const pair = '{kernel="linux-7.2.6",platform_class="K3"}';
  t.equal(value(`pebslab_round_trips_total${pair}`), 6);
  t.ok(value(`pebslab_round_trip_msr_writes_total${pair}`) > 0);
  const hardened = '{kernel="pebs-v1",platform_class="K3"}';
  t.equal(value(`pebslab_round_trip_msr_writes_total${hardened}`), 0, 'the headline: to 0');
  t.equal(value('pebslab_hosts'), 2 * KERNELS.length);
  t.equal(value('pebslab_explorations{state="queued"}'), 0);
  t.equal(value('pebslab_explorations_ended_total{state="succeeded",verdict="violated"}'), 1);
  t.equal(value('pebslab_campaigns_ended_total{state="succeeded",verdict="violated"}'), 1);
  t.equal(value('pebslab_campaign_walks_total'), 50);
  const violating = value('pebslab_campaign_violating_walks_total');
  t.ok(violating > 0 && violating <= 50, `${violating}`);
  t.ok(value('pebslab_search_states_total') > 10);
  for (const origin of ['host', 'exploration', 'campaign']) {
    t.ok(value(`pebslab_violations_total{invariant="I1",origin="${origin}"}`) > 0, origin);
    t.equal(value(`pebslab_violations_total{invariant="I9",origin="${origin}"}`), 0, 'begun');
  }
  t.equal(value('pebslab_idempotent_replays_total'), 1);
  t.equal(value('pebslab_worker_slots{queue="work"}'), 2);
  t.ok(value('pebslab_worker_busy_seconds_total{queue="small"}') > 0);
  t.ok(value('pebslab_commit_duration_seconds_count') >= 40);
});

t.test('every number of writes has its cause', async (t) => {
  const { body } = await scrape(VMAGENT);
  for (const cause of ['round_trip', 'nmi', 'setup']) {
    t.match(body, new RegExp(`pebslab_msr_writes_total.*cause="${cause}"`));
  }
});

t.test('no gauge is named as a counter', async (t) => {
  const text = (await scrape(VMAGENT)).body;
  t.strictSame(text.match(/^# TYPE \S+_total (?!counter).*$/gm), null);
  t.strictSame(text.match(/^# TYPE \S+(?<!_total) counter$/gm), null);
});

t.test('promtool has no complaint', async (t) => {
  if (spawnSync('promtool', ['--version']).error !== undefined) {
    t.comment('promtool is not installed here; the Debian package prometheus has it');
    return;
  }
  const { body } = await scrape(VMAGENT);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body });
  t.equal(status, 0, `${stdout}${stderr}`);
  t.equal(`${stdout}${stderr}`, '');
});
