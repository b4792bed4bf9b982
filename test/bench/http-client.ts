/** A client for benchmarks that does as little as it can: keep-alive sockets, one request after another on each. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface Target {
  readonly port: number;
  /** Connection i asks path i, and so on in a circle. */
  readonly paths: readonly string[];
}

/** A keep-alive connection that sends one request after another. */
class Connection {
  private constructor(
    private readonly socket: Socket,
    private readonly request: () => string,
  ) {}

  static async open(port: number, path: string, body: string, keyed: boolean): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: localhost',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
    ].join('\r\n');
    const plain = `${head}\r\n\r\n${body}`;
    const run = Math.random().toString(36).slice(2);
    let last = 0;
    const withKey = (): string => {
      last += 1;
      return `${head}\r\nidempotency-key: ${run}-${last}\r\n\r\n${body}`;
    };
    return new Connection(socket, keyed ? withKey : () => plain);
  }

  /** Sends so many requests; resolves when the last answer has come. */
  ask(count: number): Promise<void> {
    const { socket, request } = this;
    return new Promise((resolve, reject) => {
      let left = count;
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
        if (text.length < end + 4 + length) return;
        if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text.slice(0, 600)));
        text = '';
        left -= 1;
        if (left > 0) socket.write(request());
        else {
          socket.removeAllListeners('data');
          resolve();
        }
      });
      socket.once('error', reject);
      socket.write(request());
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

export type Connections = readonly Connection[];

export function openConnections(
  { port, paths }: Target,
  count: number,
  body: string,
  keyed = false,
): Promise<Connections> {
  return Promise.all(
    Array.from({ length: count }, (_, at) =>
      Connection.open(port, paths[at % paths.length]!, body, keyed),
    ),
  );
}

export interface Measured {
  /** Wall time a request. */
  readonly micros: number;
  /** CPU time of the server a request. */
  readonly cpu: number;
}

/** Sends so many requests over all connections together. */
export async function measure(
  server: ChildProcess,
  pool: Connections,
  requests: number,
): Promise<Measured> {
  const each = Math.ceil(requests / pool.length);
  const before = await cpuMicros(server);
  const started = performance.now();
  await Promise.all(pool.map((connection) => connection.ask(each)));
  const micros = (performance.now() - started) * 1000;
  const cpu = (await cpuMicros(server)) - before;
  const total = each * pool.length;
  return { micros: micros / total, cpu: cpu / total };
}

/** Runs this very file again as the server, which first sends its targets; see `answerParent`. */
export async function startServer<Targets>(
  file: string,
): Promise<{ server: ChildProcess; targets: Targets }> {
  const server = fork(file, ['serve']);
  const [targets] = (await once(server, 'message')) as [Targets];
  return { server, targets };
}

/** In the server: tells the targets, and then its CPU time whenever it is asked. */
export function answerParent(targets: object, close: () => Promise<void>): void {
  process.on('message', () => process.send?.(process.cpuUsage()));
  process.on('disconnect', () => void close().then(() => process.exit(0)));
  process.send?.(targets);
}

export async function cpuMicros(server: ChildProcess): Promise<number> {
  const told = once(server, 'message');
  server.send('cpu');
  const [{ user, system }] = (await told) as [NodeJS.CpuUsage];
  return user + system;
}

export function say(name: string, value: number, unit: string, digits = 0): void {
  console.log(`${name} ${value.toFixed(digits)} ${unit}`);
}
