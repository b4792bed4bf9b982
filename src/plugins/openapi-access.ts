/** What the OpenAPI document says of access, worked out once for all routes. */
import type { RouteOptions } from 'fastify';
import { PROBLEMS, type ProblemCode } from '../errors.js';
import { isOpenRoute, scopeOf } from './access.js';

export const BEARER = {
  type: 'http',
  scheme: 'bearer',
  description:
    'An access token of the service. A service that was started without tokens asks for none.',
} as const;

/** Open to all, or: a token of this scope, or none where the service has no tokens. */
export function securityOf({ url, method, config }: RouteOptions): Record<string, string[]>[] {
  if (isOpenRoute(url)) return [];
  const [verb = 'GET'] = [method].flat();
  return [{ bearer: [scopeOf(verb, config)] }, {}];
}

const REFUSALS = ['unauthorized', 'forbidden', 'too_many_requests'] as const;

interface Operation {
  security?: readonly object[];
  responses?: Record<string, object>;
}

interface Document {
  paths?: object;
  components?: object;
}

/**
 * Any route that asks for a token refuses in these ways; a route that itself refuses with one of
 * the statuses keeps what it says. The generator would copy references out, so they are added to
 * the finished document.
 */
export function addRefusals(document: Document): void {
  document.components = {
    ...document.components,
    responses: Object.fromEntries(REFUSALS.map((code) => [code, refusal(code)])),
  };
  const items = Object.values(document.paths ?? {}) as Record<string, Operation>[];
  for (const operation of items.flatMap((item) => Object.values(item))) {
    if (operation.security?.length === 0) continue;
    const references = REFUSALS.map((code) => [
      PROBLEMS[code].status,
      { $ref: `#/components/responses/${code}` },
    ]);
    operation.responses = { ...Object.fromEntries(references), ...operation.responses };
  }
}

function refusal(code: ProblemCode): object {
  return {
    description: `${code}: ${PROBLEMS[code].title}`,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}
