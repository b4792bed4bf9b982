/** The `Prefer: wait=N` header (RFC 7240): how long a client is willing to wait for the end of work. */

const WAIT_SECONDS_MAX = 60;

/** Milliseconds to wait, at most a minute; 0 without the preference. Unknown preferences are ignored. */
export function preferredWaitMillis(header: string | string[] | undefined): number {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  const wait = /(?:^|[,;\s])wait\s*=\s*"?([0-9]{1,6})"?/i.exec(text)?.[1];
  return wait === undefined ? 0 : Math.min(Number(wait), WAIT_SECONDS_MAX) * 1000;
}
