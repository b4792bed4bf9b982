/**
 * A record: words with an accessor for each field of a list, so that code reads `cpuc.pebsEnabled` and a copy is one call.
 *
 * The accessors are compiled from the list: each reads or writes one fixed word, which an optimising compiler inlines.
 */
import type { Field } from './field.js';

export type Fields = Readonly<Record<string, Field>>;

type NamesOf<List extends Fields, Shape> = {
  [Name in keyof List]: List[Name] extends Shape ? Name : never;
}[keyof List];
type ArraysOf<List extends Fields> = NamesOf<List, { readonly length: number }>;

/** What the accessors of a list of fields hold: a number each, or an array. */
type Values<List extends Fields> = {
  -readonly [Name in keyof Omit<List, ArraysOf<List>>]: number;
} & { readonly [Name in ArraysOf<List>]: Int32Array };

/** A field with its place in the record; the path leads through parts, as in `hardware.globalCtrl`. */
export interface PlacedField extends Field {
  readonly path: string;
  readonly at: number;
}

export interface Words {
  readonly words: Int32Array;
  /** Makes this record equal to another of its class. */
  copyFrom(from: Words): void;
  /** Its fields and parts as a plain object. */
  toJSON(): object;
}

export interface RecordClass<Instance extends Words> {
  /** A new record; or one over words that hold one already. */
  new (words?: Int32Array): Instance;
  /** All fields, those of parts included, in the order of their words. */
  readonly fields: readonly PlacedField[];
  /** The words of a new record. */
  readonly fresh: Int32Array;
}

export type Parts = Readonly<Record<string, RecordClass<Words>>>;
type Instances<Of extends Parts> = { readonly [Name in keyof Of]: InstanceType<Of[Name]> };

/** The class of records with these fields, and with parts that are records themselves. */
export function recordOf<const List extends Fields, const Of extends Parts = Record<never, never>>(
  list: List,
  parts: Of = {} as Of,
): RecordClass<Words & Values<List> & Instances<Of>> {
  const fields: PlacedField[] = [];
  const fresh: number[] = [];
  const accessors: string[] = [];
  const made: string[] = [];
  for (const [path, field] of Object.entries(list)) {
    const at = fresh.length;
    const { length, initial = 0 } = field;
    fields.push({ ...field, path, at });
    if (length === undefined) {
      accessors.push(`get ${path}() { return this.words[${at}]; }`);
      accessors.push(`set ${path}(value) { this.words[${at}] = value; }`);
    } else {
      made.push(`this.${path} = words.subarray(${at}, ${at + length});`);
    }
    fresh.push(...new Array<number>(length ?? 1).fill(initial));
  }
  for (const [name, part] of Object.entries(parts)) {
    const at = fresh.length;
    const end = at + part.fresh.length;
    fields.push(
      ...part.fields.map((field) => ({
        ...field,
        path: `${name}.${field.path}`,
        at: at + field.at,
      })),
    );
    made.push(`this.${name} = new parts.${name}(words.subarray(${at}, ${end}));`);
    fresh.push(...part.fresh);
  }
  const names = [...Object.keys(list), ...Object.keys(parts)];
  const body = `return class {
    static fields = fields;
    static fresh = fresh;
    constructor(words = fresh.slice()) {
      this.words = words;
      ${made.join('\n      ')}
    }
    copyFrom(from) { this.words.set(from.words); }
    toJSON() { return { ${names.map((name) => `${name}: this.${name}`).join(', ')} }; }
    ${accessors.join('\n    ')}
  };`;
  return new Function('fields', 'fresh', 'parts', body)(fields, Int32Array.from(fresh), parts);
}
