/**
 * Turns Ajv's errors into a few actionable sentences: unknown fields first, with the likely
 * spelling; one line per field; never errors from branches of a union that the client did not choose.
 */
import type { ErrorObject } from 'ajv';
import type { ProblemItem } from '../../service/problem-error.js';
import { nearest } from '../../service/spelling.js';

const ITEMS_MAX = 20;
const CHOICES_MAX = 40;
/** Guessing the intended field takes as long as the rest of a request, so the number is limited. */
const DESCRIBED_MAX = 5 * ITEMS_MAX;

interface Explanation {
  readonly items: ProblemItem[];
  readonly more: number;
}

export function explainValidation(errors: readonly ErrorObject[]): Explanation {
  const unions = errors.filter((error) => isUnion(error.keyword));
  const faults = errors
    .filter((error) => !isBranchNoise(error, unions))
    .sort((a, b) => rankOf(a) - rankOf(b));
  const told = faults.slice(0, DESCRIBED_MAX).flatMap(describe);
  const firstRank = new Map<string, number>();
  for (const { pointer, rank } of told) if (!firstRank.has(pointer)) firstRank.set(pointer, rank);
  const distinct = new Map<string, ProblemItem>();
  for (const { pointer, detail, rank } of told) {
    // A value of the wrong type also violates patterns and bounds, which would only distract.
    if (rank > (firstRank.get(pointer) ?? rank)) continue;
    distinct.set(`${pointer} ${detail}`, { pointer, detail });
  }
  const items = [...distinct.values()];
  const untold = Math.max(0, items.length - ITEMS_MAX);
  const undescribed = Math.max(0, faults.length - DESCRIBED_MAX);
  return { items: items.slice(0, ITEMS_MAX), more: untold + undescribed };
}

function isUnion(keyword: string): boolean {
  return keyword === 'oneOf' || keyword === 'anyOf' || keyword === 'not';
}

/** Errors raised while trying the branches of a union; the union's own error stands for them. */
function isBranchNoise(error: ErrorObject, unions: readonly ErrorObject[]): boolean {
  if (error.keyword === 'discriminator') return true;
  return unions.some(
    (union) =>
      union !== error &&
      error.instancePath === union.instancePath &&
      (error.schemaPath.startsWith(`${union.schemaPath}/`) ||
        (union.keyword === 'anyOf' && error.keyword === 'type')),
  );
}

interface Told extends ProblemItem {
  readonly rank: number;
}

const RANKS: Readonly<Record<string, number>> = { additionalProperties: 0, type: 1, pattern: 3 };

function rankOf({ keyword }: ErrorObject): number {
  return RANKS[keyword] ?? (/Length$/.test(keyword) ? 4 : 2);
}

function describe(error: ErrorObject): Told[] {
  const rank = rankOf(error);
  const tell = (detail: string, pointer = error.instancePath): Told[] => [
    { pointer, detail, rank },
  ];
  const { params } = error;
  switch (error.keyword) {
    case 'additionalProperties':
      return tell(unknownField(error), join(error, params.additionalProperty));
    case 'required':
      return tell('is required', join(error, params.missingProperty));
    case 'type':
      return tell(`must be ${types(params.type)}, not ${show(error.data)}`);
    case 'enum':
      return tell(choice(error.data, params.allowedValues));
    case 'const':
      return tell(`must be ${show(params.allowedValue)}`);
    case 'pattern':
      return tell(`${show(error.data)} is not ${meaning(error)} (${params.pattern})`);
    case 'oneOf':
    case 'anyOf':
      return tell(alternatives(error));
    case 'not':
      return tell(exclusion(error));
    case 'uniqueItems':
      return tell(`items ${params.j} and ${params.i} are the same`);
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return tell(`${error.message}, not ${show(error.data)}`);
    default:
      return tell(error.message ?? `fails ${error.keyword}`);
  }
}

function join(error: ErrorObject, field: unknown): string {
  const token = String(field).replaceAll('~', '~0').replaceAll('/', '~1');
  return `${error.instancePath}/${token.slice(0, 100)}`;
}

function unknownField(error: ErrorObject): string {
  const known = Object.keys(asRecord(error.parentSchema?.properties));
  const guess = nearest(String(error.params.additionalProperty), known);
  if (guess !== undefined) return `unknown field, did you mean "${guess}"?`;
  if (known.length === 0) return 'unknown field; no fields are expected here';
  return `unknown field, known fields are ${known.slice(0, CHOICES_MAX).join(', ')}`;
}

function choice(data: unknown, allowed: readonly unknown[]): string {
  const words = allowed.map(String);
  const guess = typeof data === 'string' ? nearest(data, words) : undefined;
  const hint = guess === undefined ? '' : `, did you mean "${guess}"?`;
  const more = words.length > CHOICES_MAX ? ', …' : '';
  return `${show(data)} is not one of ${words.slice(0, CHOICES_MAX).join(', ')}${more}${hint}`;
}

function types(type: unknown): string {
  const names = Array.isArray(type) ? type.map(String) : String(type).split(',');
  return names.map((name) => (/^[aeio]/.test(name) ? `an ${name}` : `a ${name}`)).join(' or ');
}

function meaning(error: ErrorObject): string {
  const description: unknown = error.parentSchema?.description;
  return typeof description === 'string' ? description : 'of the documented form';
}

/** Alternatives that differ only in which field is given: `cpu_model` or `cpu`. */
function alternatives(error: ErrorObject): string {
  const branches: unknown = error.parentSchema?.[error.keyword];
  const fields = (Array.isArray(branches) ? branches : []).flatMap(requiredOf);
  if (fields.length === 0) return 'matches none of the documented alternatives';
  const given = fields.filter((field) => Object.hasOwn(asRecord(error.data), field));
  if (given.length === 0) return `one of ${fields.join(', ')} is required`;
  return `only one of ${given.join(', ')} may be given`;
}

function exclusion(error: ErrorObject): string {
  const fields = requiredOf(error.schema);
  return fields.length === 0
    ? 'is not allowed in this form'
    : `${fields.join(' and ')} exclude each other`;
}

function requiredOf(branch: unknown): string[] {
  const { required } = asRecord(branch);
  return Array.isArray(required) ? required.map(String) : [];
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Quotes a value briefly, so that a hostile one cannot fill the answer or the log. */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}
