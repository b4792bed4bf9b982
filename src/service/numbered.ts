/** Items of a list with the numbers that the database has given their rows: a page goes on behind the last. */
export interface Numbered<Item> {
  readonly seq: number;
  readonly item: Item;
}

export function numbered<Row extends { readonly seq: number }, Item>(
  rows: readonly Row[],
  itemOf: (row: Row) => Item,
): Numbered<Item>[] {
  return rows.map((row) => ({ seq: row.seq, item: itemOf(row) }));
}
