/**
 * Which CPU models a release knows: the line of the model's case in `intel_pmu_init()`, arch/x86/events/intel/core.c. A model
 * without a case takes the generic branch.
 *
 * Source: semantics.md §2.2, read there in each release. Adding a model is adding a row here and one in
 * `arch/cpu-models.ts`.
 */

/** The releases whose source was read, in the order of the columns below. */
const RELEASES = ['6.1.187', '6.1.192', '6.12.107', '6.12.117', '7.2.6', '7.3.4'] as const;
export type Release = (typeof RELEASES)[number];

type Line = number | null;

const LINES: Readonly<Record<string, readonly [Line, Line, Line, Line, Line, Line]>> = {
  'haswell-x': [6306, 6319, 6869, 6910, 8296, 8410],
  'broadwell-x': [6342, 6355, 6905, 6946, 8332, 8446],
  'skylake-sp': [6401, 6414, 6964, 7005, 8391, 8505],
  'cascade-lake': [6401, 6414, 6964, 7005, 8391, 8505],
  'comet-lake': [6409, 6422, 6972, 7013, 8399, 8513],
  'ice-lake-sp': [6458, 6471, 7021, 7062, 8448, 8562],
  'ice-lake': [6463, 6476, 7026, 7067, 8454, 8568],
  'sapphire-rapids': [6502, 6515, 7065, 7106, 8494, 8608],
  'emerald-rapids': [6503, 6516, 7066, 7107, 8495, 8609],
  'granite-rapids': [null, null, 7073, 7114, 8502, 8616],
  'sierra-forest': [null, null, 6745, 6786, 8161, 8275],
  'diamond-rapids': [null, null, null, null, 8509, 8623],
  'alder-lake-p': [6541, 6554, 7093, 7134, 8533, 8648],
};

/** The line of each model that a release knows. */
export function casesOf(release: Release): ReadonlyMap<string, number> {
  const column = RELEASES.indexOf(release);
  return new Map(
    Object.entries(LINES).flatMap(([model, lines]) => {
      const line = lines[column] ?? null;
      return line === null ? [] : [[model, line] as const];
    }),
  );
}
