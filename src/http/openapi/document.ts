/** Generates the OpenAPI 3.1 document from the schemas that validate and serialise. */
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { dump } from 'js-yaml';
import { ALL_SCHEMAS } from '../../../schemas/index.js';
import { VERSION } from '../../config/version.js';
import { whenNeeded } from '../when-needed.js';
import { accessOf, addRefusals, BEARER } from './access.js';
import { addAnswerHeaders, type RouteTraits, withHeaders } from './headers.js';
import {
  addLayout,
  correctBodies,
  describeDefaults,
  dropUnused,
  type OpenApiDocument,
} from './operations.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The document as YAML. */
    openApiYaml: () => string;
  }
}

const DESCRIPTION = `pebslab steps a simulated machine, MSR write by MSR write, through what Linux perf and KVM do
when they switch PMU state between host and guest, and searches its interleavings for states that break an invariant.

64-bit values leave as \`0x\` and 16 lower-case hex digits; hex strings, decimal strings and JSON integers up to 2^53-1 are accepted.
Every failure is \`application/problem+json\` (RFC 9457); GET of its \`type\` returns an explanation.

If access tokens are configured, every route with a padlock needs one of the scope it names: \`read\`, \`write\` (which includes
read) or \`admin\` (which includes both); \`pool\` is what machines of named pools need, \`any\` what every token allows. \`GET /v1/whoami\` tests a token. Responses to requests with a token carry
\`RateLimit-Policy\` and \`RateLimit\`; a 304 counts as half a request. A service without tokens needs none.`;

const TAGS = [
  { name: 'catalogue', description: 'CPU models, kernels, invariants and scenarios' },
  {
    name: 'calculators',
    description: 'Stateless calculations: switch lists, round trips, comparisons',
  },
  { name: 'hosts', description: 'Simulated hosts' },
  { name: 'perf-events', description: 'perf events of a simulated host' },
  { name: 'vcpus', description: 'vCPUs of a simulated host and their transitions' },
  {
    name: 'actors',
    description: 'Other actions on a host: NMIs, ticks, PMU disable and enable, scripts',
  },
  { name: 'explorations', description: 'Searches of the state space' },
  { name: 'campaigns', description: 'Random walks beyond what a search can exhaust' },
  { name: 'observations', description: 'What tools print on real machines, and what it shows' },
  { name: 'pools', description: 'Real machines, and what they are lent for' },
  { name: 'events', description: 'Live events' },
  { name: 'operations', description: 'Health, metrics, documents of the service itself' },
] as const;

export async function useDocument(app: FastifyInstance): Promise<void> {
  const traits = new Map<string, RouteTraits>();
  const traitsOf = (operationId: string): RouteTraits =>
    traits.get(operationId) ?? { idempotent: false, optionalBody: false };
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'pebslab',
        version: VERSION,
        description: DESCRIPTION,
        contact: { name: 'The developers of pebslab' },
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'the server that sent this document' }],
      // Each operation sets its own; this is the default.
      security: [{ bearer: [] }, {}],
      tags: [...TAGS],
      components: { securitySchemes: { bearer: BEARER } },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `d${i}`),
    },
    transform: ({ schema, url, route }) => {
      const { idempotent = false, optionalBody = false, takes } = route.config ?? {};
      traits.set(schema?.operationId ?? '', { idempotent, optionalBody });
      const body = takes === undefined ? {} : { body: { content: takes } };
      const described = withHeaders(nameWildcard(referToNamed({ ...schema, ...body })), route);
      return {
        schema: { ...described, ...accessOf(route) },
        url: url.replace(/\*$/, ':path'),
      };
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      const finished = document.openapiObject as OpenApiDocument;
      correctBodies(finished, (operationId) => traitsOf(operationId).optionalBody);
      addLayout(finished);
      addRefusals(finished);
      addAnswerHeaders(finished, traitsOf);
      const schemas = finished.components?.schemas ?? {};
      // Path and query parameters are listed one by one, so their schemas need no component.
      dropUnused(schemas, finished.paths);
      addDiscriminatorMappings(schemas);
      restoreExamples(schemas);
      for (const [name, schema] of Object.entries(schemas))
        schemas[name] = describeDefaults(schema);
      // A copy in which nothing is the same object twice: YAML would name it once and refer to it, more often than some readers take.
      return JSON.parse(JSON.stringify(finished)) as typeof document.openapiObject;
    },
  });
  // Made at start-up, and the document with it: both take too long to make the first request wait for them.
  const made = whenNeeded(app)(() => dump(app.swagger(), { noRefs: true, lineWidth: 100 }));
  app.decorate('openApiYaml', made);
}

/** A wildcard parameter is called `*` in routes, which the document cannot express; there it is `path`. */
function nameWildcard(schema: FastifySchema): FastifySchema {
  const { params } = schema as {
    params?: { properties?: Record<string, unknown>; required?: string[] };
  };
  const rest = params?.properties?.['*'];
  if (params === undefined || rest === undefined) return schema;
  const { '*': _, ...others } = params.properties ?? {};
  const required = (params.required ?? []).map((name) => (name === '*' ? 'path' : name));
  return { ...schema, params: { ...params, properties: { ...others, path: rest }, required } };
}

/** A route has `body: HostCreateSchema`; the document refers to the component instead. */
function referToNamed(schema: FastifySchema | undefined): FastifySchema {
  if (schema === undefined) return {};
  const { body, response, ...rest } = schema as FastifySchema & { response?: object };
  const shaped: FastifySchema = { ...rest };
  if (body !== undefined) shaped.body = pointAt(body);
  if (response !== undefined) {
    shaped.response = Object.fromEntries(
      Object.entries(response).map(([status, answer]) => [status, describeAnswer(answer)]),
    );
  }
  return shaped;
}

function describeAnswer(answer: unknown): unknown {
  if (!isRecord(answer) || typeof answer.$id !== 'string') return answer;
  return {
    description: answer.description,
    content: { 'application/json': { schema: pointAt(answer) } },
  };
}

function pointAt(schema: unknown): unknown {
  return isRecord(schema) && typeof schema.$id === 'string' ? { $ref: `${schema.$id}#` } : schema;
}

/** The generator mistakes a field called `properties` in an example for a schema keyword, and rewrites it. */
function restoreExamples(schemas: Record<string, unknown>): void {
  for (const { $id, examples } of ALL_SCHEMAS as readonly { $id: string; examples?: unknown }[]) {
    const schema = schemas[$id];
    if (isRecord(schema) && examples !== undefined) schema.examples = examples;
  }
}

/**
 * Ajv rejects `discriminator.mapping`, but without one the document would claim that the values are
 * the names of the components; so it is derived here from the constants of the branches.
 */
function addDiscriminatorMappings(schemas: Record<string, unknown>): void {
  for (const schema of Object.values(schemas)) {
    if (!isRecord(schema) || !isRecord(schema.discriminator)) continue;
    const tag = String(schema.discriminator.propertyName);
    const mapping: Record<string, string> = {};
    for (const branch of Array.isArray(schema.oneOf) ? schema.oneOf : []) {
      const reference = String(branch.$ref);
      const target = schemas[reference.slice('#/components/schemas/'.length)];
      const properties = isRecord(target) && isRecord(target.properties) ? target.properties : {};
      const value = properties[tag];
      const [only] = isRecord(value) && Array.isArray(value.enum) ? value.enum : [];
      const constant = isRecord(value) ? (value.const ?? only) : undefined;
      if (typeof constant === 'string') mapping[constant] = reference;
    }
    schema.discriminator.mapping = mapping;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
