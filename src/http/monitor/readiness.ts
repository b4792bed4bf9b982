/** Readiness: whether this instance can serve, from the checks of its parts. */
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    readiness: Readiness;
  }
}

interface CheckResult {
  readonly ok: boolean;
  readonly detail?: string;
}

interface ReadinessReport {
  readonly status: 'ok' | 'unavailable';
  readonly checks: ({ readonly name: string } & CheckResult)[];
}

type ReadinessCheck = () => CheckResult | Promise<CheckResult>;

export interface Readiness {
  /** Adds a check; one that throws has failed. */
  add(name: string, check: ReadinessCheck): void;
  report(): Promise<ReadinessReport>;
}

export function useReadiness(app: FastifyInstance): void {
  const checks = new Map<string, ReadinessCheck>();
  checks.set('accepting', () =>
    app.closing.aborted ? { ok: false, detail: 'the service is stopping' } : { ok: true },
  );
  app.decorate('readiness', {
    add: (name, check) => void checks.set(name, check),
    report: () => report(checks),
  });
}

async function report(checks: ReadonlyMap<string, ReadinessCheck>): Promise<ReadinessReport> {
  const results = await Promise.all(
    [...checks].map(async ([name, check]) => ({ name, ...(await run(check)) })),
  );
  return { status: results.every(({ ok }) => ok) ? 'ok' : 'unavailable', checks: results };
}

async function run(check: ReadinessCheck): Promise<CheckResult> {
  try {
    return await check();
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
