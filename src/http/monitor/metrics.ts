/** The metrics of requests and of the process, and what a scrape gets: these and those that the services count. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { VERSION } from '../../config/version.js';
import { PROCESS_METRICS } from '../../service/metrics/catalogue.js';
import { familiesOf, Meters, type MetricFamily } from '../../service/metrics/meters.js';

declare module 'fastify' {
  interface FastifyInstance {
    meters: Meters;
    /** Everything that this instance exports. */
    metricFamilies(): Promise<MetricFamily[]>;
  }
}

/** Of the process: shared by all its apps. */
let processRegistry: Registry | undefined;

async function processMetrics(): Promise<MetricFamily[]> {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  // The others cannot be taken out of the registry: some of them collect for their neighbours.
  return (await familiesOf(processRegistry)).filter(({ name }) => name in PROCESS_METRICS);
}

export function useMetrics(app: FastifyInstance): void {
  const meters = new Meters();
  app.decorate('meters', meters);
  app.decorate('metricFamilies', async () => [
    ...(await meters.scrape()),
    ...(await processMetrics()),
  ]);
  meters.set('pebslab_build_info', 1, { version: VERSION, role: app.config.role });
  meters.beforeRead(() => meters.set('pebslab_sse_listeners', app.streams.count()));
  app.addHook('onResponse', async (request, reply) => {
    const route = routeClass(request);
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    meters.count('http_requests_total', { route, status });
    if (reply.statusCode === 429) meters.count('pebslab_too_many_requests_total');
    if (reply.hasHeader('idempotent-replayed')) meters.count('pebslab_idempotent_replays_total');
    // A stream lasts as long as its client likes, and the others are of no interest.
    if (!TIMED.has(route) || isStream(reply)) return;
    meters.observe('http_request_duration_seconds', reply.elapsedTime / 1000, { route });
  });
}

/** The classes of routes whose latency is told. */
const TIMED = new Set(['read', 'change', 'compute']);

/** Routes by what they do, since each of a hundred would make its own series. */
function routeClass({ is404, method, routeOptions }: FastifyRequest): string {
  const { url = '', config } = routeOptions;
  if (is404) return 'unmatched';
  if (!url.startsWith('/v1/')) return 'operations';
  if (method === 'GET' || method === 'HEAD') return 'read';
  // Long work, and what is computed while the client waits.
  if (config.waits === true || config.scope === 'read') return 'compute';
  return 'change';
}

function isStream({ raw }: FastifyReply): boolean {
  return String(raw.getHeader('content-type')).startsWith('text/event-stream');
}
