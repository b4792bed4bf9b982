/** Fields of parsed documents, whatever may stand in them. */
import { BadDocument } from './document.js';

/** Longer strings are cut: names, reasons, values. */
const CHARACTERS_MAX = 2000;
/** A document has no more tests, and no suite more members. */
const MEMBERS_MAX = 100_000;

export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a field holds, where the object has it itself. */
export const field = (fields: Fields, name: string): unknown =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

/** An object, or one without fields. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** An object; throws where it is there and is none. */
export function objectAt(value: unknown, pointer: string): Fields {
  if (value === undefined || value === null) return {};
  if (isFields(value)) return value;
  throw new BadDocument(pointer, 'must be an object');
}

/** The members of an object with their pointers. */
export function membersAt(
  value: unknown,
  pointer: string,
): { name: string; value: unknown; pointer: string }[] {
  const entries = Object.entries(objectAt(value, pointer));
  assertFew(entries.length, pointer);
  return entries.map(([name, member]) => ({
    name,
    value: member,
    pointer: `${pointer}/${escaped(name)}`,
  }));
}

export function listAt(value: unknown, pointer: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new BadDocument(pointer, 'must be a list');
  assertFew(value.length, pointer);
  return value;
}

function assertFew(count: number, pointer: string): void {
  if (count > MEMBERS_MAX) throw new BadDocument(pointer, `has more than ${MEMBERS_MAX} members`);
}

/** A string or a number as a string; empty where there is none, and where Python wrote that there is none. */
export function textOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value === 'None') return '';
  return value.length <= CHARACTERS_MAX ? value : `${value.slice(0, CHARACTERS_MAX)}…`;
}

/** Any value in few words. */
export function wordsOf(value: unknown): string {
  if (!isFields(value) && !Array.isArray(value)) return textOf(value);
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) {
    return textOf(value.slice(0, CHARACTERS_MAX).join(', '));
  }
  return textOf(shallow(value));
}

/** JSON of an object that may be nested too deep, or be far too large, to be written whole. */
function shallow(value: object): string {
  const inner = (one: unknown): unknown => (typeof one === 'object' && one !== null ? '…' : one);
  return Array.isArray(value)
    ? JSON.stringify(value.slice(0, 100).map(inner))
    : JSON.stringify(
        Object.fromEntries(
          Object.entries(value)
            .slice(0, 100)
            .map(([name, one]) => [name, inner(one)]),
        ),
      );
}

/** Those that say something. */
export function said(values: Fields): Record<string, string> {
  const words = Object.entries(values).map(([name, value]) => [name, wordsOf(value)] as const);
  return Object.fromEntries(words.filter(([, value]) => value !== ''));
}

/** Seconds as a decimal number, or nothing. */
export function secondsOf(value: unknown, factor = 1): string {
  const seconds = Number(textOf(value) === '' ? Number.NaN : textOf(value)) * factor;
  return Number.isFinite(seconds) && seconds >= 0 ? String(Number(seconds.toPrecision(12))) : '';
}

/** A part of a JSON pointer. */
export const escaped = (name: string): string =>
  name.slice(0, 200).replaceAll('~', '~0').replaceAll('/', '~1');
