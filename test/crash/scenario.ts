/** What the scenarios of this folder share: how large they are, and that whatever they start is gone in the end. */
import type { WorkSize } from './long-work.js';
import type { Random } from './random.js';
import type { Report } from './report.js';
import type { ServiceProcess } from './service-process.js';

export interface ScenarioOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly work: WorkSize;
  readonly random: Random;
  readonly report: Report;
}

/** Of a server that runs for others, too. */
export interface Databases {
  /** The address of an empty database. */
  create(): Promise<string>;
  drop(url: string): Promise<void>;
}

/** Undoes what was set up, the last first, and goes on where one of it fails. */
export class Cleanup {
  private static readonly pending = new Set<Cleanup>();
  private readonly steps: (() => Promise<unknown> | undefined)[] = [];

  /** Where a run is interrupted, the processes it has started would live on. */
  static async runAll(): Promise<void> {
    for (const cleanup of [...Cleanup.pending].reverse()) await cleanup.run();
  }

  constructor() {
    Cleanup.pending.add(this);
  }

  add(step: () => Promise<unknown> | undefined): void {
    this.steps.unshift(step);
  }

  service(service: ServiceProcess): ServiceProcess {
    this.add(() => (service.isRunning ? service.stop() : undefined));
    return service;
  }

  async run(): Promise<void> {
    Cleanup.pending.delete(this);
    for (const step of this.steps.splice(0)) {
      await Promise.resolve(step()).catch(() => {});
    }
  }
}
