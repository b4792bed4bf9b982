/**
 * A table of functions as one function that calls the entry of a number.
 *
 * Compiled to a switch, in which each call has one target that an optimising compiler can inline; a call through the table
 * could go anywhere.
 */
type Entry<Rest extends readonly unknown[], Result> = (...rest: Rest) => Result;

/** Calls `table[code](...rest)`; what is absent does nothing and gives undefined. */
export function dispatcher<Rest extends readonly unknown[], Result>(
  table: readonly (Entry<Rest, Result> | undefined)[],
  parameters: string,
): (code: number, ...rest: Rest) => Result {
  const present = [...table.entries()].filter(([, entry]) => entry !== undefined);
  const names = present.map(([code]) => `const entry${code} = table[${code}];`);
  const cases = present.map(([code]) => `case ${code}: return entry${code}(${parameters});`);
  const body = `${names.join('\n')}
return (code, ${parameters}) => {
  switch (code) {
    ${cases.join('\n    ')}
  }
};`;
  return new Function('table', body)(table);
}
