/** The process: reads its options and the configuration, listens, and stops on a signal. */
import { once } from 'node:events';
import { type AddressInfo, createServer, isIPv6 } from 'node:net';
import process from 'node:process';
import type { FastifyInstance } from 'fastify';
import { type Config, ConfigError, isLoopback, readConfig } from './config/configuration.js';
import { readOptions } from './config/options.js';
import { openLog } from './server/log.js';

/** Less than the 10 s after which supervisors usually kill a process. */
const CLOSE_MILLIS_MAX = 9_000;

async function main(): Promise<number> {
  const asked = readOptions(process.argv.slice(2));
  if ('wrong' in asked) {
    complain(asked.wrong);
    return 2;
  }
  if ('say' in asked) {
    process.stdout.write(asked.say);
    return 0;
  }
  await serve(readConfig({ ...process.env, PORT: asked.port ?? process.env.PORT }));
  return 0;
}

async function serve(config: Config): Promise<void> {
  // One logger for the app and for the database, which starts before it.
  const logger = openLog(config);
  // A signal during start-up takes effect when there is something complete to stop.
  const stop = stopSignal((signal) => logger?.info({ signal }, 'stopping'));
  await assertPortIsFree(config);
  // Only now: loading takes a second or two, and errors until here are reported without it.
  const { openStorage } = await import('./storage.js');
  const storage = await openStorage(config, (line) => logger?.info(line));
  let app: FastifyInstance | undefined;
  try {
    const { buildApp } = await import('./app.js');
    app = await buildApp({
      config,
      storage,
      ...(logger === undefined ? {} : { loggerInstance: logger }),
    });
    warnOfOpenDoor(app);
    await app.listen({ host: config.host, port: config.port });
    sayWhereToLook(app);
    await stop;
  } finally {
    // The worker may have claimed work even if listening failed.
    await app?.close().catch((error) => logger?.error({ err: error }, 'stopping failed'));
    await storage.close();
  }
}

/** Checked before setting up a database for nothing. If the port is taken in between, listening fails. */
async function assertPortIsFree({ host, port }: Config): Promise<void> {
  const probe = createServer();
  probe.listen({ host, port });
  await once(probe, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw cannotListen(error, host, port);
  });
  probe.close();
  await once(probe, 'close');
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const place = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(
        `${place} is in use by another program (EADDRINUSE). Set PORT or --port to another port.`,
      );
    case 'EACCES':
      return new Error(
        `This user may not listen on ${place} (EACCES). Set PORT or --port to 1024 or more.`,
      );
    default:
      return new Error(`Listening on ${place} failed: ${error.message}. Set HOST, PORT or --port.`);
  }
}

function warnOfOpenDoor({ config, log }: FastifyInstance): void {
  if (config.tokens.length > 0) return;
  const who = isLoopback(config.host) ? 'local process' : `client that can reach ${config.host}`;
  log.warn(
    `No access tokens are configured: any ${who} has full access. To require tokens, set API_TOKENS=name:scope:sha256 (scope read, write or admin; sha256 of the token).`,
  );
}

/** For people, who have no use for an address to listen on. */
function sayWhereToLook({ config: { host, role }, server, log }: FastifyInstance): void {
  const { port } = server.address() as AddressInfo;
  const isLocal = ['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host);
  const name = isLocal ? 'localhost' : isIPv6(host) ? `[${host}]` : host;
  log.info(`open http://${name}:${port}/${role === 'worker' ? 'docs' : 'ui/'}`);
}

/** Resolves on the first signal to stop. */
function stopSignal(onSignal: (signal: NodeJS.Signals) => void): Promise<void> {
  return new Promise((resolve) => {
    let isTold = false;
    const heed = (signal: NodeJS.Signals): void => {
      // A second signal stops at once.
      if (isTold) process.exit(1);
      isTold = true;
      onSignal(signal);
      setTimeout(() => process.exit(1), CLOSE_MILLIS_MAX).unref();
      resolve();
    };
    process.on('SIGTERM', heed);
    process.on('SIGINT', heed);
  });
}

function fail(error: unknown): void {
  const complaints = error instanceof ConfigError ? error.complaints : [describe(error)];
  for (const complaint of complaints) complain(complaint);
  process.exit(1);
}

function complain(what: string): void {
  process.stderr.write(`pebslab: ${what}\n`);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main().then((code) => process.exit(code), fail);
