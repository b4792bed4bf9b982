/** While the database is away every request fails for the same reason: a line a second says so, not one for each of them. */
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    outageLog: OutageLog;
  }
}

interface OutageLog {
  /** Counts a request that failed because of it. */
  add(reason: string): void;
}

const EVERY_MILLIS = 1000;

export function useOutageLog(app: FastifyInstance): void {
  let writtenAt = Number.NEGATIVE_INFINITY;
  let requests = 0;
  app.decorate('outageLog', {
    add: (reason) => {
      requests += 1;
      const now = performance.now();
      if (now - writtenAt < EVERY_MILLIS) return;
      // Those since the last line.
      app.log.error({ reason, requests }, 'requests fail: the database is away');
      writtenAt = now;
      requests = 0;
    },
  });
}
