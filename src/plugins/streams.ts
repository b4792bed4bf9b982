/** Answers that go on for as long as both sides like: bounded in number, and ended when the service stops. */
import { fastifySSE as sse } from '@fastify/sse';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProblemError } from '../errors.js';

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

export async function useStreams(app: FastifyInstance): Promise<void> {
  await app.register(sse, { heartbeatInterval: HEARTBEAT_MILLIS });
  const open = new Set<AbortController>();
  app.decorate('streams', { open: (reply: FastifyReply) => openStream(open, reply) });
  // An open stream would keep the server from closing.
  app.addHook('preClose', async () => {
    for (const stream of open) stream.abort();
  });
}

function openStream(open: Set<AbortController>, reply: FastifyReply): AbortSignal {
  if (open.size >= STREAMS_MAX) {
    const detail = `${STREAMS_MAX} streams are open already.`;
    throw new ProblemError('too_many_requests', detail, [], {}, { 'retry-after': '5' });
  }
  const stream = new AbortController();
  open.add(stream);
  reply.sse.onClose(() => {
    open.delete(stream);
    stream.abort();
  });
  reply.hijack();
  reply.sse.sendHeaders();
  reply.raw.write(`retry: ${RETRY_MILLIS}\n\n`);
  return stream.signal;
}
