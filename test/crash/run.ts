/**
 * Crashes at length: `npm run test:crash -- [--rounds 20] [--clients 6] [--seed n]` kills the service again and again,
 * `--instances` one of several; `--outage` stops its database, `--stop` the service in order, `--all` does all of it.
 * Ends with a summary of each, and with 1 where anything was lost or doubled.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../src/private-postgres/server.js';
import { createDatabase, dropDatabase } from '../postgres.js';
import { DataFolder } from './data-folder.js';
import { gracefulStop } from './graceful-stop.js';
import { killInstances } from './kill-instances.js';
import { killService } from './kill-service.js';
import { CLIENTS_MAX } from './load.js';
import { LARGE_WORK } from './long-work.js';
import { outage } from './outage.js';
import { seeded } from './random.js';
import { Report } from './report.js';
import { Cleanup, type Databases, type ScenarioOptions } from './scenario.js';

const NAMES = ['kill', 'instances', 'outage', 'stop'] as const;

const SCENARIOS: Readonly<
  Record<(typeof NAMES)[number], (options: ScenarioOptions) => Promise<void>>
> = {
  kill: killService,
  instances: withServer(killInstances),
  outage: (options) => outage(options, 5000),
  stop: async (options) => {
    await gracefulStop(options);
    await withServer(gracefulStop)(options);
  },
};

/** With databases on a server that is started for them. */
function withServer(
  scenario: (options: ScenarioOptions, databases: Databases) => Promise<void>,
): (options: ScenarioOptions) => Promise<void> {
  return async (options) => {
    const cleanup = new Cleanup();
    const folder = await DataFolder.make();
    cleanup.add(() => folder.remove());
    try {
      const server = await startEmbeddedPostgres({ dataDir: folder.path, name: 'test' });
      cleanup.add(() => server.stop());
      process.env.TEST_POSTGRES_URL = server.url;
      await scenario(options, { create: createDatabase, drop: dropDatabase });
    } finally {
      await cleanup.run();
    }
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      instances: { type: 'boolean', default: false },
      outage: { type: 'boolean', default: false },
      stop: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '20' },
      clients: { type: 'string', default: '6' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    },
  });
  const clients = Math.min(Number(values.clients), CLIENTS_MAX);
  const wanted = NAMES.filter((name) => values.all || (name !== 'kill' && values[name]));
  for (const name of wanted.length > 0 ? wanted : (['kill'] as const)) {
    say(`\n# ${name}, seed ${values.seed}`);
    const report = new Report(say);
    const random = seeded(Number(values.seed));
    const options = { rounds: Number(values.rounds), clients, work: LARGE_WORK, random, report };
    await SCENARIOS[name](options).catch((error: unknown) => report.fault(String(error)));
    say(`\n${report.summary()}`);
    if (report.faults.length > 0) process.exitCode = 1;
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Cleanup.runAll().then(() => process.exit(1)));
}
await main();
