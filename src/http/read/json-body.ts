/**
 * Reads a JSON body more strictly than `JSON.parse`: a field given twice, a `__proto__` key, a
 * nesting or a number of fields beyond reason is refused, and broken text is answered with the
 * place where it breaks. What costs is bounded on the text, before anything is built from it. The
 * scanner runs only when something is already known to be wrong, so that good bodies pay for two
 * quick passes and one native parse.
 */
import { ProblemError } from '../../service/problem-error.js';

const DEPTH_MAX = 32;
/** 1,000 steps of round trips with every field have fewer. */
const FIELDS_MAX = 16_000;
/** Of one object; no schema has a tenth of it. */
const OBJECT_FIELDS_MAX = 1000;
/** Commas and opening brackets and braces, which is about one for each value. */
const VALUES_MAX = 50_000;

/** An empty body is `undefined`: whether one is needed is for the route's schema to say. */
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
  // A field that was given twice is kept once.
  if (countFields(value) !== fields) throw fault(body);
  return value;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** How many fields the objects of a text have; undefined where it is too deep or too much. */
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

/** As many as in the text, unless one was given twice; no number where one is `__proto__`. */
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

/** What is wrong with a text that is refused. */
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

/** Text that is no JSON, or a value that is not taken; the latter has a pointer. */
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

/** A plain recursive-descent reader of RFC 8259 that builds nothing but the path to where it is. */
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

  /** A member of an array or object, which stands at a place of its own. */
  private member(token: string | number): void {
    this.path.push(token);
    this.value();
    this.path.pop();
  }

  /** Counts as the pass over the text does, which found too many. */
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
      if (seen.has(key)) this.refuse('the field is given twice', [...this.path, key]);
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
