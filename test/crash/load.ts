/** The whole load of a run: hosts that all clients share, hosts of one client each, and long work beside them. */
import type { Host } from '../../schemas/host.js';
import { HostLedger } from './host-ledger.js';
import { json } from './http-client.js';
import { InsistentClient } from './insist.js';
import { LoadClient } from './load-client.js';
import { compareFindings, type Findings, LongWork, type WorkSize } from './long-work.js';
import { type Random, seeded } from './random.js';
import type { Report } from './report.js';
import type { ServiceProcess } from './service-process.js';
import { checkTrace } from './trace-pages.js';

/** As many CPUs as a host may have: one for each client. */
export const CLIENTS_MAX = 8;

export class Load {
  readonly observer: InsistentClient;
  private readonly http: InsistentClient[] = [];
  private readonly clients: LoadClient[] = [];
  private readonly ledgers: HostLedger[] = [];
  private readonly works: LongWork[] = [];
  private running: { readonly end: AbortController; readonly done: Promise<unknown> } | undefined;
  private since = 0;

  private constructor(
    private readonly ports: readonly number[],
    private readonly random: Random,
    private readonly report: Report,
  ) {
    this.observer = new InsistentClient(ports, this.fork(), report);
  }

  /** Makes the hosts; requests go to any of the services. */
  static async prepare(
    services: readonly ServiceProcess[],
    clients: number,
    random: Random,
    report: Report,
  ): Promise<Load> {
    const ports = services.map(({ port }) => port);
    const load = new Load(ports, random, report);
    const shared = [await load.makeHost(), await load.makeHost()] as const;
    for (let at = 0; at < clients; at += 1) {
      const http = new InsistentClient(ports, load.fork(), report);
      const client = new LoadClient(http, load.fork(), at % CLIENTS_MAX);
      await client.settle(shared[0], false);
      await client.settle(shared[1], true);
      await client.settle(await load.makeHost(), false);
      load.http.push(http);
      load.clients.push(client);
    }
    return load;
  }

  begin(): void {
    const end = new AbortController();
    const done = Promise.all(this.clients.map((client) => client.work(end.signal)));
    // Awaited in `end`; until then a failure waits, too.
    done.catch(() => {});
    this.running = { end, done };
    this.since = performance.now();
  }

  /** Lets every client get its last answer, then compares all hosts with their ledgers, wherever they can be read. */
  async end(): Promise<void> {
    this.running?.end.abort();
    await this.running?.done;
    this.running = undefined;
    this.report.loadMillis += performance.now() - this.since;
    for (const port of this.ports) {
      const reader = new InsistentClient([port], this.random, this.report);
      for (const ledger of this.ledgers) await ledger.compare(reader);
      reader.close();
    }
  }

  /** Sees to it that long work is under way. */
  async keepBusy(size: WorkSize): Promise<void> {
    const last = this.works.at(-1);
    if (last === undefined || (await last.isOver(this.observer))) {
      this.works.push(await LongWork.start(this.observer, size));
    }
  }

  /** The id of the newest campaign. */
  get campaign(): string {
    return this.works.at(-1)?.campaign ?? '';
  }

  async describeWork(): Promise<string> {
    return (await this.works.at(-1)?.progress(this.observer)) ?? 'no long work';
  }

  /** Waits for the end of all long work: it must have found what is found where nothing disturbs it. */
  async checkWork(wanted: Findings, size: WorkSize): Promise<void> {
    let hasExplored = false;
    let hasWalked = false;
    for (const work of this.works) {
      const found = await work.findings(this.observer, this.report);
      compareFindings(found, wanted, this.report);
      hasExplored ||= found.exploration !== null;
      hasWalked ||= found.campaign !== null;
    }
    if (!hasExplored || !hasWalked) {
      // One was given up each time, after so many kills: now that there are no more, the same must succeed.
      const again = await (await LongWork.start(this.observer, size)).findings(
        this.observer,
        this.report,
      );
      const isWhole = again.exploration !== null && again.campaign !== null;
      this.report.same('whether it succeeds without kills', isWhole, true);
      compareFindings(again, wanted, this.report);
    }
    this.report.progress(
      `${this.works.length} times the same long work, the last: ${await this.describeWork()}`,
    );
  }

  async checkTraces(): Promise<void> {
    for (const { path } of this.ledgers) await checkTrace(this.observer, path, this.report);
  }

  close(): void {
    for (const http of [...this.http, this.observer]) http.close();
  }

  private fork(): Random {
    return seeded(Math.floor(this.random() * 2 ** 32));
  }

  private async makeHost(): Promise<HostLedger> {
    const body = { cpu_model: 'emerald-rapids', kernel: 'upstream-base', cpus: CLIENTS_MAX };
    const made = await this.observer.change('/v1/hosts', body);
    const ledger = new HostLedger(json<Host>(made).id, this.report);
    this.ledgers.push(ledger);
    return ledger;
  }
}

const known = new Map<WorkSize, Findings>();

/** What the long work finds where nothing disturbs it: looked at once, as it is always the same. */
export async function undisturbed(
  service: ServiceProcess,
  size: WorkSize,
  report: Report,
): Promise<Findings> {
  const before = known.get(size);
  if (before !== undefined) return before;
  const client = new InsistentClient([service.port], seeded(1), report);
  const work = await LongWork.start(client, size);
  const findings = await work.findings(client, report);
  client.close();
  known.set(size, findings);
  return findings;
}
