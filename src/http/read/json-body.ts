/**
 * Parses a JSON body more strictly than `JSON.parse`: it rejects duplicate fields, `__proto__` keys,
 * and excessive nesting or numbers of fields, and reports where malformed text breaks. Limits are
 * checked on the text, before anything is built from it. The scanner runs only after an error has
 * been detected, so that valid bodies cost two quick passes and one native parse.
 */
import { ProblemError } from '../../service/problem-error.js';

const DEPTH_MAX = 32;
/** 1,000 steps of round trips with every field have fewer. */
const FIELDS_MAX = 16_000;
/** Per object; no schema has a tenth as many. */
const OBJECT_FIELDS_MAX = 1000;
/** Counted as commas, opening brackets and braces: about one per value. */
const VALUES_MAX = 50_000;

/** An empty body is `undefined`: the route's schema decides whether one is required. */
export function parseJsonBody(text: string): unknown {
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (body.trim() === '') return undefined;
  const fields = countFieldsInText(body);
  if (fields === undefined) throw fault(body);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw fault(body);
  }
  // `JSON.parse` keeps a duplicate field once.
  if (countFields(value) !== fields) throw fault(body);
  return value;
}

/** Whether a JSON text may be a body, as far as its depth and the numbers of its fields and values are concerned. */
export function isWithinLimits(text: string): boolean {
  return countFieldsInText(text) !== undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** The number of fields in all objects of a text; undefined if it is nested too deeply or too large. */
function countFieldsInText(text: string): number | undefined {
  let fields = 0;
  let values = 0;
  let depth = 0;
  const fieldsAt = new Int32Array(DEPTH_MAX + 1);
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case COLON:
        fields += 1;
        fieldsAt[depth] = (fieldsAt[depth] ?? 0) + 1;
        if ((fieldsAt[depth] ?? 0) > OBJECT_FIELDS_MAX) return undefined;
        break;
      case COMMA:
        values += 1;
        break;
      case 0x5b: // [
      case 0x7b: // {
        values += 1;
        depth += 1;
        if (depth > DEPTH_MAX) return undefined;
        fieldsAt[depth] = 0;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      default:
    }
    if (fields > FIELDS_MAX || values > VALUES_MAX) return undefined;
  }
  return fields;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
  }
  return text.length;
}

/** Equals the number in the text, unless a field was duplicated; NaN if one is `__proto__`. */
function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let total = 0;
  if (!Array.isArray(value)) {
    total = Object.keys(value).length;
    if (Object.hasOwn(value, '__proto__')) return Number.NaN;
  }
  for (const member of Object.values(value)) {
    if (typeof member === 'object') total += countFields(member);
  }
  return total;
}

/** The problem for a rejected text. */
function fault(text: string): ProblemError {
  const { offset, reason, pointer } = new Scanner(text).findFault();
  if (pointer !== undefined) {
    return new ProblemError('validation', `${pointer}: ${reason}.`, [{ pointer, detail: reason }]);
  }
  return new ProblemError('malformed_json', `${reason} ${place(text, offset)}.`);
}

function place(text: string, offset: number): string {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf('\n'); end !== -1 && end < offset; end = text.indexOf('\n', start)) {
    line += 1;
    start = end + 1;
  }
  return `at line ${line}, column ${offset - start + 1} (position ${offset})`;
}

function escapeToken(token: string | number): string {
  return String(token).slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Text that is not JSON, or a value that is rejected; the latter has a pointer. */
class Fault extends Error {
  constructor(
    readonly offset: number,
    readonly reason: string,
    readonly pointer?: string,
  ) {
    super(reason);
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside a string.
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SPACE = /[ \t\n\r]*/y;

/** A plain recursive-descent reader of RFC 8259 that builds nothing but the current path. */
class Scanner {
  private at = 0;
  private fields = 0;
  private values = 0;
  private readonly path: (string | number)[] = [];

  constructor(private readonly text: string) {}

  findFault(): Fault {
    try {
      this.document();
    } catch (error) {
      if (error instanceof Fault) return error;
      throw error;
    }
    return new Fault(this.text.length, 'The text is not JSON');
  }

  private document(): void {
    this.space();
    this.value();
    this.space();
    if (this.at < this.text.length) this.fail('Text follows the JSON value');
  }

  private fail(reason: string): never {
    if (this.at >= this.text.length) throw new Fault(this.text.length, 'The text ends too early');
    throw new Fault(this.at, reason);
  }

  private refuse(reason: string, path: readonly (string | number)[] = this.path): never {
    const pointer = path.map((token) => `/${escapeToken(token)}`).join('');
    throw new Fault(this.at, reason, pointer);
  }

  private space(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }

  private value(): void {
    const first = this.text.charAt(this.at);
    if (first === '{') this.object();
    else if (first === '[') this.array();
    else if (first === '"') this.match(STRING, 'a complete string with valid escapes');
    else if (first === '-' || (first >= '0' && first <= '9')) this.match(NUMBER, 'a number');
    else this.word();
  }

  /** A member of an array or object. */
  private member(token: string | number): void {
    this.path.push(token);
    this.value();
    this.path.pop();
  }

  /** Counts as the pass over the text does. */
  private spend(): void {
    this.values += 1;
    if (this.values > VALUES_MAX) this.refuse(`has more than ${VALUES_MAX} values`, []);
  }

  private open(): void {
    this.spend();
    if (this.path.length >= DEPTH_MAX) this.refuse(`nested deeper than ${DEPTH_MAX} levels`);
    this.at += 1;
    this.space();
  }

  private word(): void {
    for (const word of ['true', 'false', 'null']) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return;
      }
    }
    this.fail('A JSON value is expected');
  }

  private match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) this.fail(`This is not ${what}`);
    this.at += found[0].length;
    return found[0];
  }

  private object(): void {
    const seen = new Set<string>();
    this.open();
    if (this.take('}')) return;
    for (;;) {
      if (this.text.charAt(this.at) !== '"') this.fail('A field name in double quotes is expected');
      const key = String(JSON.parse(this.match(STRING, 'a complete string with valid escapes')));
      if (seen.has(key)) this.refuse('the field is given more than once', [...this.path, key]);
      if (key === '__proto__') this.refuse('the field is not allowed', [...this.path, key]);
      seen.add(key);
      this.fields += 1;
      if (seen.size > OBJECT_FIELDS_MAX) this.refuse(`has more than ${OBJECT_FIELDS_MAX} fields`);
      if (this.fields > FIELDS_MAX) this.refuse(`has more than ${FIELDS_MAX} fields`, []);
      this.space();
      if (!this.take(':')) this.fail('A colon is expected');
      this.space();
      this.member(key);
      this.space();
      if (this.take('}')) return;
      if (!this.take(',')) this.fail('A comma or a closing brace is expected');
      this.space();
    }
  }

  private array(): void {
    this.open();
    if (this.take(']')) return;
    for (let index = 0; ; index += 1) {
      this.member(index);
      this.space();
      if (this.take(']')) return;
      if (!this.take(',')) this.fail('A comma or a closing bracket is expected');
      this.space();
    }
  }

  private take(character: string): boolean {
    if (this.text.charAt(this.at) !== character) return false;
    this.at += 1;
    if (character === ',') this.spend();
    return true;
  }
}
