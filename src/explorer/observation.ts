/**
 * What an observer wrote down of a run, and what a step of a model shows to one.
 *
 * A symbol is a name, which is a number, with facets: bits for what an observer may or may not have noticed of it. A step shows
 * each symbol with the one facet that is true; a record has every facet that it leaves open. They match where the names are
 * equal and a facet is common to both.
 */

/** A recording: symbols in the order in which they were seen. */
export type Observation = Int32Array;

const FACET_BITS = 4;
export const ANY_FACET = 2 ** FACET_BITS - 1;
export const NAMES_MAX = 2 ** (31 - FACET_BITS);

/** A recorded symbol without facets is shown by no step: it says something of the state at its place. */
export const OF_STATE = 0;

export function isOfState(recorded: number | undefined): boolean {
  return recorded !== undefined && recorded !== MISSING && facetsOfSymbol(recorded) === OF_STATE;
}

/** In place of a symbol: any number of symbols may be missing here, none included. */
export const MISSING = 0;

/** No step shows more symbols. */
export const EMITTED_MAX = 256;

/** @param name 1 to NAMES_MAX - 1. @param facets at least one bit, or OF_STATE. */
export function symbolOf(name: number, facets: number): number {
  return (name << FACET_BITS) | facets;
}

export function nameOfSymbol(symbol: number): number {
  return symbol >>> FACET_BITS;
}

export function facetsOfSymbol(symbol: number): number {
  return symbol & ANY_FACET;
}

export function matches(recorded: number, shown: number): boolean {
  return (recorded ^ shown) >>> FACET_BITS === 0 && (recorded & shown & ANY_FACET) !== 0;
}
