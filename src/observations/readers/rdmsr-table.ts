/** A table of MSRs, a CPU a row: its header says which column is what. */
import { isPmuMsr, msrOf, PEBS_ENABLE } from './registers.js';

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
const cellsOf = (text: string): string[] =>
  text.replace(/^[\s|]+|[\s|]+$/g, '').split(/\s*[,;|]\s*|\s+/);

/** The table that a header begins; `msr` is what the title names. Null where the line is no header. */
export function tableHeader(text: string, msr: number): Table | null {
  const names = cellsOf(text);
  if (!/^(?:cpu|core|processor)#?$/i.test(names[0] ?? '') || names.length < 2) return null;
  const columns: Column[] = [];
  names.forEach((name, place) => {
    const index = msrOf(name);
    if (place === 0) return;
    if (VALUE.test(name)) columns.push({ place, msr });
    else if (index !== null && (index === PEBS_ENABLE || isPmuMsr(index))) {
      columns.push({ place, msr: index });
    }
  });
  return columns.length === 0 ? null : { width: names.length, columns };
}

/** Null where the line is no row. */
export function tableRow({ width, columns }: Table, text: string): Row | null {
  const words = cellsOf(text);
  if (!/^\d+$/.test(words[0] ?? '')) return null;
  const cells = columns.map(({ place, msr }) => ({ msr, text: words[place] ?? '' }));
  return { cpu: Number(words[0]), cells: words.length === width ? cells : [] };
}
