/** The finished OpenAPI document, as far as it is looked at, and what its generator cannot say. */
export interface OpenApiDocument {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, unknown>; headers?: object; responses?: object };
}

export interface Operation {
  operationId?: string;
  security?: readonly object[];
  parameters?: readonly { readonly name?: string }[];
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

/** A body is required only where the service takes none without, and a 204 has none. */
export function correctBodies(
  document: OpenApiDocument,
  isBodyOptional: (operationId: string) => boolean,
): void {
  for (const { operationId = '', requestBody, responses } of operationsOf(document)) {
    if (requestBody !== undefined && isBodyOptional(operationId)) requestBody.required = false;
    delete responses?.['204']?.content;
  }
}

/**
 * Generators of clients take a field with a default for one that is always there, which is true of
 * answers and not of requests. So the default of a field is said in words.
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
    rest.description = `${rest.description ?? 'a value'}; ${JSON.stringify(value)} when left out`;
  }
  return rest;
}
