/**
 * The Grafana dashboard, generated from the catalogue of metrics: every metric has a panel, so that names cannot drift.
 *
 * Classic JSON, which provisioning from files takes, and with a variable for the data source: an identifier of one Grafana
 * means nothing to another.
 */
import {
  METRICS,
  type MetricSpec,
  type Panel,
  PROCESS_METRICS,
  ROWS,
  rate,
  series,
  sumBy,
} from './catalogue.js';

const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };

/** Of the 24 columns of Grafana's grid. */
const WIDTH = 8;
const HEIGHT = 8;

type Drawn = Pick<MetricSpec, 'kind' | 'labels' | 'panel'> & { readonly help?: string };

export function grafanaDashboard() {
  return {
    id: null,
    uid: 'pebslab',
    title: 'pebslab',
    description: 'Simulated machines, searches and the service itself',
    tags: ['pebslab'],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    annotations: { list: [] },
    links: [],
    templating: { list: [datasourceVariable(), jobVariable()] },
    panels: panels(),
  };
}

function datasourceVariable(): object {
  return {
    name: 'datasource',
    label: 'Data source',
    type: 'datasource',
    query: 'prometheus',
    refresh: 1,
    regex: '',
    current: {},
    options: [],
    hide: 0,
    includeAll: false,
    multi: false,
  };
}

/** Names like process_cpu_seconds_total are not ours alone. */
function jobVariable(): object {
  const query = 'label_values(pebslab_build_info, job)';
  return {
    name: 'job',
    label: 'Job',
    type: 'query',
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: 'job' },
    refresh: 2,
    regex: '',
    sort: 1,
    current: {},
    options: [],
    hide: 0,
    includeAll: true,
    allValue: '.*',
    multi: true,
  };
}

function panels(): object[] {
  const all = Object.entries<Drawn>({ ...METRICS, ...PROCESS_METRICS });
  const drawn: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    const own = all.filter(([, { panel }]) => panel.row === row);
    drawn.push({
      id: drawn.length + 1,
      type: 'row',
      title: row,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y += 1;
    for (const [at, [name, spec]] of own.entries()) {
      const x = (at * WIDTH) % 24;
      drawn.push(panelOf(drawn.length + 1, name, spec, { x, y, w: WIDTH, h: HEIGHT }));
      if (x + WIDTH === 24 || at === own.length - 1) y += HEIGHT;
    }
  }
  return drawn;
}

function panelOf(id: number, name: string, spec: Drawn, gridPos: object): object {
  const { title, type = 'timeseries', unit = 'short', expr } = spec.panel;
  const by = spec.panel.by ?? spec.labels ?? [];
  const isInstant = type !== 'timeseries';
  return {
    id,
    type,
    title,
    ...(spec.help === undefined ? {} : { description: spec.help }),
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: OPTIONS[type],
    targets: [
      {
        refId: 'A',
        datasource: DATASOURCE,
        editorMode: 'code',
        expr: expr ?? usualExpression(name, spec.kind, by),
        legendFormat: by.length === 0 ? title : by.map((label) => `{{${label}}}`).join(' '),
        ...(type === 'table' ? { format: 'table' } : {}),
        instant: isInstant,
        range: !isInstant,
      },
    ],
  };
}

const OPTIONS: Readonly<Record<NonNullable<Panel['type']> | 'timeseries', object>> = {
  timeseries: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false } },
  table: { showHeader: true },
};

function usualExpression(name: string, kind: MetricSpec['kind'], by: readonly string[]): string {
  if (kind === 'counter') return sumBy(by, rate(name));
  if (kind === 'gauge') return sumBy(by, series(name));
  return `histogram_quantile(0.95, ${sumBy(['le', ...by], rate(`${name}_bucket`))})`;
}
