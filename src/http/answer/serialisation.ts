/**
 * Passes every named schema to the serialiser by reference only. Given one as a root, fast-json-stringify removes it from the
 * schemas it knows, and the next route that refers to it cannot be built.
 */
import { type RouteDefinition, SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifyInstance } from 'fastify';
import type { NamedSchema } from '../../../schemas/common.js';
import { ALL_SCHEMAS } from '../../../schemas/index.js';
import { whenNeeded } from '../when-needed.js';

interface Content {
  schema: object;
}

type Serialiser = (value: unknown) => string;

/** Compiled serialisers depend only on the schemas, so all routes and all apps of a process share them. */
const compiled = new Map<string, Serialiser>();
const compile = SerializerSelector()(
  Object.fromEntries(ALL_SCHEMAS.map((schema) => [schema.$id, schema])),
  // As for requests: an alternative that only requires a field need not repeat that it is an object.
  { ajv: { strictTypes: false } },
);

export function useSerialisation(app: FastifyInstance): void {
  const keep = whenNeeded(app);
  // Each compilation goes through all schemas, and most responses of most routes are problems.
  app.setSerializerCompiler((route) => {
    const key = JSON.stringify(route.schema);
    const serialiser = keep(() => {
      const made = compiled.get(key) ?? (compile(route as RouteDefinition) as Serialiser);
      compiled.set(key, made);
      return made;
    });
    return (value) => serialiser()(value);
  });
  app.addHook('onRoute', ({ schema }) => {
    const responses = schema?.response as Record<string, object> | undefined;
    for (const [status, response] of Object.entries(responses ?? {})) {
      if ('content' in response) {
        for (const content of Object.values(response.content as Record<string, Content>)) {
          content.schema = referred(content.schema);
        }
      } else if (responses !== undefined) {
        responses[status] = referred(response);
      }
    }
  });
}

function referred(schema: object): object {
  return isNamed(schema) ? { $ref: `${schema.$id}#` } : schema;
}

function isNamed(schema: object): schema is NamedSchema {
  return '$id' in schema;
}
