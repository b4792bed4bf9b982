/** 64-bit values as two words: numbers lose bits beyond 53, BigInt is slow where millions are read. */
import type { Value } from './record.js';

export const ZERO: Value = { high: 0, low: 0 };

/** Hexadecimal digits without a prefix, 1 to 16; null where they are not. */
export function valueOfHex(digits: string): Value | null {
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) return null;
  const cut = Math.max(0, digits.length - 8);
  return {
    high: cut === 0 ? 0 : Number.parseInt(digits.slice(0, cut), 16),
    low: Number.parseInt(digits.slice(cut), 16),
  };
}

/** Decimal digits of a value below 2^64; null where they are not. */
export function valueOfDecimal(digits: string): Value | null {
  if (!/^\d{1,20}$/.test(digits)) return null;
  const value = BigInt(digits);
  return value >> 64n === 0n
    ? { high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) }
    : null;
}

/** 16 digits, lower case. */
export function hexOfValue({ high, low }: Value): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

export const isZero = ({ high, low }: Value): boolean => high === 0 && low === 0;

export const and = (a: Value, b: Value): Value => ({
  high: (a.high & b.high) >>> 0,
  low: (a.low & b.low) >>> 0,
});

export const andNot = (a: Value, b: Value): Value => ({
  high: (a.high & ~b.high) >>> 0,
  low: (a.low & ~b.low) >>> 0,
});

export const or = (a: Value, b: Value): Value => ({
  high: (a.high | b.high) >>> 0,
  low: (a.low | b.low) >>> 0,
});
