/** Kills the service again and again under load: what it had answered is there when it is back, once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DataFolder } from './data-folder.js';
import { Load, undisturbed } from './load.js';
import { between } from './random.js';
import { Cleanup, type ScenarioOptions } from './scenario.js';
import { ServiceProcess } from './service-process.js';

export async function killService(options: ScenarioOptions): Promise<void> {
  const { rounds, clients, work: size, random, report } = options;
  const cleanup = new Cleanup();
  try {
    const folder = await DataFolder.make();
    cleanup.add(() => folder.remove());
    const service = cleanup.service(
      await ServiceProcess.start('the service', { DATA_DIR: folder.path }, report),
    );
    const wanted = await undisturbed(service, size, report);
    report.progress('the undisturbed run is done');
    const load = await Load.prepare([service], clients, random, report);
    cleanup.add(async () => load.close());
    report.readyMillis.length = 0;
    for (let round = 1; round <= rounds; round += 1) {
      await load.keepBusy(size);
      load.begin();
      await sleep(between(random, 300, 1500));
      await service.kill();
      await service.start();
      // The first requests after a start meet what the killed process has left unfinished.
      await sleep(between(random, 0, 200));
      await load.end();
      report.progress(`kill ${round} of ${rounds}: ${await load.describeWork()}`);
    }
    await load.checkTraces();
    await load.checkWork(wanted, size);
    const { code } = await service.stop();
    report.same('the exit code of the service', code, 0);
    report.same('a server left behind', await folder.isServed(), false);
  } finally {
    await cleanup.run();
  }
}
