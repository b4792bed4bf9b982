/** What the client may do: each route needs a scope, except the open ones, which need no token. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { covers, type NeededScope } from '../../config/access-tokens.js';
import { ProblemError } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope, if it does not follow from the method: `read` for a POST that changes nothing. */
    scope?: NeededScope;
  }
}

/** The routes that need no token, as patterns: health, documentation, and the files of the page. */
const OPEN_ROUTES = new Set([
  '/',
  '/livez',
  '/readyz',
  '/openapi.json',
  '/openapi-3.0.json',
  '/openapi.yaml',
  '/problems',
  '/problems/:code',
  '/docs',
  '/ui',
]);

export function isOpenRoute(pattern: string | undefined): boolean {
  if (pattern === undefined) return false;
  return OPEN_ROUTES.has(pattern) || /^\/(docs|ui)\//.test(pattern);
}

/** The scope a route needs: its own setting, or the default of its method. */
export function scopeOf(
  method: string,
  config: { readonly scope?: NeededScope } | undefined,
): NeededScope {
  return config?.scope ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
}

export function useAuthorisation(app: FastifyInstance): void {
  if (app.config.tokens.length === 0) return;
  app.addHook('onRequest', async (request) => authorise(request));
}

/** On an unknown route there is nothing to protect, and 404 is more helpful. */
function authorise(request: FastifyRequest): void {
  const { principal } = request;
  if (principal === null || request.is404) return;
  const needed = scopeOf(request.method, request.routeOptions.config);
  if (covers(principal.scope, needed)) return;
  throw new ProblemError(
    'forbidden',
    `This needs scope ${needed}; the token ${principal.name} has scope ${principal.scope}.`,
  );
}
