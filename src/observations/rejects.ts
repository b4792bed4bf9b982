/** Lines that should have given a value and did not: how many, and the first of them. */

export const LISTED_REJECTS = 1000;

export class Rejects {
  total = 0;
  readonly first: { readonly line: number; readonly reason: string }[] = [];

  add(line: number, reason: string): void {
    this.total += 1;
    if (this.first.length < LISTED_REJECTS) this.first.push({ line, reason });
  }
}
