/**
 * Identifies the client. If tokens are configured, every route but the open ones needs `Authorization: Bearer <token>`, and so
 * do unknown paths, which would otherwise reveal what exists. Without tokens everything is allowed, and src/config makes sure
 * that only this machine, or other machines on explicit request, can reach the service.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  bareToken,
  createVerifier,
  presentedToken,
  type Scope,
  sha256,
} from '../../config/access-tokens.js';
import { ProblemError, tryLater } from '../../service/problem-error.js';
import { isOpenRoute } from './authorisation.js';
import { GuessLimit } from './guess-limit.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The token may also stand alone in `Authorization`, or in `X-Auth-Token`. */
    bareToken?: boolean;
  }
  interface FastifyRequest {
    /** The client; null on the open routes. */
    principal: Principal | null;
  }
}

interface Principal {
  /** The name of the token; null if the service has no tokens. */
  readonly name: string | null;
  readonly scope: Scope;
  /** The pools that it is limited to. */
  readonly pools?: readonly string[];
}

const ANYBODY: Principal = { name: null, scope: 'admin' };

export function useAuthentication(app: FastifyInstance): void {
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
}

function createAuthentication(app: FastifyInstance): (request: FastifyRequest) => Principal {
  const find = createVerifier(app.config.tokens);
  const guesses = new GuessLimit();
  return ({ headers, ip, routeOptions }) => {
    const presented =
      routeOptions.config.bareToken === true
        ? bareToken(headers.authorization, headers['x-auth-token'])
        : presentedToken(headers.authorization);
    if (presented === undefined) throw tokenMissing();
    const token = find(presented);
    if (token !== undefined) {
      const { name, scope, pools } = token;
      return pools === undefined ? { name, scope } : { name, scope, pools };
    }
    const wait = guesses.secondsToWait(ip);
    if (wait > 0) throw tooManyGuesses(wait);
    guesses.addWrong(ip, sha256(presented).toString('hex'));
    throw tokenUnknown();
  };
}

const CHALLENGE = 'Bearer realm="pebslab"';

function tokenMissing(): ProblemError {
  const detail =
    'This needs an access token, sent as `Authorization: Bearer <token>`; it is read from nowhere else.';
  return new ProblemError('unauthorized', detail, [], {}, { 'www-authenticate': CHALLENGE });
}

function tokenUnknown(): ProblemError {
  const challenge = `${CHALLENGE}, error="invalid_token"`;
  const detail = 'The token is not valid for this service.';
  return new ProblemError('unauthorized', detail, [], {}, { 'www-authenticate': challenge });
}

function tooManyGuesses(seconds: number): ProblemError {
  const detail = `Too many wrong tokens from this address; try again in ${seconds} s.`;
  return tryLater('too_many_requests', detail, seconds);
}
