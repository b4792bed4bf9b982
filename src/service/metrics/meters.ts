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
  private readonly readers: (() => Promise<void> | void)[] = [];

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

  /** Calls the reader before each scrape, to set what is not counted as it happens. */
  beforeScrape(reader: () => Promise<void> | void): void {
    this.readers.push(reader);
  }

  async families(): Promise<MetricFamily[]> {
    await Promise.all(this.readers.map((read) => read()));
    return familiesOf(this.registry);
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
