/** A table of MSRs, a CPU a row: its header says which column is what. */
import { isPmuMsr, msrOf } from './registers.js';

interface Column {
  readonly place: number;
  readonly msr: number;
}

export interface Table {
  readonly width: number;
  readonly columns: readonly Column[];
}

export interface Row {
  readonly cpu: number;
  /** Text and MSR of each cell that should hold a value; empty where the row has not all of the columns. */
  readonly cells: readonly { readonly msr: number; readonly text: string }[];
}

const VALUE = /^(?:raw|hex|raw_?hex|val|value|msr)$/i;

/** Separated by blanks, commas or bars. */
const cellsOf = (text: string): string[] => text.split(/[\s,|]+/).filter((cell) => cell !== '');

/** The table that a header begins; `msr` is what the title names. Null where the line is no header. */
export function tableHeader(text: string, msr: number): Table | null {
  const names = cellsOf(text);
  const columns = names.map((name) => (VALUE.test(name) ? msr : pmuMsrOf(name)));
  const named = names.every((name, place) => /^[a-z]/i.test(name) || columns[place] !== null);
  if (!named || !/^(?:cpu|core|processor)#?$/i.test(names[0] ?? '')) return null;
  const found = columns.flatMap((index, place) => (index === null ? [] : [{ place, msr: index }]));
  return found.length === 0 ? null : { width: names.length, columns: found };
}

function pmuMsrOf(name: string): number | null {
  const index = msrOf(name);
  return index !== null && isPmuMsr(index) ? index : null;
}

/** Null where the line is no row. */
export function tableRow({ width, columns }: Table, text: string): Row | null {
  const words = cellsOf(text);
  if (!/^\d+$/.test(words[0] ?? '') || words.length === 1) return null;
  const cells = columns.map(({ place, msr }) => ({ msr, text: words[place] ?? '' }));
  return { cpu: Number(words[0]), cells: words.length === width ? cells : [] };
}
