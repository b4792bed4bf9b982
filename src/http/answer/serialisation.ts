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
// As for requests: an alternative that only requires a field need not repeat that it is an object.
const OPTIONS = { ajv: { strictTypes: false } };

/** Goes through all the schemas that it is given, so it is given those that are needed. */
function compile(route: RouteDefinition): Serialiser {
  const known = Object.fromEntries(needed(route.schema as object).map((id) => [id, BY_ID.get(id)]));
  return SerializerSelector()(known, OPTIONS)(route) as Serialiser;
}

const BY_ID = new Map(ALL_SCHEMAS.map((schema) => [schema.$id, schema]));

/** The names of all schemas that one refers to, and those refer to in turn. */
function needed(schema: object, found = new Set<string>()): string[] {
  for (const [, id = ''] of JSON.stringify(schema).matchAll(/"\$ref":"([^"#]+)#?"/g)) {
    const named = BY_ID.get(id);
    if (named === undefined || found.has(id)) continue;
    found.add(id);
    needed(named, found);
  }
  return [...found];
}

export function useSerialisation(app: FastifyInstance): void {
  const keep = whenNeeded(app);
  // Most responses of most routes are problems.
  app.setSerializerCompiler((route) => {
    const key = JSON.stringify(route.schema);
    const serialiser = keep(() => {
      const made = compiled.get(key) ?? compile(route as RouteDefinition);
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
