/** 64-bit values of a text: numbers lose bits beyond 53, BigInt is slow where millions are read. */
import { readU64 } from '../model/values.js';
import type { U64 } from '../pmu/arch/counter-set.js';

export const ZERO: U64 = { hi: 0, lo: 0 };

/** Hexadecimal digits without a prefix, 1 to 16; null where they are not. */
export function valueOfHex(digits: string): U64 | null {
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) return null;
  const cut = Math.max(0, digits.length - 8);
  return {
    hi: cut === 0 ? 0 : Number.parseInt(digits.slice(0, cut), 16),
    lo: Number.parseInt(digits.slice(cut), 16),
  };
}

/** Decimal digits of a value below 2^64; null where they are not. */
export function valueOfDecimal(digits: string): U64 | null {
  const value = /^\d{1,20}$/.test(digits) ? readU64(digits) : '';
  return typeof value === 'string' ? null : value;
}

export const isZero = ({ hi, lo }: U64): boolean => hi === 0 && lo === 0;

export const and = (a: U64, b: U64): U64 => ({
  hi: (a.hi & b.hi) >>> 0,
  lo: (a.lo & b.lo) >>> 0,
});

export const andNot = (a: U64, b: U64): U64 => ({
  hi: (a.hi & ~b.hi) >>> 0,
  lo: (a.lo & ~b.lo) >>> 0,
});

export const or = (a: U64, b: U64): U64 => ({
  hi: (a.hi | b.hi) >>> 0,
  lo: (a.lo | b.lo) >>> 0,
});
