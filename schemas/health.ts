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
