/** A real Prometheus scrapes a real run, and every panel of the dashboard has data. It needs Debian's package prometheus. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { DEFAULT_CONFIG } from '../../../src/config/configuration.js';
import { clientOf, work } from '../../http/monitor/busy.js';
import { emptyDatabase, eventually, startInstance } from '../../instances.js';
import { filledIn } from './promql.js';

const isMissing = spawnSync('prometheus', ['--version']).error !== undefined;
const skip =
  isMissing && 'prometheus is not installed here; the Debian package of that name has it';
const TOKEN = 'aaaa-0123456789abcdef';

interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

t.test('a real Prometheus', { skip }, async (t) => {
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  const tokens = [{ name: 'ci', scope: 'admin', sha256 }] as const;
  const { app } = await startInstance(t, await emptyDatabase(t), { ...DEFAULT_CONFIG, tokens });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const service = `127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const client = clientOf(app, { authorization: `Bearer ${TOKEN}` });

  const dir = mkdtempSync(join(tmpdir(), 'pebslab-prometheus-'));
  const authorization = { type: 'Bearer', credentials: TOKEN };
  const configuration = {
    global: { scrape_interval: '1s' },
    scrape_configs: [
      { job_name: 'pebslab', authorization, static_configs: [{ targets: [service] }] },
      {
        job_name: 'hosts',
        authorization,
        http_sd_configs: [
          {
            url: `http://${service}/v1/sd/prometheus?hosts=5`,
            authorization,
            refresh_interval: '1s',
          },
        ],
        relabel_configs: [{ source_labels: ['host'], regex: '', action: 'drop' }],
      },
    ],
  };
  writeFileSync(join(dir, 'prometheus.yaml'), stringify(configuration));
  const port = await freePort();
  const prometheus: ChildProcess = spawn(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  t.teardown(async () => {
    const gone = once(prometheus, 'exit');
    prometheus.kill();
    await gone;
    rmSync(dir, { recursive: true });
  });
  const ask = async <Data>(path: string): Promise<Data | undefined> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
    if (response?.ok !== true) return undefined;
    return ((await response.json()) as { data: Data }).data;
  };
  const query = async (expression: string): Promise<Series[]> => {
    const found = await ask<{ result: Series[] }>(`query?query=${encodeURIComponent(expression)}`);
    return found?.result ?? [];
  };

  const seen = await eventually(
    () => query('pebslab_build_info'),
    (series) => series.length > 0,
  );
  t.equal(seen.length, 1, 'the service is scraped with its token');

  // Rates need samples from before and after.
  const kernels = ['linux-7.3.4', 'linux-7.2.6'];
  await work(client, kernels);
  await eventually(
    () => query('pebslab_round_trips_total'),
    (series) => series.length >= 4,
  );
  await work(client, kernels);

  await t.test('every panel has data', async (t) => {
    const dashboard = (await client.get('/v1/dashboards/grafana')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const asked = dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ title, expr: filledIn(expr, '60s') })),
    );
    t.ok(asked.length > 30);
    for (const { title, expr } of asked) {
      const numbers = (series: Series[]): number[] =>
        series.map(({ value }) => Number(value[1])).filter((value) => !Number.isNaN(value));
      const found = await eventually(
        () => query(expr),
        (series) => numbers(series).length > 0,
      );
      t.ok(numbers(found).length > 0, `${title}: ${expr}`);
    }
  });

  await t.test('the headline: the series saves every MSR write of a round trip', async (t) => {
    const by = 'sum by (kernel, platform_class)';
    const found = await query(
      `${by} (pebslab_round_trip_msr_writes_total) / ${by} (pebslab_round_trips_total)`,
    );
    const of = (kernel: string) =>
      Number(
        found.find(({ metric }) => metric.kernel === kernel && metric.platform_class === 'K3')
          ?.value[1],
      );
    t.ok(of('linux-7.2.6') > 0, `${of('linux-7.2.6')}`);
    t.equal(of('linux-7.3.4'), 0);
  });

  await t.test('no target fails, and simulated hosts are found', async (t) => {
    const hosts = await eventually(
      () => query('pebslab_host_round_trips_total'),
      (series) => series.length === 5,
    );
    t.equal(hosts.length, 5);
    t.match(hosts[0]?.metric, { host: /^host_/, kernel: String, cpu_model: String });
    const targets = await ask<{ activeTargets: Target[] }>('targets?state=active');
    const failing = targets?.activeTargets.filter(({ lastError }) => lastError !== '');
    t.strictSame(failing, []);
  });
});
