/** A PostgreSQL server that a test stops and starts again on the same port, as an operator would. */

import { findBinaries } from '../../src/private-postgres/binaries.js';
import { prepareCluster } from '../../src/private-postgres/cluster.js';
import { urlOf } from '../../src/private-postgres/connection.js';
import { openDataDir } from '../../src/private-postgres/data-dir.js';
import { type Launch, launch, launchOn, type Running } from '../../src/private-postgres/launch.js';
import { LogFile } from '../../src/private-postgres/log-file.js';
import { type Postmaster, stopPostmaster } from '../../src/private-postgres/postmaster.js';
import { serverAccount } from '../../src/private-postgres/user.js';

const NAME = 'test';

export class StoppablePostgres {
  readonly url: string;
  private readonly how: Launch;
  private readonly port: number;
  private postmaster: Postmaster;

  private constructor(how: Launch, { postmaster, port }: Running) {
    this.how = how;
    this.port = port;
    this.postmaster = postmaster;
    this.url = urlOf(port, how.login);
  }

  static async start(folder: string): Promise<StoppablePostgres> {
    const dir = await openDataDir(folder);
    const account = await serverAccount(dir.cluster);
    const binaries = await findBinaries(account, NAME);
    const log = new LogFile(dir.log, () => {});
    const login = await prepareCluster(dir, binaries, account, NAME);
    const how: Launch = { dir, binaries, account, login, log, settings: {} };
    return new StoppablePostgres(how, await launch(how));
  }

  /** Ends all sessions with an error; who connects then is refused. */
  async stop(): Promise<void> {
    await stopPostmaster(this.postmaster);
  }

  async startAgain(): Promise<void> {
    this.postmaster = await launchOn(this.how, this.port);
  }
}
