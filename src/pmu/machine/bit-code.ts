/** Values squeezed to the few bits that a world uses, as expressions of the code that packs states. */

/** How a value goes into `width` bits of a packed state, and comes back. */
export interface BitCode {
  readonly width: number;
  /** An expression for the bits of a value. */
  pack(value: string): string;
  /** An expression for the value of bits, which are small and not negative. */
  unpack(bits: string): string;
}

/** A number from 0 on. */
export function numberCode(width: number): BitCode {
  return { width, pack: (value) => value, unpack: (bits) => bits };
}

/** A number from -1 on. */
export function fromMinusOneCode(width: number): BitCode {
  return { width, pack: (value) => `(${value} + 1)`, unpack: (bits) => `${bits} - 1` };
}

/**
 * A mask in which only the bits of `used` differ. Where `rest` is given, its bits are all on or all off together, as the
 * unused bits of IA32_PERF_GLOBAL_CTRL are, and take one bit.
 */
export function maskCode(used: number, rest: number): BitCode {
  const runs = runsOf(used);
  const bitOfRest = runs.reduce((sum, run) => sum + run.length, 0);
  const width = bitOfRest + (rest === 0 ? 0 : 1);
  return {
    width,
    pack: (value) =>
      or([
        ...runs.map(({ first, length, at }) => {
          const mask = 2 ** length - 1;
          return shifted(`${value} >>> ${first} & ${mask}`, at);
        }),
        ...(rest === 0 ? [] : [`((${value} & ${rest}) !== 0 ? ${2 ** bitOfRest} : 0)`]),
      ]),
    unpack: (bits) =>
      or([
        ...runs.map(({ first, length, at }) =>
          shifted(`${bits} >>> ${at} & ${2 ** length - 1}`, first),
        ),
        ...(rest === 0 ? [] : [`((${bits} >>> ${bitOfRest} & 1) !== 0 ? ${rest} : 0)`]),
      ]),
  };
}

interface Run {
  readonly first: number;
  readonly length: number;
  /** Where its bits go. */
  readonly at: number;
}

/** The set bits of a mask as runs of neighbours. */
function runsOf(mask: number): Run[] {
  const runs: Run[] = [];
  let at = 0;
  for (let first = 0; first < 32; first += 1) {
    if ((mask & (1 << first)) === 0) continue;
    let length = 1;
    while (first + length < 32 && mask & (1 << (first + length))) length += 1;
    runs.push({ first, length, at });
    at += length;
    first += length;
  }
  return runs;
}

function shifted(bits: string, by: number): string {
  return by === 0 ? `(${bits})` : `((${bits}) << ${by})`;
}

function or(parts: readonly string[]): string {
  return parts.length === 0 ? '0' : `(${parts.join(' | ')})`;
}
