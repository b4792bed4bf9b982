/**
 * The metrics of one app, made from the catalogue: services count here, scrapes and dashboards read here. Each app has its
 * own, so that two apps in one test process do not share counts.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type MetricName, type MetricSpec } from './catalogue.js';

type Labels = Readonly<Record<string, string>>;
type NameOf<Kind> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

/** A metric with its series, as a scrape shows them. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** Of the family; of a histogram with its suffix. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export class Meters {
  private readonly registry = new Registry();
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, Gauge>();
  private readonly histograms = new Map<string, Histogram>();
  private readonly readers: (() => void)[] = [];
  private readonly exporters: (() => Promise<void>)[] = [];

  constructor() {
    for (const [name, spec] of Object.entries<MetricSpec>(METRICS)) this.create(name, spec);
  }

  /** Counts up; by 0 it begins a series. */
  count(name: NameOf<'counter'>, labels: Labels = {}, by = 1): void {
    this.counters.get(name)?.inc({ ...labels }, by);
  }

  set(name: NameOf<'gauge'>, value: number, labels: Labels = {}): void {
    this.gauges.get(name)?.set({ ...labels }, value);
  }

  observe(name: NameOf<'histogram'>, value: number, labels: Labels = {}): void {
    this.histograms.get(name)?.observe({ ...labels }, value);
  }

  /** Takes the series of a gauge away. */
  clear(name: NameOf<'gauge'>): void {
    const gauge = this.gauges.get(name);
    gauge?.reset();
    const { labels }: MetricSpec = METRICS[name];
    // Without labels, a reset gauge is 0.
    if (labels === undefined) gauge?.remove();
  }

  /** Calls the reader before the metrics are read, to set what is not counted as it happens. */
  beforeRead(reader: () => void): void {
    this.readers.push(reader);
  }

  /** Calls the exporter before a scrape only. */
  beforeScrape(exporter: () => Promise<void>): void {
    this.exporters.push(exporter);
  }

  async scrape(): Promise<MetricFamily[]> {
    for (const read of this.readers) read();
    await Promise.all(this.exporters.map((setShared) => setShared()));
    return familiesOf(this.registry);
  }

  /** The sums of counters and gauges over their labels. */
  async totals<Name extends NameOf<'counter' | 'gauge'>>(
    names: readonly Name[],
  ): Promise<Record<Name, number>> {
    for (const read of this.readers) read();
    const totals = names.map(async (name) => {
      const metric = this.counters.get(name) ?? this.gauges.get(name);
      const values = (await metric?.get())?.values ?? [];
      return [name, values.reduce((sum, { value }) => sum + value, 0)] as const;
    });
    return Object.fromEntries(await Promise.all(totals)) as Record<Name, number>;
  }

  private create(name: string, { kind, help, labels = [], buckets = [] }: MetricSpec): void {
    const options = { name, help, labelNames: [...labels], registers: [this.registry] };
    if (kind === 'counter') this.counters.set(name, new Counter(options));
    else if (kind === 'gauge') this.gauges.set(name, new Gauge(options));
    else this.histograms.set(name, new Histogram({ ...options, buckets: [...buckets] }));
  }
}

/** What a registry of prom-client holds, without metrics that have no series yet. */
export async function familiesOf(registry: Registry): Promise<MetricFamily[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.flatMap((metric) => {
    const { name, help, type, values } = metric as unknown as Read;
    const samples = values.map(({ metricName, labels, value }) => ({
      name: metricName ?? name,
      labels,
      value,
    }));
    return samples.length === 0 ? [] : [{ name, help, type, samples }];
  });
}

/** What prom-client really gives: its declarations know neither the names of types nor those of samples. */
type Read = Omit<MetricFamily, 'samples'> & {
  readonly values: readonly (Omit<MetricSample, 'name'> & { readonly metricName?: string })[];
};
