/** Health and metrics of the service itself. */
import { Type } from 'typebox';
import { oneOf, prose, ref } from './common.js';

export const LivenessSchema = Type.Object(
  { status: oneOf(['ok'], { description: 'the process answers' }) },
  {
    $id: 'Liveness',
    additionalProperties: false,
    description: 'liveness of the process',
    examples: [{ status: 'ok' }],
  },
);

export const HealthCheckSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, description: 'what was checked' }),
    ok: Type.Boolean({ description: 'whether the check passed' }),
    detail: Type.Optional(prose('why it failed')),
  },
  {
    $id: 'HealthCheck',
    additionalProperties: false,
    description: 'the state of one part of the service',
    examples: [{ name: 'accepting', ok: true }],
  },
);

export const ReadinessSchema = Type.Object(
  {
    status: oneOf(['ok', 'unavailable'], { description: 'ok if all checks pass' }),
    checks: Type.Array(ref(HealthCheckSchema), { maxItems: 50, description: 'all checks' }),
  },
  {
    $id: 'Readiness',
    additionalProperties: false,
    description: 'whether this instance can serve',
    examples: [{ status: 'ok', checks: [{ name: 'accepting', ok: true }] }],
  },
);

export const ExpositionSchema = Type.String({
  $id: 'Exposition',
  maxLength: 10_000_000,
  description: 'metrics in the Prometheus text format',
  examples: ['# HELP up Whether the service is up\n'],
});

export const OpenApiDocumentSchema = Type.Object(
  {},
  {
    $id: 'OpenApiDocument',
    additionalProperties: true,
    description: 'this document',
    examples: [{ openapi: '3.1.0' }],
  },
);

export const OpenApiTextSchema = Type.String({
  $id: 'OpenApiText',
  maxLength: 10_000_000,
  description: 'this document as YAML',
  examples: ['openapi: 3.1.0\n'],
});

const path = Type.String({ minLength: 1, maxLength: 100, description: 'a path of this service' });

export const ServiceIndexSchema = Type.Object(
  {
    name: Type.String({ maxLength: 100, description: 'the name of the service' }),
    version: Type.String({ maxLength: 100, description: 'its version' }),
    docs: path,
    openapi: path,
    resources: Type.Array(path, { maxItems: 50, description: 'the lists' }),
  },
  {
    $id: 'ServiceIndex',
    additionalProperties: false,
    description: 'where to begin',
    examples: [
      {
        name: 'pebslab',
        version: '0.1.0',
        docs: '/docs',
        openapi: '/openapi.json',
        resources: ['/v1/hosts'],
      },
    ],
  },
);
