/** Checks values against schemas; by itself, since loading the whole service takes a second. */
import { Ajv } from 'ajv';
import type { TSchema } from 'typebox';
import { ALL_SCHEMAS } from '../schemas/index.js';

const ajv = new Ajv({ allErrors: true, discriminator: true, strict: false });
ajv.addFormat('date-time', (text: string) => !Number.isNaN(Date.parse(text)));
ajv.addSchema([...ALL_SCHEMAS]);

/** What is wrong with a value by its schema; empty when nothing is. */
export function faults(schema: TSchema, value: unknown): string[] {
  const { $id } = schema as { $id?: string };
  const validate = ($id === undefined ? undefined : ajv.getSchema($id)) ?? ajv.compile(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}
