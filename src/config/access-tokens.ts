/**
 * Access tokens and their scopes. Only the SHA-256 of a token is configured and kept. A slow
 * password hash would add nothing: tokens are long and random (`openssl rand -hex 32`), so they
 * cannot be guessed, even with the hash.
 */
import { hash, timingSafeEqual } from 'node:crypto';

/** Each scope includes the ones before it, but `pool`: a machine of a pool does what it is lent for, and nothing else. */
const SCOPES = ['read', 'write', 'admin', 'pool'] as const;
export type Scope = (typeof SCOPES)[number];

/** What a route needs: a scope, or any token. */
export type NeededScope = Scope | 'any';

export function covers(has: Scope, needed: NeededScope): boolean {
  if (needed === 'any') return true;
  if (needed === 'pool') return has !== 'read';
  return has !== 'pool' && SCOPES.indexOf(has) >= SCOPES.indexOf(needed);
}

export interface AccessToken {
  readonly name: string;
  readonly scope: Scope;
  /** The pools that a token of scope `pool` is for. */
  readonly pools?: readonly string[];
  /** 64 lower-case hex digits. */
  readonly sha256: string;
}

export const TOKENS_MAX = 1000;

const COMPLAINTS_MAX = 10;

interface ParsedTokens {
  readonly tokens: readonly AccessToken[];
  /** These name the invalid entry by number and never quote it: it may hold the token itself. */
  readonly complaints: readonly string[];
}

/** Entries `name:scope:sha256`, separated by commas or white space; the scope of a machine is `pool=lab-a+lab-b`. */
export function parseTokens(text: string): ParsedTokens {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.length === 0) return { tokens: [], complaints: ['is set but has no entries.'] };
  const tokens: AccessToken[] = [];
  const complaints: string[] = [];
  for (const [at, entry] of entries.entries()) {
    const token = parseEntry(entry);
    if (typeof token !== 'string') tokens.push(token);
    else
      complaints.push(
        `must have entries of the form name:scope:sha256; in entry ${at + 1}, ${token}.`,
      );
  }
  const more = complaints.length - COMPLAINTS_MAX;
  if (more > 0) complaints.splice(COMPLAINTS_MAX, more, `has ${more} more such entries.`);
  return { tokens, complaints };
}

/** A token, or the reason why the entry is invalid. */
function parseEntry(entry: string): AccessToken | string {
  const parts = entry.split(':');
  if (parts.length !== 3) return `there are ${parts.length} parts instead of three`;
  const [name = '', word = '', digest = ''] = parts;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    return 'the name is not 1 to 64 letters, digits, dots, underscores or dashes';
  }
  const [kind = '', names] = word.split('=', 2);
  const scope = SCOPES.find((known) => known === kind);
  if (scope === undefined || (names !== undefined && scope !== 'pool')) {
    return `the scope is not one of ${SCOPES.join(', ')}`;
  }
  const pools = names?.split('+') ?? [];
  if (scope === 'pool' && !(pools.length > 0 && pools.every((pool) => POOL.test(pool)))) {
    return 'the scope pool does not name its pools, as in pool=lab-a+lab-b';
  }
  if (!/^[0-9a-fA-F]{64}$/.test(digest)) {
    return "the last part is not the 64 hex digits of the token's SHA-256";
  }
  const sha256 = digest.toLowerCase();
  return scope === 'pool' ? { name, scope, pools, sha256 } : { name, scope, sha256 };
}

/** As the API names pools. */
const POOL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Names and tokens must be unique, or the log could not tell clients apart. */
export function repeatedTokens(tokens: readonly AccessToken[]): string[] {
  const complaints: string[] = [];
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const { name, sha256 } of tokens) {
    const owner = owners.get(sha256);
    if (names.has(name)) complaints.push(`has the name ${name} more than once.`);
    else if (owner !== undefined) complaints.push(`gives ${owner} and ${name} the same token.`);
    names.add(name);
    owners.set(sha256, name);
  }
  return complaints.slice(0, COMPLAINTS_MAX);
}

/**
 * The token in an `Authorization` header; undefined if there is none. LAVA and similar clients send
 * `Token` instead of `Bearer`.
 */
export function presentedToken(authorization: string | undefined): string | undefined {
  return /^(?:bearer|token)[ \t]+(\S+)$/i.exec(authorization ?? '')?.[1];
}

/** Callbacks have it as their job says: also alone, or in a header of its own. */
export function bareToken(authorization: string | undefined, own: unknown): string | undefined {
  if (authorization === undefined && typeof own === 'string') return bareToken(own, undefined);
  return presentedToken(authorization) ?? /^[ \t]*([!-~]+)[ \t]*$/.exec(authorization ?? '')?.[1];
}

/**
 * Finds the entry of a presented token. Every entry is compared, in constant time and without
 * stopping at a match, so that the time taken reveals nothing about the entries.
 */
export function createVerifier(
  tokens: readonly AccessToken[],
  isEqual: (a: Buffer, b: Buffer) => boolean = timingSafeEqual,
): (presented: string) => AccessToken | undefined {
  const entries = tokens.map((token) => ({ token, digest: Buffer.from(token.sha256, 'hex') }));
  return (presented) => {
    const digest = sha256(presented);
    let found: AccessToken | undefined;
    for (const entry of entries) if (isEqual(entry.digest, digest)) found = entry.token;
    return found;
  };
}

/** Node reads the bytes of a header as Latin-1, so that is how they become bytes again. */
export function sha256(presented: string): Buffer {
  return hash('sha256', Buffer.from(presented, 'latin1'), 'buffer');
}

/**
 * A URL for the log and for problems. A token is never accepted in the query, but if a client
 * puts one there it must not end up in the log.
 */
export function withoutTokens(url: string): string {
  return url.replace(/([?&](?:access_token|api_key|apikey|token)=)[^&#]*/gi, '$1***');
}
