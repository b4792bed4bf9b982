/** Finds the known word a misspelt one was probably meant to be. */

/** Undefined when nothing is near: a wrong guess is worse than none. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const wanted = fold(word);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

const LIKELY_MAX = 3;

/** The known words that may have been meant: one that is spelt nearly so, or a few that the word is a part of. */
export function likely(word: string, known: readonly string[]): string[] {
  const near = nearest(word, known);
  const part = fold(word);
  const longer = known.filter((candidate) => fold(candidate).includes(part));
  const isTelling = part.length >= 3 && longer.length > 0 && longer.length <= LIKELY_MAX;
  // A name cut short is nearer to what it is a part of than to any other.
  if (isTelling) return longer;
  return near === undefined ? [] : [near];
}

/** `cpuModel`, `cpu-model` and `CPU_MODEL` are the same word to a person. */
function fold(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}

/** Counts insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, at(beforeLast, j - 2) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
