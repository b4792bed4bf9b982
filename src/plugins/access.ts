/**
 * Who may do what. With tokens configured, every route but the open ones needs
 * `Authorization: Bearer <token>`, unknown routes too: they should not tell strangers what exists.
 * Without tokens everything is allowed, and src/config.ts sees to it that only this machine, or
 * whoever the operator let in on purpose, can reach the service.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { covers, createVerifier, presentedToken, type Scope, sha256 } from '../access-tokens.js';
import { ProblemError, tryLater } from '../errors.js';
import { GuessLimit } from '../guess-limit.js';
import { useQuota } from './quota.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a route asks for where its method does not say it: `read` of a POST that changes nothing. */
    scope?: Scope;
  }
  interface FastifyRequest {
    /** Who asks; null on the open routes, where nobody is asked. */
    principal: Principal | null;
  }
}

export interface Principal {
  /** The name of the token; null where the service has no tokens. */
  readonly name: string | null;
  readonly scope: Scope;
}

const ANYBODY: Principal = { name: null, scope: 'admin' };

/** The routes that need no token, as patterns: health, and what a client reads to learn how to ask. */
const OPEN_ROUTES = new Set([
  '/livez',
  '/readyz',
  '/openapi.json',
  '/problems',
  '/problems/:code',
  '/docs',
]);

export function isOpenRoute(pattern: string | undefined): boolean {
  if (pattern === undefined) return false;
  return OPEN_ROUTES.has(pattern) || pattern.startsWith('/docs/');
}

/** The scope a route needs: what it says itself, or what its method means. */
export function scopeOf(method: string, config: { readonly scope?: Scope } | undefined): Scope {
  return config?.scope ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
}

/** Registered before anything that reads more of a request than its header. */
export function useAccess(app: FastifyInstance): void {
  if (app.config.tokens.length === 0) {
    app.decorateRequest('principal', { getter: () => ANYBODY });
    return;
  }
  app.decorateRequest('principal', null);
  const authenticate = createAuthentication(app);
  app.addHook('onRequest', async (request) => {
    if (request.is404 || !isOpenRoute(request.routeOptions.url)) {
      request.principal = authenticate(request);
    }
  });
  // Before the scope is looked at, so that what is refused below is counted, too.
  useQuota(app);
  app.addHook('onRequest', async (request) => authorise(request));
}

function createAuthentication(app: FastifyInstance): (request: FastifyRequest) => Principal {
  const find = createVerifier(app.config.tokens);
  const guesses = new GuessLimit();
  return ({ headers, ip }) => {
    const presented = presentedToken(headers.authorization);
    if (presented === undefined) throw tokenMissing();
    const token = find(presented);
    if (token !== undefined) return { name: token.name, scope: token.scope };
    const wait = guesses.secondsToWait(ip);
    if (wait > 0) throw tooManyGuesses(wait);
    guesses.addWrong(ip, sha256(presented).toString('hex'));
    throw tokenUnknown();
  };
}

/** On an unknown route there is nothing to protect, and 404 is the more helpful answer. */
function authorise(request: FastifyRequest): void {
  const { principal } = request;
  if (principal === null || request.is404) return;
  const needed = scopeOf(request.method, request.routeOptions.config);
  if (covers(principal.scope, needed)) return;
  throw new ProblemError(
    'forbidden',
    `This needs a token of scope ${needed}; ${principal.name} has the scope ${principal.scope}.`,
  );
}

const CHALLENGE = 'Bearer realm="pebslab"';

function tokenMissing(): ProblemError {
  const detail =
    'This needs a token in the header, as `Authorization: Bearer <token>`; it is read nowhere else.';
  return new ProblemError('unauthorized', detail, [], {}, { 'www-authenticate': CHALLENGE });
}

function tokenUnknown(): ProblemError {
  const challenge = `${CHALLENGE}, error="invalid_token"`;
  const detail = 'The token that was sent is not one of this service.';
  return new ProblemError('unauthorized', detail, [], {}, { 'www-authenticate': challenge });
}

function tooManyGuesses(seconds: number): ProblemError {
  const detail = `Too many wrong tokens came from this address; try again in ${seconds} s.`;
  return tryLater('too_many_requests', detail, seconds);
}
