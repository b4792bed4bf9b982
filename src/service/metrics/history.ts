/** The newest samples of some numbers, in memory that does not grow: a ring of rows. */
export class History<Name extends string> {
  private readonly size: number;
  private readonly columns: Readonly<Record<Name, Float64Array>>;
  private readonly times: Float64Array;
  /** How many were ever added. */
  private added = 0;

  constructor(size: number, names: readonly Name[]) {
    this.size = size;
    this.times = new Float64Array(size);
    this.columns = Object.fromEntries(
      names.map((name) => [name, new Float64Array(size)]),
    ) as Record<Name, Float64Array>;
  }

  /** Times only grow. */
  add(time: number, numbers: Readonly<Record<Name, number>>): void {
    const at = this.added % this.size;
    this.times[at] = time;
    for (const [name, column] of Object.entries<Float64Array>(this.columns)) {
      column[at] = numbers[name as Name];
    }
    this.added += 1;
  }

  /** For each step from `begin` to `end` the newest sample that is not older than the step before it, oldest first. */
  rows(name: Name, begin: number, end: number, step: number): { time: number; value: number }[] {
    const rows: { time: number; value: number }[] = [];
    let lastStep = -1;
    for (let nth = Math.max(0, this.added - this.size); nth < this.added; nth += 1) {
      const at = nth % this.size;
      const time = this.times[at]!;
      if (time < begin || time > end) continue;
      const row = { time, value: this.columns[name][at]! };
      const thisStep = Math.floor((time - begin) / step);
      if (thisStep === lastStep) rows[rows.length - 1] = row;
      else rows.push(row);
      lastStep = thisStep;
    }
    return rows;
  }
}
