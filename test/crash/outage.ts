/** The database goes away under load and comes back: clients are told to wait, and everything goes on by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DataFolder } from './data-folder.js';
import { EventListener } from './event-listener.js';
import { HttpClient, json } from './http-client.js';
import { Load } from './load.js';
import { Cleanup, type ScenarioOptions } from './scenario.js';
import { ServiceProcess } from './service-process.js';
import { StoppablePostgres } from './stoppable-postgres.js';

const RECOVERS_MILLIS_MAX = 20_000;
const SMALL_WORLD = {
  model: {
    cpu_model: 'emerald-rapids',
    kernel: 'upstream-base',
    events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
    vcpus: [{}],
    actors: [{ kind: 'nmi_throttle' }],
  },
};

interface Readiness {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; detail?: string }[];
}

export async function outage(options: ScenarioOptions, awayMillis: number): Promise<void> {
  const { rounds, clients, random, report } = options;
  const cleanup = new Cleanup();
  try {
    const folder = await DataFolder.make();
    cleanup.add(() => folder.remove());
    const postgres = await StoppablePostgres.start(folder.path);
    cleanup.add(() => postgres.stop());
    const service = cleanup.service(
      await ServiceProcess.start('the service', { DATABASE_URL: postgres.url }, report),
    );
    const load = await Load.prepare([service], clients, random, report);
    cleanup.add(async () => load.close());
    const listener = await EventListener.open(service.port);
    cleanup.add(async () => listener.close());
    report.readyMillis.length = 0;
    for (let round = 1; round <= rounds; round += 1) {
      load.begin();
      await sleep(500);
      await postgres.stop();
      report.stops += 1;
      await sleep(awayMillis / 2);
      await checkUnready(service, report);
      await sleep(awayMillis / 2);
      await postgres.startAgain();
      const since = performance.now();
      await untilReady(service);
      report.readyMillis.push(performance.now() - since);
      // Jobs must be taken up again, and notices heard.
      await checkExploration(load, listener, report);
      await load.end();
      report.progress(`outage ${round} of ${rounds} is over`);
    }
    await load.checkTraces();
    const { code } = await service.stop();
    report.same('the exit code of the service', code, 0);
  } finally {
    await cleanup.run();
  }
}

async function checkUnready(
  { port }: ServiceProcess,
  report: ScenarioOptions['report'],
): Promise<void> {
  const http = new HttpClient();
  const answer = await http.ask(port, { method: 'GET', path: '/readyz' });
  http.close();
  const readiness = json<Readiness>(answer);
  const part = readiness.checks.find(({ name }) => name === 'database');
  report.same('the status of /readyz', [answer.status, readiness.status], [503, 'unavailable']);
  report.same('whether /readyz gives a reason', /database/.test(part?.detail ?? ''), true);
}

async function untilReady({ port }: ServiceProcess): Promise<void> {
  const http = new HttpClient();
  const deadline = performance.now() + RECOVERS_MILLIS_MAX;
  const isReady = async (): Promise<boolean> =>
    (await http.ask(port, { method: 'GET', path: '/readyz' })).status === 200;
  while (!(await isReady())) {
    if (performance.now() > deadline) throw new Error('the service does not recover');
    await sleep(20);
  }
  http.close();
}

/** An exploration that is asked for afterwards ends soon, and who listens hears of it. */
async function checkExploration(
  load: Load,
  listener: EventListener,
  report: ScenarioOptions['report'],
): Promise<void> {
  const since = performance.now();
  const made = await load.observer.change('/v1/explorations', SMALL_WORLD);
  const { id } = json<{ id: string }>(made);
  const read = await load.observer.get(`/v1/explorations/${id}`, { prefer: 'wait=60' });
  const { state } = json<{ state: string }>(read);
  report.same('the state of an exploration asked for afterwards', state, 'succeeded');
  report.progress(`an exploration ended after ${Math.round(performance.now() - since)} ms`);
  const isHeard = await listener.hears('exploration.ended', id, RECOVERS_MILLIS_MAX);
  report.same('whether its end was heard', isHeard, true);
}
