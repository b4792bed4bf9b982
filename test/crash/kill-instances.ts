/** Two instances that answer and two that work share a database; any of them is killed at any time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Load, undisturbed } from './load.js';
import { between, pick } from './random.js';
import { Cleanup, type Databases, type ScenarioOptions } from './scenario.js';
import { ServiceProcess } from './service-process.js';

export async function killInstances(
  { rounds, clients, work: size, random, report }: ScenarioOptions,
  databases: Databases,
): Promise<void> {
  const cleanup = new Cleanup();
  try {
    const url = await databases.create();
    cleanup.add(() => databases.drop(url));
    const start = async (name: string, env: Record<string, string>): Promise<ServiceProcess> =>
      cleanup.service(await ServiceProcess.start(name, { DATABASE_URL: url, ...env }, report));
    const worker = { ROLE: 'worker', WORKER_CONCURRENCY: '1' };
    // All at once, so that they also make the tables at once.
    const [apis, workers] = await Promise.all([
      Promise.all([start('api 1', { ROLE: 'api' }), start('api 2', { ROLE: 'api' })]),
      Promise.all([start('worker 1', worker), start('worker 2', worker)]),
    ]);
    const all = [...apis, ...workers];
    const wanted = await undisturbed(apis[0], size, report);
    report.progress('the undisturbed run is done');
    const load = await Load.prepare(apis, clients, random, report);
    cleanup.add(async () => load.close());
    report.readyMillis.length = 0;
    for (let round = 1; round <= rounds; round += 1) {
      await load.keepBusy(size);
      load.begin();
      await sleep(between(random, 300, 1500));
      // The first two rounds make sure that each kind is killed; later it may be any, or two at once.
      const first = [apis[0], workers[0]][round - 1] ?? pick(random, all);
      const second = round <= 2 || random() < 0.5 ? first : pick(random, all);
      await Promise.all([...new Set([first, second])].map((victim) => killAndStart(victim)));
      await sleep(between(random, 0, 200));
      await load.end();
      report.progress(`round ${round} of ${rounds}: ${await load.describeWork()}`);
    }
    await load.checkTraces();
    await load.checkWork(wanted, size);
    for (const service of all) {
      report.same(`the exit code of ${service.name}`, (await service.stop()).code, 0);
    }
  } finally {
    await cleanup.run();
  }
}

async function killAndStart(victim: ServiceProcess): Promise<void> {
  await victim.kill();
  await victim.start();
}
