/** The service as a process of its own: started, killed, stopped, and listened to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HttpClient } from './http-client.js';
import type { Report } from './report.js';

const SERVER = fileURLToPath(new URL('../../src/server.js', import.meta.url));
const READY_MILLIS_MAX = 60_000;
const POLL_MILLIS = 10;
const OUTPUT_MAX = 20_000;
/** Enters a control group, then becomes the command: what it starts is in the group as well. */
const JOIN_GROUP = 'echo $$ > "$0/cgroup.procs" && exec "$@"';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly millis: number;
}

/** A process that can be started again with the same settings. */
export class ServiceProcess {
  readonly port: number;
  readonly name: string;
  private readonly env: Readonly<Record<string, string>>;
  private readonly report: Report;
  private readonly group: string | undefined;
  private readonly http = new HttpClient();
  private child: ChildProcess | undefined;
  private isEnding = false;
  private output = '';
  private complaints = '';

  private constructor(
    name: string,
    port: number,
    env: Record<string, string>,
    report: Report,
    group: string | undefined,
  ) {
    this.name = name;
    this.port = port;
    this.env = env;
    this.report = report;
    this.group = group;
  }

  /** Starts on a port that it keeps; with `group`, in the control group at that path. */
  static async start(
    name: string,
    env: Record<string, string>,
    report: Report,
    group?: string,
  ): Promise<ServiceProcess> {
    const service = new ServiceProcess(name, await freePort(), env, report, group);
    await service.start();
    return service;
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && !this.child.signalCode;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const { PATH = '' } = process.env;
    const started = performance.now();
    const [command = '', ...args] =
      this.group === undefined
        ? [process.execPath, SERVER]
        : ['sh', '-c', JOIN_GROUP, this.group, process.execPath, SERVER];
    const child = spawn(command, args, {
      env: {
        PATH,
        PORT: String(this.port),
        LOG_LEVEL: 'warn',
        JOB_LOCK_SECONDS: '5',
        ...this.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.isEnding = false;
    this.output = '';
    this.complaints = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output = (this.output + text).slice(-OUTPUT_MAX);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.complaints = (this.complaints + text).slice(-OUTPUT_MAX);
    });
    child.on('close', (code, signal) => {
      this.checkComplaints();
      if (!this.isEnding) this.report.fault(`${this.name} ended by itself: ${code ?? signal}`);
    });
    while (!(await this.isReady())) {
      if (!this.isRunning) throw new Error(`${this.name} ended: ${this.complaints}${this.output}`);
      if (performance.now() - started > READY_MILLIS_MAX) {
        throw new Error(`${this.name} does not get ready: ${this.complaints}${this.output}`);
      }
      await sleep(POLL_MILLIS);
    }
    this.report.readyMillis.push(performance.now() - started);
  }

  /** As a crash: nothing of the process gets to do anything any more. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
    this.report.kills += 1;
  }

  /** As an operator stops it. */
  stop(): Promise<Exit> {
    return this.end('SIGTERM');
  }

  /** Of the process that runs or ran last: what it logged. */
  get log(): string {
    return this.output;
  }

  /** The process has nothing to say beside its log: what it does is a warning of Node.js, or a crash. */
  private checkComplaints(): void {
    if (this.complaints !== '') {
      this.report.fault(`${this.name} said: ${this.complaints.slice(0, 1000)}`);
    }
    if (/unhandledRejection|uncaughtException/i.test(this.output)) {
      this.report.fault(`${this.name} logged: ${this.output.slice(-1000)}`);
    }
  }

  private async end(signal: NodeJS.Signals): Promise<Exit> {
    const { child } = this;
    if (child === undefined || !this.isRunning) throw new Error(`${this.name} ended by itself`);
    const since = performance.now();
    const closed = once(child, 'close');
    this.isEnding = true;
    child.kill(signal);
    await closed;
    return { code: child.exitCode, signal: child.signalCode, millis: performance.now() - since };
  }

  private async isReady(): Promise<boolean> {
    try {
      const { status } = await this.http.ask(this.port, { method: 'GET', path: '/readyz' });
      return status === 200;
    } catch {
      return false;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
