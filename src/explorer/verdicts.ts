/**
 * - `holds`, `violated`: of an 'always' property. `witnessed`, `unreachable`: of a 'sometimes' property.
 * - `undecided`: the search was cut before it could tell.
 */
export const VERDICTS = ['holds', 'violated', 'witnessed', 'unreachable', 'undecided'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Where a state stands towards a violation; see regions.ts. */
export const REGIONS = ['avoidable', 'doomed', 'violating'] as const;
export type Region = (typeof REGIONS)[number];
