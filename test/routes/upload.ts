/** Sends texts over real connections, whole or in pieces, to the end or not. */
import { Agent, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import type { FastifyInstance } from 'fastify';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: each test looks at other fields.
  readonly body: any;
}

export interface Sending {
  readonly headers?: Record<string, string>;
  /** Breaks the connection after the last piece, without an end. */
  readonly breaks?: boolean;
}

type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

export async function listen(app: FastifyInstance): Promise<number> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** One piece is sent with its length, several are chunks. */
export async function send(
  port: number,
  query: string,
  body: string | Uint8Array | Pieces,
  { headers = {}, breaks = false }: Sending = {},
): Promise<Answer> {
  const isWhole = typeof body === 'string' || body instanceof Uint8Array;
  const length = isWhole ? { 'content-length': Buffer.byteLength(body) } : {};
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: `/v1/observations${query}`,
        headers: { 'content-type': 'text/plain', ...length, ...headers },
        agent: new Agent({ keepAlive: false }),
      },
      (response) => void answerOf(response).then(resolve, reject),
    );
    sent.on('error', reject);
    void write(sent, isWhole ? [body] : body).then(() => (breaks ? sent.destroy() : sent.end()));
  });
}

async function write(sent: ReturnType<typeof request>, pieces: Pieces): Promise<void> {
  for await (const piece of pieces) {
    if (sent.destroyed) return;
    if (!sent.write(piece)) {
      await new Promise<void>((resolve) => {
        sent.once('drain', resolve);
        sent.once('close', resolve);
      });
    }
  }
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const text = await textOf(response);
  const isJson = /json/.test(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** So many lines of a loop over rdmsr, on 8 CPUs, all with a zero but the last. */
export function loop(lines: number): string {
  const text = Array.from({ length: lines }, (_, at) => line(at % 8, 0));
  text[lines - 1] = line((lines - 1) % 8, 1);
  return text.join('');
}

export function line(cpu: number, value: number): string {
  return `cpu=${cpu} 3f1=${value.toString(16).padStart(16, '0')}\n`;
}
