/** The process: reads the configuration, listens, and stops when it is told to. */
import { createRequire } from 'node:module';
import process from 'node:process';
import type { FastifyInstance } from 'fastify';
import { type LoggerOptions, pino } from 'pino';
import { buildApp } from './app.js';
import { type Config, ConfigError, isLoopback, readConfig } from './config.js';
import { type OpenStorage, openStorage } from './storage.js';

/** Below the 10 s after which supervisors usually kill. */
const CLOSE_MILLIS_MAX = 9_000;

async function main(): Promise<void> {
  const config = readConfig();
  // One logger for the app and for the database, which starts before it.
  const logger = config.logLevel === 'silent' ? undefined : pino(loggerOptions(config));
  const storage = await openStorage(config, (line) => logger?.info(line));
  let app: FastifyInstance | undefined;
  try {
    app = await buildApp({
      config,
      storage,
      ...(logger === undefined ? {} : { loggerInstance: logger }),
    });
    closeOnSignals(app, storage);
    warnOfOpenDoor(app);
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    // It may have taken up work before it found that it cannot listen.
    await app?.close();
    await storage.close();
    throw error;
  }
}

function warnOfOpenDoor({ config, log }: FastifyInstance): void {
  if (config.tokens.length > 0) return;
  const who = isLoopback(config.host) ? 'on this machine' : `who can reach ${config.host}`;
  log.warn(
    `Anybody ${who} may do everything here. To ask for tokens, set API_TOKENS=name:scope:sha256 (scope read, write or admin; sha256 of the token).`,
  );
}

/** People at a terminal get readable lines, if the development dependency is installed. */
function loggerOptions({ logLevel: level }: Config): LoggerOptions {
  if (!process.stdout.isTTY || !isInstalled('pino-pretty')) return { level };
  return { level, transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } };
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

function closeOnSignals(app: FastifyInstance, storage: OpenStorage): void {
  let closing = false;
  const close = (signal: NodeJS.Signals): void => {
    // Whoever signals twice does not want to wait.
    if (closing) process.exit(1);
    closing = true;
    app.log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), CLOSE_MILLIS_MAX).unref();
    app
      .close()
      .then(() => storage.close())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          app.log.error({ err: error }, 'stopping failed');
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', close);
  process.on('SIGINT', close);
}

function fail(error: unknown): void {
  const complaints = error instanceof ConfigError ? error.complaints : [describe(error)];
  for (const complaint of complaints) process.stderr.write(`pebslab: ${complaint}\n`);
  process.exit(1);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main().catch(fail);
