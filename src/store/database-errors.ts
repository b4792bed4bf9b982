/** Classifies database errors: it is unavailable, or it rejected a statement. */
import pg from 'pg';

/** SQLSTATE classes and codes (PostgreSQL manual, appendix A). */
const AWAY_CODES: Readonly<Record<string, string>> = {
  '57P01': 'the database is stopping',
  '57P02': 'the database has crashed',
  '57P03': 'the database is starting',
  '57P05': 'the database closed an idle connection',
  '57014': 'the database took too long',
  '55P03': 'the database took too long to lock',
  '53100': "the database's disk is full",
  '53200': 'the database is out of memory',
  '53300': 'the database has too many connections',
  '25006': 'the database is read-only',
  // On our own tables: the disk became read-only under the server.
  '42501': 'the database cannot be written',
  '40001': 'the database was too busy',
  '40P01': 'the database was too busy',
  '58030': 'the database cannot read or write its files',
  XX002: 'the database cannot read its files',
};

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/** Errors that `pg` throws without a code. */
const TEXTS =
  /connection terminated|connection ended|timeout exceeded when trying to connect|query read timeout|client has encountered a connection error|not queryable|client was closed|pool after calling end/i;

/** Why the database is unavailable, or undefined if the error has another cause. */
export function awayReason(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // An AbortError has a number.
  const code = String((error as { code?: unknown }).code ?? '');
  const known = AWAY_CODES[code];
  if (known !== undefined) return known;
  if (code.startsWith('08')) return 'the connection to the database was lost';
  if (SOCKET_CODES.has(code)) return 'the database cannot be reached';
  if (error instanceof AggregateError) return error.errors.map(awayReason).find(Boolean);
  return TEXTS.test(error.message) ? 'the connection to the database was lost' : undefined;
}

/** Whether PostgreSQL itself rejected a statement: only then is it certain that nothing was written. */
export function isRefused(error: unknown): boolean {
  return error instanceof pg.DatabaseError && awayReason(error) === undefined;
}

/** Whether what a new row belongs to has been deleted meanwhile: a foreign_key_violation. */
export function isOwnerGone(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23503';
}

/** Whether another instance has answered the same key meanwhile: a unique_violation on the keys. */
export function isKeyAnswered(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === '23505' && constraint === 'idempotency_keys_pkey';
}

/** Whether a machine of a pool holds a lease already: a unique_violation on the leases. */
export function isMachineBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === '23505' && constraint === 'pool_runs_held';
}
