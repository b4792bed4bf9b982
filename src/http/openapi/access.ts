/** Access in the OpenAPI document, derived once for all routes. */
import type { RouteOptions } from 'fastify';
import { PROBLEMS } from '../../../schemas/problem-codes.js';
import { isOpenRoute, scopeOf } from '../admit/authorisation.js';
import { headerReferences } from './headers.js';
import { type OpenApiDocument, operationsOf } from './operations.js';

export const BEARER = {
  type: 'http',
  scheme: 'bearer',
  description: 'An access token. A service without configured tokens needs none.',
} as const;

interface Access {
  readonly security: Record<string, string[]>[];
  /** Tools accept scopes in `security` only for OAuth, so the scope is a sentence of the description. */
  readonly description: string;
}

/** Open to all; or a token of a scope, or none if the service has no tokens. */
export function accessOf({ url, method, config, schema }: RouteOptions): Access {
  const description = schema?.description ?? '';
  if (isOpenRoute(url)) return { security: [], description };
  const [verb = 'GET'] = [method].flat();
  return {
    security: [{ bearer: [] }, {}],
    description: `${description} Scope: \`${scopeOf(verb, config)}\`.`,
  };
}

const REFUSALS = ['unauthorized', 'forbidden', 'too_many_requests'] as const;

/**
 * The problems of every route that needs a token; a route that documents one of these statuses itself
 * keeps its own entry. They are added to the finished document, because the generator would inline
 * references.
 */
export function addRefusals(document: OpenApiDocument): void {
  document.components = {
    ...document.components,
    responses: Object.fromEntries(REFUSALS.map((code) => [code, refusal(code)])),
  };
  for (const operation of operationsOf(document)) {
    if (operation.security?.length === 0) continue;
    const references = REFUSALS.map((code) => [
      PROBLEMS[code].status,
      { $ref: `#/components/responses/${code}` },
    ]);
    operation.responses = { ...Object.fromEntries(references), ...operation.responses };
  }
}

const HEADERS = {
  unauthorized: ['X-Request-Id', 'WWW-Authenticate'],
  forbidden: ['X-Request-Id', 'RateLimit-Policy', 'RateLimit'],
  too_many_requests: ['X-Request-Id', 'RateLimit-Policy', 'RateLimit', 'Retry-After'],
} as const;

function refusal(code: (typeof REFUSALS)[number]): object {
  return {
    headers: headerReferences(HEADERS[code]),
    description: `${code}: ${PROBLEMS[code].title}`,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}
