/** A table of MSRs, a CPU a row: its header says which column is what. */
import { isPmuMsr, msrOf } from '../registers.js';

interface Column {
  readonly place: number;
  /** null: the row's own column says it. */
  readonly msr: number | null;
}

export interface Table {
  readonly width: number;
  readonly columns: readonly Column[];
  /** The column that names the MSR of a row; -1: there is none. */
  readonly msrPlace: number;
}

export interface Row {
  readonly cpu: number;
  /** Text and MSR of each cell that should hold a value; empty where the row has not all of the columns. */
  readonly cells: readonly { readonly msr: number; readonly text: string }[];
}

const MSR = /^(?:msr|reg(?:ister)?)$/i;
const VALUE = /^(?:raw|hex|raw_?hex|val|value)$/i;

/** Separated by blanks, commas or bars. */
const cellsOf = (text: string): string[] => text.split(/[\s,|]+/).filter((cell) => cell !== '');

/** The table that a header begins; `msr` is what the title names. Null where the line is no header. */
export function tableHeader(text: string, msr: number): Table | null {
  const names = cellsOf(text);
  const holdsValues = names.some((name) => VALUE.test(name));
  const msrPlace = holdsValues ? names.findIndex((name) => MSR.test(name)) : -1;
  const columns = names.map((name) =>
    VALUE.test(name) || (!holdsValues && MSR.test(name)) ? msr : pmuMsrOf(name),
  );
  const hasNames = names.every((name, place) => /^[a-z]/i.test(name) || columns[place] !== null);
  if (!hasNames || !/^(?:cpu|core|processor)#?$/i.test(names[0] ?? '')) return null;
  const found = columns.flatMap((index, place) => (index === null ? [] : [{ place, msr: index }]));
  if (found.length === 0) return null;
  const named = msrPlace < 0 ? found : found.map(({ place }) => ({ place, msr: null }));
  return { width: names.length, columns: named, msrPlace };
}

function pmuMsrOf(name: string): number | null {
  const index = msrOf(name);
  return index !== null && isPmuMsr(index) ? index : null;
}

/** Null where the line is no row. */
export function tableRow({ width, columns, msrPlace }: Table, text: string): Row | null {
  const words = cellsOf(text);
  if (!/^\d+$/.test(words[0] ?? '') || words.length === 1) return null;
  const own = msrPlace < 0 ? null : msrOf(words[msrPlace] ?? '');
  const cells = columns.flatMap(({ place, msr }) => {
    const index = msr ?? own;
    return index === null ? [] : [{ msr: index, text: words[place] ?? '' }];
  });
  return { cpu: Number(words[0]), cells: words.length === width ? cells : [] };
}
