/** The types used of the finished OpenAPI document, and corrections that its generator cannot express. */
export interface OpenApiDocument {
  paths?: Record<string, Record<string, Operation>>;
  components?: {
    schemas?: Record<string, unknown>;
    headers?: object;
    responses?: object;
    parameters?: object;
  };
}

export interface Operation {
  operationId?: string;
  security?: readonly object[];
  parameters?: readonly { readonly name?: string; readonly $ref?: string }[];
  requestBody?: { required?: boolean };
  responses?: Record<string, Answer>;
}

interface Answer {
  content?: object;
  headers?: object;
}

export function operationsOf({ paths }: OpenApiDocument): Operation[] {
  return Object.values(paths ?? {}).flatMap((operations) => Object.values(operations));
}

/** Marks a body as required only if the route needs one; a 204 or 303 has no content. */
export function correctBodies(
  document: OpenApiDocument,
  isBodyOptional: (operationId: string) => boolean,
): void {
  for (const { operationId = '', requestBody, responses } of operationsOf(document)) {
    if (requestBody !== undefined && isBodyOptional(operationId)) requestBody.required = false;
    for (const status of ['204', '303']) delete responses?.[status]?.content;
  }
}

const LAYOUT = {
  name: 'pretty',
  in: 'query',
  description:
    'whether JSON is indented, as it is by default for curl, HTTPie and Wget with `Accept: */*`; answers over 1 MiB never are',
  allowEmptyValue: true,
  schema: { type: 'boolean' },
  example: true,
};

/** Every operation that answers JSON takes the parameter, so no schema has it (src/http/answer/layout.ts). */
export function addLayout(document: OpenApiDocument): void {
  document.components = { ...document.components, parameters: { [LAYOUT.name]: LAYOUT } };
  const reference = { $ref: `#/components/parameters/${LAYOUT.name}` };
  for (const operation of operationsOf(document)) {
    const contents = Object.values(operation.responses ?? {}).map(({ content = {} }) => content);
    if (!contents.some((content) => 'application/json' in content)) continue;
    operation.parameters = [...(operation.parameters ?? []), reference];
  }
}

/**
 * Client generators treat a field with a default as always present, which is true of responses but
 * not of requests. So defaults are stated in the description.
 */
export function describeDefaults(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(describeDefaults);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { default: value, ...rest } = schema as Record<string, unknown>;
  for (const keyword of ['items', 'oneOf', 'anyOf', 'allOf']) {
    if (rest[keyword] !== undefined) rest[keyword] = describeDefaults(rest[keyword]);
  }
  if (typeof rest.properties === 'object' && rest.properties !== null) {
    rest.properties = Object.fromEntries(
      Object.entries(rest.properties).map(([name, field]) => [name, describeDefaults(field)]),
    );
  }
  if (value !== undefined) {
    rest.description = `${rest.description ?? 'a value'}; ${JSON.stringify(value)} by default`;
  }
  return rest;
}

/** Removes the schemas that nothing refers to. */
export function dropUnused(schemas: Record<string, unknown>, paths: unknown): void {
  const used = new Set<string>();
  const pending: unknown[] = [paths];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    for (const [, name] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (name === undefined || used.has(name)) continue;
      used.add(name);
      pending.push(schemas[name]);
    }
  }
  for (const name of Object.keys(schemas)) if (!used.has(name)) delete schemas[name];
}
