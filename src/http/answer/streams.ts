/** Streaming answers: limited in number, and ended when the service stops. */
import { once } from 'node:events';
import { fastifySSE as sse } from '@fastify/sse';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProblemError, tryLater } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyInstance {
    streams: Streams;
  }
}

export interface Streams {
  /** How many are open. */
  count(): number;
  /** Begins a stream on this reply and writes the parts to it, until the client hangs up or the service stops. */
  send(reply: FastifyReply, source: (signal: AbortSignal) => AsyncIterable<Buffer>): Promise<void>;
}

/** More than any dashboard needs, fewer than the limit of open files. */
const STREAMS_MAX = 200;
/** Keeps one token from taking all places. Without tokens, clients are indistinguishable. */
const STREAMS_PER_TOKEN_MAX = 20;
/** Shorter than the idle timeout of proxies. */
const HEARTBEAT_MILLIS = 15_000;
/** How long a client waits before it reconnects. */
const RETRY_MILLIS = 3000;

/** How long a client has to read the end of its stream when the service stops. */
const GOODBYE_MILLIS = 1000;

interface Stream {
  readonly end: AbortController;
  readonly reply: FastifyReply;
  /** The owner; null without tokens. */
  readonly token: string | null;
}

export async function useStreams(app: FastifyInstance): Promise<void> {
  await app.register(sse, { heartbeatInterval: HEARTBEAT_MILLIS });
  const open = new Set<Stream>();
  app.decorate('streams', {
    count: () => open.size,
    send: async (reply, source) => {
      if (app.closing.aborted) throw new ProblemError('unavailable', 'The service is stopping.');
      // A HEAD request gets only the header, and its reply ends with the handler.
      if (reply.request.method === 'HEAD') return begin(reply);
      const signal = openStream(open, reply);
      await write(reply, source(signal), signal);
    },
  });
  // An open stream would keep the server from closing, and so would an ended one that the client does not read.
  app.addHook('preClose', async () => {
    const streams = [...open];
    for (const { end } of streams) end.abort();
    setTimeout(() => {
      for (const { reply } of streams) reply.raw.destroy();
    }, GOODBYE_MILLIS).unref();
  });
}

function openStream(open: Set<Stream>, reply: FastifyReply): AbortSignal {
  if (open.size >= STREAMS_MAX) throw tooMany(`${STREAMS_MAX} streams are already open.`);
  const token = reply.request.principal?.name ?? null;
  const own = [...open].filter((other) => other.token === token).length;
  if (token !== null && own >= STREAMS_PER_TOKEN_MAX) {
    throw tooMany(`The token ${token} already has ${STREAMS_PER_TOKEN_MAX} open streams.`);
  }
  // If the client has already hung up, no close event follows, and its place would never be freed.
  if (!reply.sse.isConnected) throw new ProblemError('bad_request', 'The client has hung up.');
  const stream = { end: new AbortController(), reply, token };
  open.add(stream);
  reply.sse.onClose(() => {
    open.delete(stream);
    stream.end.abort();
  });
  begin(reply);
  reply.raw.write(`retry: ${RETRY_MILLIS}\n\n`);
  return stream.end.signal;
}

function begin(reply: FastifyReply): void {
  reply.hijack();
  reply.sse.sendHeaders();
}

/** Waits for the client, so that at most one part is buffered. */
async function write(
  { raw }: FastifyReply,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of source) {
    if (signal.aborted) return;
    if (!raw.write(chunk)) await once(raw, 'drain', { signal }).catch(() => {});
  }
}

function tooMany(detail: string): ProblemError {
  return tryLater('too_many_requests', detail, 5);
}
