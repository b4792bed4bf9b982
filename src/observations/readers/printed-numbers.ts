/** The values that rdmsr prints, and the options that say how it prints them. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { mayBePebsEnable, PEBS_ENABLE } from '../registers.js';
import { and, valueOfDecimal, valueOfHex } from '../value.js';

export type Printed =
  | { readonly value: U64; readonly known: U64 | null }
  | { readonly reject: string }
  | { readonly refuse: string };

interface Options {
  readonly base: 'hex' | 'signed' | 'unsigned' | 'octal' | 'raw';
  /** Of -f: highest and lowest bit. */
  readonly field: readonly [number, number] | null;
}

const PLAIN: Options = { base: 'hex', field: null };

export const BASE_UNKNOWN =
  'IA32_PEBS_ENABLE has no such bits if the values are hexadecimal. If rdmsr was run with -u or -d, put its command in front ' +
  'of the values, e.g. "# rdmsr -a -u 0x3f1"; better, run it with -x -0.';

export class PrintedNumbers {
  private options: Options | null = null;
  /** A value had digits that only hexadecimal ones have, or as many as `-0` prints. */
  private certainlyHex = false;
  private padded = false;

  /** Reads what follows by the options of a command, given as words. */
  useOptions(words: readonly string[]): void {
    this.options = optionsOf(words);
  }

  read(text: string, msr: number | null): Printed {
    const { base, field } = this.options ?? PLAIN;
    if (base === 'raw') return { reject: 'rdmsr -r prints bytes: run it with -x' };
    const bits = field === null ? 64 : field[0] - field[1] + 1;
    const value = base === 'hex' ? this.hex(text, msr, field) : inBase(text, base, bits);
    if ('reject' in value || 'refuse' in value || field === null) return value;
    return placed(value.value, field);
  }

  private hex(text: string, msr: number | null, field: Options['field']): Printed {
    const [, prefix, digits] = /^(0x)?([0-9a-f]+)$/i.exec(text) ?? [];
    const value = digits === undefined ? null : valueOfHex(digits);
    if (digits === undefined || value === null) return { reject: `no hexadecimal value: ${text}` };
    const width = field === null ? 16 : Math.ceil((field[0] - field[1] + 1) / 4);
    const leadingZero = digits.length > 1 && digits.startsWith('0');
    if ((leadingZero || this.padded) && digits.length !== width) {
      return { reject: `${width} digits are printed and ${digits.length} are here: cut or split` };
    }
    this.padded ||= leadingZero;
    this.certainlyHex ||= prefix !== undefined || leadingZero || /[a-f]/i.test(digits);
    const possible = this.certainlyHex || msr !== PEBS_ENABLE || mayBePebsEnable(value);
    return possible ? { value, known: null } : { refuse: BASE_UNKNOWN };
  }
}

/** With -c an unsigned number ends with U, and an octal one begins with another 0. */
const DIGITS = {
  signed: /^(-?)(\d{1,20})$/,
  unsigned: /^()(\d{1,20})U?$/,
  octal: /^()([0-7]{1,23})$/,
};

/** Of so many bits: rdmsr -d prints the top one as a sign in front of the others, not as two's complement. */
function inBase(text: string, base: 'signed' | 'unsigned' | 'octal', bits: number): Printed {
  const [, sign, digits] = DIGITS[base].exec(text) ?? [];
  if (digits === undefined) return { reject: `no ${base} value: ${text}` };
  const number = BigInt(base === 'octal' ? `0o${digits}` : digits);
  const top = sign === '-' ? 1n << BigInt(bits - 1) : 0n;
  if (top > 0n && number >= top) return { reject: `more than ${bits} bits: ${text}` };
  const value = valueOfDecimal((number | top).toString());
  return value === null ? { reject: `more than 64 bits: ${text}` } : { value, known: null };
}

/** The bits of a field where they are in the register. */
function placed(bits: U64, [high, low]: readonly [number, number]): Printed {
  const mask = ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
  const moved = ((BigInt(bits.hi) << 32n) | BigInt(bits.lo)) << BigInt(low);
  const known = wordsOf(mask);
  return moved === (moved & mask)
    ? { value: and(wordsOf(moved), known), known }
    : { reject: `wider than the bits ${high}:${low}` };
}

const wordsOf = (value: bigint): U64 => ({
  hi: Number((value >> 32n) & 0xffff_ffffn),
  lo: Number(value & 0xffff_ffffn),
});

function optionsOf(words: readonly string[]): Options {
  let base: Options['base'] = 'hex';
  let field: Options['field'] = null;
  words.forEach((word, place) => {
    const letters = /^-([a-zA-Z0]+)/.exec(word)?.[1] ?? '';
    const has = (letter: string, long: string): boolean =>
      letters.includes(letter) || word === `--${long}`;
    if (has('x', 'hexadecimal') || /^--capital-hex/.test(word) || letters.includes('X'))
      base = 'hex';
    if (has('u', 'unsigned') || word === '--unsigned-decimal') base = 'unsigned';
    if (has('d', 'decimal') || word === '--signed-decimal') base = 'signed';
    if (has('o', 'octal')) base = 'octal';
    if (has('r', 'raw')) base = 'raw';
    const bits = /^(?:-[a-zA-Z0]*f|--bitfield=?)?(\d\d?):(\d\d?)$/.exec(word);
    const asked =
      /^-[a-zA-Z0]*f|^--bitfield/.test(word) || /f$|bitfield$/.test(words[place - 1] ?? '');
    if (bits !== null && asked && Number(bits[1]) < 64 && Number(bits[1]) >= Number(bits[2])) {
      field = [Number(bits[1]), Number(bits[2])];
    }
  });
  return { base, field };
}
