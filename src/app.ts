/** Builds the HTTP application. It never listens and knows no process: src/server.ts does. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import { ROOT_ROUTES, V1_ROUTES } from '../routes/index.js';
import { type Config, DEFAULT_CONFIG } from './config.js';
import { useAccess } from './plugins/access.js';
import { CLOSING_OPTIONS, useClosing } from './plugins/closing.js';
import { useEtag } from './plugins/etag.js';
import { useReadiness } from './plugins/health.js';
import { useMetrics } from './plugins/metrics.js';
import { useNegotiation } from './plugins/negotiation.js';
import { useDocs, useOpenApi } from './plugins/openapi.js';
import { useOrigin } from './plugins/origin.js';
import { useOutageLog } from './plugins/outage-log.js';
import { answerClientError, sendProblem, useProblems } from './plugins/problems.js';
import { requestIdGenerator, useRequestId } from './plugins/request-id.js';
import { useRequestLog } from './plugins/request-log.js';
import { recordRoutes } from './plugins/route-table.js';
import { useSerialisation } from './plugins/serialisation.js';
import { type Storage, useServices } from './plugins/services.js';
import { useStreams } from './plugins/streams.js';
import { useValidation } from './plugins/validation.js';

declare module 'fastify' {
  interface FastifyInstance {
    config: Config;
  }
}

/** More than any route but one has use for; that one says so itself. */
const BODY_BYTES_MAX = 256 * 1024;

/** For the header and the body together. */
const REQUEST_MILLIS_MAX = 30_000;
/** How often Node looks for requests that have taken longer. */
const REQUEST_CHECK_MILLIS = 5_000;

/**
 * A connection on which nothing moves for so long is dropped, so that a client that stops reading
 * cannot hold an answer for ever. Longer than the longest wait a request may ask for, a minute.
 */
const SILENCE_MILLIS_MAX = 120_000;

export interface BuildOptions {
  readonly config?: Config;
  /** Where everything is kept; without it the app can only describe itself. */
  readonly storage?: Storage;
  /** Where the log goes; silent when left out, as in tests. */
  readonly logger?: NonNullable<FastifyServerOptions['logger']>;
  /** The same as a logger that exists already. */
  readonly loggerInstance?: FastifyBaseLogger;
}

export async function buildApp(options: BuildOptions = {}): Promise<FastifyInstance> {
  const config = options.config ?? DEFAULT_CONFIG;
  const app = Fastify({
    ...(options.loggerInstance === undefined
      ? { logger: options.logger ?? false }
      : { loggerInstance: options.loggerInstance }),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES_MAX,
    genReqId: requestIdGenerator(),
    requestIdHeader: false,
    requestTimeout: REQUEST_MILLIS_MAX,
    connectionTimeout: SILENCE_MILLIS_MAX,
    // Node would answer a request without Host by itself, and not with a problem.
    http: { requireHostHeader: false, connectionsCheckingInterval: REQUEST_CHECK_MILLIS },
    trustProxy: config.trustProxy.length > 0 && [...config.trustProxy],
    frameworkErrors: sendProblem,
    clientErrorHandler: answerClientError,
    ...CLOSING_OPTIONS,
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.decorate('config', config);
  const routes = recordRoutes(app);
  useRequestId(app);
  useOutageLog(app);
  useProblems(app, routes);
  useOrigin(app);
  useRequestLog(app);
  useMetrics(app);
  useClosing(app);
  useReadiness(app);
  useEtag(app);
  useAccess(app);
  useNegotiation(app);
  useValidation(app);
  useSerialisation(app);
  await useOpenApi(app);
  await useDocs(app);
  await useStreams(app);
  await useServices(app, options.storage);

  for (const route of ROOT_ROUTES) await app.register(route);
  // A worker answers for its health, and with the documents.
  const routesOfRole = app.config.role === 'worker' ? [] : V1_ROUTES;
  for (const route of routesOfRole) await app.register(route, { prefix: '/v1' });
  return app;
}
