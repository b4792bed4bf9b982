/** While the database is unavailable every request fails for the same reason: log one line a second, not one per request. */
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    outageLog: OutageLog;
  }
}

interface OutageLog {
  /** Counts a request that failed for this reason. */
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
      app.log.error({ reason, requests }, 'requests fail: the database is unavailable');
      writtenAt = now;
      requests = 0;
    },
  });
}
