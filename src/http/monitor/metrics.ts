/**
 * Prometheus metrics. Each app has its own registry, so that two apps in one test process do not
 * share counts; metrics of the process are in one more registry, shared by all apps.
 *
 * Services add theirs with `registers: [app.metrics.registry]`. Labels come from closed sets
 * (a kernel, a CPU model, an MSR), never from ids or names, which clients choose freely.
 */
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics;
  }
}

export interface Metrics {
  readonly registry: Registry;
  /** The exposition text, in OpenMetrics if the scraper accepts it. */
  expose(openMetrics: boolean): Promise<{ contentType: string; text: string }>;
}

let processRegistry: Registry | undefined;

function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    // Gauges named like counters; each also exists by type.
    for (const what of ['handles', 'requests', 'resources']) {
      processRegistry.removeSingleMetric(`nodejs_active_${what}_total`);
    }
  }
  return processRegistry;
}

export function useMetrics(app: FastifyInstance): void {
  const registry = new Registry();
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last byte of its answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  app.decorate('metrics', { registry, expose: (openMetrics) => expose(registry, openMetrics) });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched');
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    durations.labels(request.method, route, status).observe(reply.elapsedTime / 1000);
  });
}

/**
 * Rendered from copies: for OpenMetrics the library strips the suffix from the names of counters,
 * permanently. A copy shares the counts but has its own name.
 */
async function expose(registry: Registry, openMetrics: boolean) {
  const rendered: Registry = new Registry();
  rendered.setContentType(
    openMetrics
      ? (Registry.OPENMETRICS_CONTENT_TYPE as typeof rendered.contentType)
      : (Registry.PROMETHEUS_CONTENT_TYPE as typeof rendered.contentType),
  );
  for (const metric of [processMetrics(), registry].flatMap((one) => one.getMetricsAsArray())) {
    rendered.registerMetric(Object.create(metric));
  }
  return { contentType: rendered.contentType, text: await rendered.metrics() };
}
