/**
 * The OpenAPI 3.1 document in the words of 3.0, for generators that read nothing newer. It converts what our schemas use; a test
 * validates the outcome, and so finds out when they use more.
 */
import { dropUnused } from './operations.js';

type Json = Record<string, unknown>;

interface Converted extends Json {
  readonly info: Json;
  readonly paths: unknown;
  readonly components: { readonly schemas: Json };
}

export function asOpenApi30(document: object): Json {
  const { schemas } = (document as { components: { schemas: Json } }).components;
  const converted = converterFor(schemas)(document) as Converted;
  dropUnused(converted.components.schemas, converted.paths);
  const license = { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' };
  return { ...converted, openapi: '3.0.3', info: { ...converted.info, license } };
}

/** Members whose names are not those of the specification, but of paths, fields or media types. */
const MAPS = new Set(['paths', 'properties', 'schemas', 'responses', 'headers', 'content']);
/** Members that are data, and may look like anything. */
const DATA = new Set(['example', 'examples', 'enum']);

function converterFor(schemas: Json): (value: unknown) => unknown {
  const convert = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(convert);
    if (!isObject(value)) return value;
    const members = Object.entries(value).map(([name, member]) => {
      if (DATA.has(name)) return [name, member];
      const isMap = MAPS.has(name) && isObject(member);
      return [name, isMap ? mapValues(member, convert) : convert(member)];
    });
    return withoutNull(oneExample(Object.fromEntries(members)));
  };

  /** 3.0 has no type `null`: what may be null says so beside its type, which a reference cannot. */
  const withoutNull = ({ type, anyOf, ...rest }: Json): Json => {
    if (Array.isArray(type)) {
      return withoutNull({ anyOf: type.map((one) => ({ type: one })), ...rest });
    }
    if (!Array.isArray(anyOf)) {
      return besideReference(type === undefined ? rest : { type, ...rest });
    }
    const [first, ...others] = anyOf.filter((branch) => branch.type !== 'null');
    if (others.length + 1 === anyOf.length) return { anyOf, ...rest };
    const told = nullable(convert(resolved(first)) as Json);
    return others.length > 0 ? { anyOf: [told, ...others], ...rest } : { ...told, ...rest };
  };

  const resolved = (schema: Json): unknown =>
    schema.$ref === undefined
      ? schema
      : schemas[String(schema.$ref).slice('#/components/schemas/'.length)];

  return convert;
}

function nullable(schema: Json): Json {
  const values = Array.isArray(schema.enum) ? { enum: [...schema.enum, null] } : {};
  return { ...schema, ...values, nullable: true };
}

/** In 3.0 nothing may stand beside a reference. */
function besideReference({ $ref, ...rest }: Json): Json {
  if ($ref === undefined) return rest;
  return Object.keys(rest).length === 0 ? { $ref } : { allOf: [{ $ref }], ...rest };
}

function oneExample({ examples, ...rest }: Json): Json {
  return Array.isArray(examples) ? { ...rest, example: examples[0] } : { ...rest };
}

function mapValues(map: Json, convert: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, convert(value)]));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
