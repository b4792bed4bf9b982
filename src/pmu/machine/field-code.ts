/**
 * Fields packed into words: where each goes, and the two straight-line functions that write and read them all.
 *
 * The functions are compiled from the list of fields, so that every field is named once; packing is most of what a search
 * does, and a loop over fields took five times as long.
 */
import type { SetCodec } from './set-codec.js';
import type { MachineState } from './state.js';

export interface Field {
  /** Where the value is kept, as an expression. */
  readonly place: string;
  readonly width: number;
  readonly kind: 'number' | 'from_minus_one' | 'set' | 'ctrl' | 'guest' | 'fixed_ctrl';
  /** The micro-steps, as a condition, in which the field matters; it is 0 otherwise. */
  readonly when?: string;
}

export type Pack = (state: MachineState, extra: Int32Array, words: Int32Array, at: number) => void;
export type Unpack = (
  words: Int32Array,
  at: number,
  state: MachineState,
  extra: Int32Array,
) => void;

export interface PlacedField extends Field {
  readonly word: number;
  readonly shift: number;
}

/** Puts the fields one after the other; none crosses a word. */
export function place(fields: readonly Field[]): PlacedField[] {
  let word = 0;
  let shift = 0;
  return fields.map((field) => {
    if (shift + field.width > 32) {
      word += 1;
      shift = 0;
    }
    const placed = { ...field, word, shift };
    shift += field.width;
    return placed;
  });
}

export type Codecs = Readonly<Record<'set' | 'ctrl' | 'guest' | 'fixed_ctrl', SetCodec>>;
const TABLES = `const { low: setLow, fixed: setFixed, special: setSpecial, wide: setWide } = codecs.set;
const { low: ctrlLow, fixed: ctrlFixed, special: ctrlSpecial, wide: ctrlWide } = codecs.ctrl;
const { low: guestLow, fixed: guestFixed, special: guestSpecial, wide: guestWide } = codecs.guest;
const { low: fixed_ctrlLow, fixed: fixed_ctrlFixed, special: fixed_ctrlSpecial, wide: fixed_ctrlWide } = codecs.fixed_ctrl;`;

/** An expression for the field's packed bits. */
function folded({ kind, place: from }: Field, codecs: Codecs): string {
  switch (kind) {
    case 'number':
      return from;
    case 'from_minus_one':
      return `(${from} + 1)`;
    default: {
      const { rest, restFolded } = codecs[kind];
      const tables = `${kind}Low[${from} & 255] | ${kind}Fixed[${from} >>> 16 & 255] | ${kind}Special[${from} >>> 27]`;
      return rest === 0
        ? `(${tables})`
        : `(${tables} | ((${from} & ${rest}) !== 0 ? ${restFolded} : 0))`;
    }
  }
}

export function compilePack(fields: readonly PlacedField[], words: number, codecs: Codecs): Pack {
  const lines = Array.from({ length: words }, (_, word) => {
    const parts = fields
      .filter((field) => field.word === word)
      .map((field) => {
        const bits = `${folded(field, codecs)} << ${field.shift}`;
        return field.when === undefined ? bits : `(${field.when} ? ${bits} : 0)`;
      });
    return `words[at + ${word}] = ${parts.join('\n  | ') || '0'};`;
  });
  const body = `${TABLES}\nreturn (state, extra, words, at) => {\n${lines.join('\n')}\n};`;
  return new Function('codecs', body)(codecs) as Pack;
}

export function compileUnpack(fields: readonly PlacedField[], codecs: Codecs): Unpack {
  const lines = fields.map(({ place: to, width, kind, word, shift, when }) => {
    const mask = width === 32 ? -1 : 2 ** width - 1;
    const bits = `(words[at + ${word}] >>> ${shift}) & ${mask}`;
    const value =
      kind === 'number'
        ? bits
        : kind === 'from_minus_one'
          ? `(${bits}) - 1`
          : `${kind}Wide[${bits}]`;
    return `${to} = ${when === undefined ? value : `${when} ? ${value} : 0`};`;
  });
  const body = `${TABLES}\nreturn (words, at, state, extra) => {\n${lines.join('\n')}\n};`;
  return new Function('codecs', body)(codecs) as Unpack;
}

export function number(place: string, width: number): Field {
  return { place, width, kind: 'number' };
}

export function fromMinusOne(place: string, width: number): Field {
  return { place, width, kind: 'from_minus_one' };
}
