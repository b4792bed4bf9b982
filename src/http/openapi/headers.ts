/** Headers in the OpenAPI document, derived from the configuration of the routes. */

import type { FastifySchema, RouteOptions } from 'fastify';
import { EXPORT_TYPES, GRAPH_TYPES } from '../../service/exports.js';
import { REPORT_TYPES } from '../../service/reports/formats.js';
import type { OpenApiDocument, Operation } from './operations.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route waits for long work to end if the client prefers that. */
    waits?: boolean;
    /** The route takes `If-None-Match: *`, which asks for a new resource. */
    onlyNew?: boolean;
  }
}

const IDEMPOTENCY_KEY = {
  type: 'string',
  maxLength: 257,
  description:
    'A random key chosen by the client, 1 to 255 visible characters, quoted or not: the same request repeated with its key within 24 hours gets the first answer again; for long work, that is the 202 that accepted it.',
};
const IF_MATCH = {
  type: 'string',
  maxLength: 2000,
  description: "The host's ETag: if the host has a different one, the request fails with 412.",
};
const PREFER = {
  type: 'string',
  maxLength: 200,
  description: '`wait=N` waits up to N seconds, at most 60, for the work to end.',
};

const ONLY_NEW = {
  type: 'string',
  maxLength: 2000,
  description: '`*` asks for a new resource: where there is one, the request fails with 412.',
};

/** The route's schema with the request headers it uses. */
export function withHeaders(schema: FastifySchema, { config }: RouteOptions): FastifySchema {
  const response = (schema.response ?? {}) as Record<number, unknown>;
  const properties = {
    ...(config?.idempotent === true ? { 'idempotency-key': IDEMPOTENCY_KEY } : {}),
    ...(412 in response && config?.onlyNew !== true ? { 'if-match': IF_MATCH } : {}),
    ...(config?.waits === true ? { prefer: PREFER } : {}),
    ...(config?.onlyNew === true ? { 'if-none-match': ONLY_NEW } : {}),
  };
  if (Object.keys(properties).length === 0) return schema;
  return { ...schema, headers: { type: 'object', properties } };
}

interface AnswerHeader {
  readonly description: string;
  readonly example: string;
  /** Whether an operation sends the header with a status; `always` is false if only some of these answers have it. */
  readonly always: boolean;
  isSentBy(operation: Described, status: number): boolean;
}

interface Described {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  readonly traits: RouteTraits;
}

/** What the document needs to know of a route besides its schema. */
export interface RouteTraits {
  readonly idempotent: boolean;
  readonly optionalBody: boolean;
}

const isDone = (status: number): boolean => status < 300;

const ANSWER_HEADERS: Readonly<Record<string, AnswerHeader>> = {
  'X-Request-Id': {
    description: 'identifies the request in the log',
    example: 'req_8f14e45fce000001',
    always: true,
    isSentBy: () => true,
  },
  ETag: {
    description: 'the version of the resource, for `If-None-Match`; for a host also for `If-Match`',
    example: '"12"',
    // An event stream has none.
    always: false,
    isSentBy: ({ path, method, operation }, status) => {
      if (!isDone(status) || !path.startsWith('/v1/')) return false;
      if (method === 'get') return true;
      return path.startsWith('/v1/hosts') && operation.operationId !== 'deleteHost';
    },
  },
  Location: {
    description: 'the address of the new resource',
    example: '/v1/hosts/host_1a',
    always: true,
    isSentBy: ({ operation }, status) =>
      status === 201 || status === 303 || (isDone(status) && '202' in (operation.responses ?? {})),
  },
  Link: {
    description: 'the address of the next page, if there is one',
    example: '</v1/hosts?cursor=NTA>; rel="next"',
    always: false,
    isSentBy: ({ method, operation }, status) =>
      method === 'get' &&
      isDone(status) &&
      (operation.parameters ?? []).some(({ name }) => name === 'limit'),
  },
  'Content-Disposition': {
    description: 'the name of the file, in formats that are files',
    example: 'attachment; filename="I1-0_linux-7.2.6_k3-late.vcd"',
    always: false,
    isSentBy: ({ operation }, status) =>
      isDone(status) &&
      [EXPORT_TYPES.vcd, GRAPH_TYPES.aut, REPORT_TYPES.kcidb].some(
        (type) => type in (operation.responses?.[200]?.content ?? {}),
      ),
  },
  'Idempotent-Replayed': {
    description: '`true` if this is the stored answer of an earlier request with the same key',
    example: 'true',
    always: false,
    isSentBy: ({ traits }) => traits.idempotent,
  },
  'Retry-After': {
    description: 'how many seconds to wait before trying again',
    example: '1',
    always: false,
    isSentBy: ({ operation }, status) =>
      status === 409 ||
      status === 429 ||
      status === 503 ||
      // Nothing came in the time that the client would wait.
      (status === 204 && (operation.parameters ?? []).some(({ name }) => name === 'prefer')),
  },
  'RateLimit-Policy': {
    description:
      'the number of requests per token and window (draft-ietf-httpapi-ratelimit-headers)',
    example: '"default";q=6000;w=60',
    always: false,
    isSentBy: ({ operation }, status) => isCounted(operation) && status !== 401,
  },
  RateLimit: {
    description: 'the requests left, and the seconds until the window ends; only with a token',
    example: '"default";r=5999;t=60',
    always: false,
    isSentBy: ({ operation }, status) => isCounted(operation) && status !== 401,
  },
  'WWW-Authenticate': {
    description: 'how to send a token (RFC 6750)',
    example: 'Bearer realm="pebslab"',
    always: true,
    isSentBy: (_, status) => status === 401,
  },
};

function isCounted({ security }: Operation): boolean {
  return (security?.length ?? 0) > 0;
}

/** Adds the response headers to the finished document. */
export function addAnswerHeaders(
  document: OpenApiDocument,
  traitsOf: (operationId: string) => RouteTraits,
): void {
  const components = { ...document.components };
  components.headers = Object.fromEntries(
    Object.entries(ANSWER_HEADERS).map(([name, { description, example, always }]) => [
      name,
      { description, required: always, schema: { type: 'string', maxLength: 2000 }, example },
    ]),
  );
  document.components = components;
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(operations)) {
      const traits = traitsOf(operation.operationId ?? '');
      const described = { path, method, operation, traits };
      for (const [status, answer] of Object.entries(operation.responses ?? {})) {
        // Shared responses have their headers in their own definition.
        if ('$ref' in answer) continue;
        answer.headers = headersOf(described, Number(status));
      }
    }
  }
}

function headersOf(described: Described, status: number): Record<string, object> {
  const names = Object.entries(ANSWER_HEADERS).flatMap(([name, { isSentBy }]) =>
    isSentBy(described, status) ? [name] : [],
  );
  return headerReferences(names);
}

export function headerReferences(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
