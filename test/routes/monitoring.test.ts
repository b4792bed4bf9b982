/** What dashboards read besides /metrics. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { HostMetricsSchema } from '../../schemas/metrics.js';
import {
  ROWS_MAX,
  STAT_NAMES,
  StatsSchema,
  TargetsSchema,
  TimeseriesSchema,
} from '../../schemas/monitoring.js';
import { History } from '../../src/service/metrics/history.js';
import { bodyOf, build, problemOf } from '../helper.js';
import { clientOf, work } from '../http/monitor/busy.js';

const app = await build(t);
const client = clientOf(app);
await work(client, ['linux-7.3.4', 'linux-7.2.6']);

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

t.test('one flat object', async (t) => {
  const stats = bodyOf(t, await app.inject('/v1/stats'), StatsSchema);
  t.strictSame(Object.keys(stats).sort(), [...STAT_NAMES, 'time', 'uptime_seconds'].sort());
  t.match(stats, {
    hosts: 4,
    round_trips: 24,
    explorations_ended: 1,
    campaigns_ended: 1,
    walks: 50,
  });
  t.ok(stats.msr_writes > stats.round_trip_msr_writes && stats.round_trip_msr_writes > 0);
  t.ok(stats.uptime_seconds > 0);
  const { body } = await app.inject('/metrics');
  t.match(
    body,
    new RegExp(`^pebslab_nmis_total ${stats.nmis}$`, 'm'),
    'the same as Prometheus is told',
  );
});

t.test('its history', async (t) => {
  const rows = bodyOf(t, await app.inject('/v1/timeseries?metric=hosts'), TimeseriesSchema);
  t.ok(rows.length >= 1, 'there is a sample from the start');
  t.match(rows[0], { metric: 'hosts', value: Number, time: String });
  const now = Date.now();
  const none = `/v1/timeseries?metric=hosts&from=${now - 2e6}&to=${now - 1e6}`;
  t.strictSame(bodyOf(t, await app.inject(none), TimeseriesSchema), []);
  const iso =
    '/v1/timeseries?metric=hosts&from=2026-11-27T11:00:00Z&to=2026-11-27T12:00:00Z&step=60';
  bodyOf(t, await app.inject(iso), TimeseriesSchema);
});

t.test('a bad question is named', async (t) => {
  const asked: [string, 'validation' | 'rule_violated', string][] = [
    ['', 'validation', '/metric'],
    ['metric=host', 'validation', '/metric'],
    ['metric=hosts&from=yesterday', 'validation', '/from'],
    ['metric=hosts&from=2026-11-27T12:00:00Z&to=2026-11-27T11:00:00Z', 'rule_violated', '/from'],
    ['metric=hosts&from=2026-13-27T12:00:00Z', 'rule_violated', '/from'],
    ['metric=hosts&step=1', 'validation', '/step'],
    ['metric=hosts&from=0&step=10', 'rule_violated', '/step'],
  ];
  for (const [query, code, pointer] of asked) {
    const problem = problemOf(t, await app.inject(`/v1/timeseries?${query}`), code);
    t.match(problem.errors?.[0]?.pointer, pointer, query);
  }
  problemOf(t, await app.inject('/v1/sd/prometheus?hosts=1001'), 'validation');
});

t.test('the history is a ring, and its rows are bounded', async (t) => {
  const history = new History(100, ['n']);
  for (let n = 0; n < 250; n += 1) history.add(n * 10_000, { n });
  t.strictSame(history.rows('n', 0, 1e9, 1e9), [{ time: 2_490_000, value: 249 }], 'the newest');
  const all = history.rows('n', 0, 1e9, 10_000);
  t.equal(all.length, 100);
  t.strictSame(all[0], { time: 1_500_000, value: 150 }, 'the oldest kept');
  const some = history.rows('n', 2_000_000, 2_090_000, 30_000);
  t.strictSame(
    some.map(({ value }) => value),
    [202, 205, 208, 209],
  );
  t.equal(ROWS_MAX, 1000);
});

t.test('what there is to scrape', async (t) => {
  const headers = { host: 'localhost:8080' };
  const alone = await app.inject({ url: '/v1/sd/prometheus', headers });
  t.strictSame(bodyOf(t, alone, TargetsSchema), [
    { targets: ['localhost:8080'], labels: { role: 'all' } },
  ]);
  const all = await app.inject({ url: '/v1/sd/prometheus?hosts=3', headers });
  const targets = bodyOf(t, all, TargetsSchema);
  t.equal(targets.length, 4);
  const [, newest] = targets;
  t.match(newest?.labels, { host: String, kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' });
  const found = await app.inject({
    url: newest?.labels.__metrics_path__ as string,
    headers: { accept: OPENMETRICS },
  });
  t.equal(found.statusCode, 200);
  t.equal(found.headers['content-type'], OPENMETRICS);
  t.match(found.body, /^pebslab_host_info\{id="host_.*kernel="linux-7.2.6".*\} 1$/m);
});

t.test('the counts of a host for Prometheus are those of its JSON', async (t) => {
  const { items } = (await client.get('/v1/hosts')) as { items: { id: string; kernel: string }[] };
  const { id } = items.findLast(({ kernel }) => kernel === 'linux-7.2.6') ?? { id: '' };
  const url = `/v1/hosts/${id}/metrics`;
  const counts = bodyOf(t, await app.inject(url), HostMetricsSchema);
  const text = await app.inject(`${url}?format=prometheus`);
  t.equal(text.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  t.equal((await app.inject({ url, headers: { accept: 'text/plain' } })).body, text.body);
  const open = await app.inject(`${url}?format=openmetrics`);
  t.equal(open.headers['content-type'], OPENMETRICS);
  t.ok(open.body.endsWith('# EOF\n'));
  t.match((await app.inject(`${url}?format=json`)).json(), counts);
  const sum = (name: string, labels = ''): number =>
    [...text.body.matchAll(new RegExp(`^${name}\\{?.*${labels}.* (.*)$`, 'gm'))]
      .map(([, value]) => Number(value))
      .reduce((total, value) => total + value, 0);
  t.equal(sum('pebslab_host_round_trips_total'), counts.round_trips);
  const { per_round_trip: each, writes_by_cause } = counts;
  for (const via of ['kvm_wrmsr', 'vm_entry_load', 'vm_exit_load', 'vmcs_field'] as const) {
    t.equal(sum('pebslab_host_msr_writes_per_round_trip', `via="${via}"`), each[via], via);
    for (const cause of ['round_trip', 'nmi', 'setup'] as const) {
      const labels = `via="${via}",cause="${cause}"`;
      t.equal(sum('pebslab_host_msr_writes_total', labels), writes_by_cause[cause][via], labels);
    }
  }
  t.ok(each.kvm_wrmsr > 0 && writes_by_cause.setup.perf_wrmsr > 0, 'there is something to compare');
  problemOf(t, await app.inject(`${url}?format=xml`), 'validation');
  problemOf(t, await app.inject({ url, headers: { accept: 'text/csv' } }), 'not_acceptable');
  problemOf(t, await app.inject('/v1/hosts/host_none/metrics?format=prometheus'), 'not_found');
  if (spawnSync('promtool', ['--version']).error !== undefined) {
    t.comment('promtool is not installed here; the Debian package prometheus has it');
    return;
  }
  const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text.body });
  t.equal(`${stdout}${stderr}`, '');
});
