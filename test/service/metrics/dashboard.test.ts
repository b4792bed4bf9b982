/** The dashboard and the samples ask for what a scrape has, in PromQL, and are what the service generates. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { METRICS, PROCESS_METRICS } from '../../../src/service/metrics/catalogue.js';
import { build } from '../../helper.js';
import { clientOf, work } from '../../http/monitor/busy.js';
import { filledIn, read } from './promql.js';

const SAMPLES = 'src/service/metrics/samples';
const sample = (name: string): string => readFileSync(join(SAMPLES, name), 'utf8');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { uid: string } }[];
}

const app = await build(t);
await work(clientOf(app), ['linux-7.3.4', 'linux-7.2.6']);
const scraped = new Set((await app.inject('/metrics')).body.match(/^[a-z_0-9]+/gm));
const dashboard = (await app.inject('/v1/dashboards/grafana')).json();
const panels: Panel[] = dashboard.panels;

t.test('the file is what the service serves', async (t) => {
  t.strictSame(JSON.parse(sample('grafana-dashboard.json')), dashboard);
  t.match(dashboard, { id: null, uid: 'pebslab', schemaVersion: 41 });
});

t.test('every metric is in a scrape, and on the dashboard', async (t) => {
  const drawn = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join('\n');
  for (const name of [...Object.keys(METRICS), ...Object.keys(PROCESS_METRICS)]) {
    const isThere = scraped.has(name) || scraped.has(`${name}_bucket`);
    t.ok(isThere, `${name} is scraped`);
    t.match(drawn, name);
  }
});

t.test('every expression is PromQL of metrics that there are', async (t) => {
  const asked = panels.flatMap(({ targets = [], title }) =>
    targets.map(({ expr }) => ({ title, expr })),
  );
  const rules = parse(sample('alerts.yaml')).groups.flatMap(
    ({ rules }: { rules: { alert: string; expr: string }[] }) => rules,
  );
  asked.push(
    ...rules.map(({ alert, expr }: { alert: string; expr: string }) => ({ title: alert, expr })),
  );
  t.ok(asked.length > 40);
  for (const { title, expr } of asked) {
    const { ok, metrics } = read(filledIn(expr));
    t.ok(ok, `${title}: ${expr}`);
    t.ok(metrics.length > 0, title);
    for (const name of metrics) t.ok(name === 'up' || scraped.has(name), `${title}: ${name}`);
  }
  t.notOk(read('sum by (a (x)').ok, 'what is no PromQL would be seen');
});

t.test('no panel is tied to the data source of one Grafana', async (t) => {
  const [datasource, job] = dashboard.templating.list;
  t.match(datasource, { type: 'datasource', query: 'prometheus', name: 'datasource' });
  const uids = [job, ...panels.flatMap((panel) => [panel, ...(panel.targets ?? [])])]
    .map(({ datasource }) => datasource?.uid)
    .filter((uid) => uid !== undefined);
  t.strictSame([...new Set(uids)], ['$' + '{datasource}']);
});

t.test('panels have ids of their own and do not overlap', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { gridPos, title } of panels) {
    t.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        t.notOk(taken.has(`${x} ${y}`), `${title} at ${x} ${y}`);
        taken.add(`${x} ${y}`);
      }
    }
  }
});

t.test('promtool takes the samples', async (t) => {
  if (spawnSync('promtool', ['--version']).error !== undefined) {
    t.comment('promtool is not installed here; the Debian package prometheus has it');
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), 'pebslab-samples-'));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const name of ['alerts.yaml', 'prometheus.yaml']) {
    copyFileSync(join(SAMPLES, name), join(dir, name));
  }
  writeFileSync(join(dir, 'pebslab.token'), 'token');
  const checked = spawnSync('promtool', ['check', 'config', 'prometheus.yaml'], { cwd: dir });
  t.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
  t.match(String(checked.stdout), /7 rules found/);
});

t.test('Grafana would find the files of provisioning in its form', async (t) => {
  t.match(parse(sample('grafana-dashboards.yaml')), {
    apiVersion: 1,
    providers: [{ type: 'file' }],
  });
  t.match(parse(sample('grafana-datasources.yaml')), {
    apiVersion: 1,
    datasources: [{ type: 'prometheus' }],
  });
});
