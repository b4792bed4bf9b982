/** Builds the HTTP application. Listening and signals are left to src/server.ts. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import { FOREIGN_ROUTES, ROOT_ROUTES, V1_ROUTES } from '../routes/index.js';
import { compose, type Services } from './compose.js';
import { type Config, DEFAULT_CONFIG } from './config/configuration.js';
import { admit } from './http/admit/index.js';
import { answer } from './http/answer/index.js';
import { answerClientError, sendProblem } from './http/answer/problems.js';
import { CLOSING_OPTIONS } from './http/identify/closing.js';
import { identify } from './http/identify/index.js';
import { requestIdGenerator } from './http/identify/request-id.js';
import { monitor } from './http/monitor/index.js';
import { describe } from './http/openapi/index.js';
import { read } from './http/read/index.js';
import type { Storage } from './storage.js';

declare module 'fastify' {
  interface FastifyInstance {
    config: Config;
    services: Services;
  }
}

/** Enough for every route but one, which sets its own limit. */
const BODY_BYTES_MAX = 256 * 1024;

/** For the header; for header and body see src/http/identify/arrival.ts. */
const HEADER_MILLIS_MAX = 30_000;
/** For header and body of the longest text, which no other request may take. */
const TEXT_MILLIS_MAX = 3_600_000;
/** How often Node checks for requests that have taken longer. */
const REQUEST_CHECK_MILLIS = 5_000;

/**
 * A connection idle for this long is dropped, so that a client that stops reading cannot hold an
 * answer forever. Longer than the longest wait a request may ask for, a minute.
 */
const SILENCE_MILLIS_MAX = 120_000;

export interface BuildOptions {
  readonly config?: Config;
  /** The database; without it the app can only describe itself. */
  readonly storage?: Storage;
  /** Where the log goes; no log by default, as in tests. */
  readonly logger?: NonNullable<FastifyServerOptions['logger']>;
  /** An existing logger, instead of `log`. */
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
    requestTimeout: TEXT_MILLIS_MAX,
    connectionTimeout: SILENCE_MILLIS_MAX,
    // Node itself would answer a request without Host, and not with a problem body.
    http: {
      requireHostHeader: false,
      headersTimeout: HEADER_MILLIS_MAX,
      connectionsCheckingInterval: REQUEST_CHECK_MILLIS,
    },
    trustProxy: config.trustProxy.length > 0 && [...config.trustProxy],
    frameworkErrors: sendProblem,
    clientErrorHandler: answerClientError,
    ...CLOSING_OPTIONS,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.decorate('config', config);

  // The stages of a request, in order; each explains the order of its parts.
  identify(app);
  admit(app);
  read(app);
  await answer(app);

  monitor(app);
  await describe(app, options.storage !== undefined && config.role !== 'worker');
  await useServices(app, options.storage);

  await addRoutes(app, ROOT_ROUTES);
  // A worker serves its health routes and the documents.
  if (config.role === 'worker') return app;
  await app.register(async (v1) => addRoutes(v1, V1_ROUTES), { prefix: '/v1' });
  await addRoutes(app, FOREIGN_ROUTES);
  return app;
}

/** Not each as a plugin of its own: they have nothing to keep from each other, and the walls take time to build. */
async function addRoutes(app: FastifyInstance, all: typeof V1_ROUTES): Promise<void> {
  for (const routes of all) await routes(app, {});
}

/** Without a database there are only the routes, for generating the document. */
async function useServices(app: FastifyInstance, storage: Storage | undefined): Promise<void> {
  if (storage === undefined) {
    app.decorate('services', {} as Services);
    return;
  }
  const { services, start, windDown, close } = await compose(app.config, storage, {
    closing: app.closing,
    meters: app.meters,
    warn: (error, what) => app.log.warn({ err: error }, what),
  });
  app.decorate('services', services);
  app.readiness.add('database', () => storage.database.check());
  app.addHook('onReady', start);
  app.addHook('preClose', async () => windDown());
  app.addHook('onClose', close);
}
