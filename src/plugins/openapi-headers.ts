/** What the OpenAPI document says of request headers, read off what routes do with them. */
import type { FastifySchema, RouteOptions } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route waits for the end of long work where the client prefers that. */
    waits?: boolean;
  }
}

const IDEMPOTENCY_KEY = {
  type: 'string',
  maxLength: 257,
  description:
    'A key drawn by the client, 1 to 255 visible characters, quoted or not: the same request repeated with its key within 24 hours is answered as it was the first time, long work with the 202 that accepted it.',
};
const IF_MATCH = {
  type: 'string',
  maxLength: 2000,
  description: "The host's ETag: the request is refused with 412 where the host has another one.",
};
const PREFER = {
  type: 'string',
  maxLength: 200,
  description: '`wait=N` waits up to N seconds, 60 at most, for the end of the work.',
};

/** The route's schema with the headers it heeds. */
export function withHeaders(schema: FastifySchema, { config }: RouteOptions): FastifySchema {
  const response = (schema.response ?? {}) as Record<number, unknown>;
  const properties = {
    ...(config?.idempotent === true ? { 'idempotency-key': IDEMPOTENCY_KEY } : {}),
    ...(412 in response ? { 'if-match': IF_MATCH } : {}),
    ...(config?.waits === true ? { prefer: PREFER } : {}),
  };
  if (Object.keys(properties).length === 0) return schema;
  return { ...schema, headers: { type: 'object', properties } };
}
