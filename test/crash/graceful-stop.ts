/** The service is told to stop under load: it answers what it has begun, gives its work back, and leaves nothing behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DataFolder } from './data-folder.js';
import { EventListener } from './event-listener.js';
import { Load, undisturbed } from './load.js';
import { between } from './random.js';
import { Cleanup, type Databases, type ScenarioOptions } from './scenario.js';
import { ServiceProcess } from './service-process.js';

/** What supervisors usually give a process. */
const STOP_MILLIS_MAX = 10_000;
/** Far longer than a run: work that waits for it is missed. */
const LOCK_SECONDS = '600';
const HEARS_MILLIS_MAX = 30_000;

/** With `databases` the service is given one; then nobody clears its queue when it starts, so it must have let go of it. */
export async function gracefulStop(
  { rounds, clients, work: size, random, report }: ScenarioOptions,
  databases?: Databases,
): Promise<void> {
  const cleanup = new Cleanup();
  try {
    const folder = await DataFolder.make();
    cleanup.add(() => folder.remove());
    const url = await databases?.create();
    if (url !== undefined) cleanup.add(() => databases?.drop(url));
    const env = {
      ...(url === undefined ? { DATA_DIR: folder.path } : { DATABASE_URL: url }),
      JOB_LOCK_SECONDS: LOCK_SECONDS,
    };
    const service = cleanup.service(await ServiceProcess.start('the service', env, report));
    const wanted = await undisturbed(service, size, report);
    report.progress('the undisturbed run is done');
    const load = await Load.prepare([service], clients, random, report);
    cleanup.add(async () => load.close());
    const listener = await EventListener.open(service.port);
    cleanup.add(async () => listener.close());
    report.readyMillis.length = 0;
    for (let round = 1; round <= rounds; round += 1) {
      await load.keepBusy(size);
      load.begin();
      await sleep(between(random, 300, 1500));
      const { code, signal, millis } = await service.stop();
      report.stops += 1;
      report.same('how the service ended', { code, signal }, { code: 0, signal: null });
      if (millis > STOP_MILLIS_MAX) report.fault(`it took ${Math.round(millis)} ms to stop`);
      report.same('a server left behind', await folder.isServed(), false);
      await service.start();
      await load.end();
      report.progress(
        `stop ${round} of ${rounds} took ${Math.round(millis)} ms: ${await load.describeWork()}`,
      );
    }
    await load.checkWork(wanted, size);
    // The stream was taken up again after each stop, where it had ended.
    const isHeard = await listener.hears('campaign.ended', load.campaign, HEARS_MILLIS_MAX);
    report.same('whether the end of the campaign was heard', isHeard, true);
    await load.checkTraces();
  } finally {
    await cleanup.run();
  }
}
