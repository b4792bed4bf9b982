/**
 * Lets the serialiser meet every named schema by reference only. Given one as a root, fast-json-stringify takes it out of
 * the schemas it knows, and the next route that refers to it cannot be built.
 */
import type { FastifyInstance } from 'fastify';
import type { NamedSchema } from '../../schemas/common.js';

interface Content {
  schema: object;
}

export function useSerialisation(app: FastifyInstance): void {
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
