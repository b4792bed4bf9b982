/** What is printed of a scenario for which nobody has written down yet what is to come out. */
import type { ExploreResult } from '../../src/explorer/result.js';
import type { Scenario } from '../../src/model/worlds/scenarios.js';

/** The counts are in the order in which a scenario's row has them. */
export function noExpectation({ id }: Scenario, result: ExploreResult): string {
  const verdicts = result.properties.map((property) => `${property.id} ${property.verdict}`);
  const { distinctStates, totalStates, depth } = result;
  return `no expectation yet: ${id}: ${verdicts.join(', ')}; ${distinctStates}, ${totalStates}, ${depth}`;
}
