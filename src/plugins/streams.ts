/** Answers that go on for as long as both sides like: bounded in number, and ended when the service stops. */
import { fastifySSE as sse } from '@fastify/sse';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProblemError, tryLater } from '../errors.js';

declare module 'fastify' {
  interface FastifyInstance {
    streams: Streams;
  }
}

export interface Streams {
  /** Begins a stream on this reply; the signal ends with the client or the service. */
  open(reply: FastifyReply): AbortSignal;
}

/** More than any dashboard needs, fewer than the files a process may have open. */
const STREAMS_MAX = 200;
/** Shorter than what proxies take for silence. */
const HEARTBEAT_MILLIS = 15_000;
/** After how long a client that lost its stream comes back. */
const RETRY_MILLIS = 3000;

/** How long a client has to read the end of its stream when the service stops. */
const GOODBYE_MILLIS = 1000;

interface Stream {
  readonly end: AbortController;
  readonly reply: FastifyReply;
}

export async function useStreams(app: FastifyInstance): Promise<void> {
  await app.register(sse, { heartbeatInterval: HEARTBEAT_MILLIS });
  const open = new Set<Stream>();
  app.decorate('streams', {
    open: (reply: FastifyReply) => {
      if (app.closing.aborted) throw new ProblemError('unavailable', 'The service is stopping.');
      return openStream(open, reply);
    },
  });
  // An open stream would keep the server from closing, and so would one that has ended but is not read.
  app.addHook('preClose', async () => {
    const streams = [...open];
    for (const { end } of streams) end.abort();
    setTimeout(() => {
      for (const { reply } of streams) reply.raw.destroy();
    }, GOODBYE_MILLIS).unref();
  });
}

function openStream(open: Set<Stream>, reply: FastifyReply): AbortSignal {
  if (open.size >= STREAMS_MAX) {
    const detail = `${STREAMS_MAX} streams are open already.`;
    throw tryLater('too_many_requests', detail, 5);
  }
  // A client that has hung up meanwhile would never be heard to close, and keep its place for ever.
  if (!reply.sse.isConnected) throw new ProblemError('bad_request', 'The client has hung up.');
  const stream = { end: new AbortController(), reply };
  open.add(stream);
  reply.sse.onClose(() => {
    open.delete(stream);
    stream.end.abort();
  });
  reply.hijack();
  reply.sse.sendHeaders();
  reply.raw.write(`retry: ${RETRY_MILLIS}\n\n`);
  return stream.end.signal;
}
