/** One scenario: the verdict found here, or hollow the expected one; it leads to the run or the walk behind it. */
import type { Api } from '../api/client.js';
import { Verdict } from '../widgets/verdict.js';
import { scenarioAddress } from '../worlds/addresses.js';
import { FurtherButton } from '../worlds/further.js';
import type { Search } from '../worlds/searches.js';

export type Scenario = Api['Scenario'];

/** Whether a search has found something else than what is known. One that a bound has cut has found nothing. */
export function differs(scenario: Scenario, search: Search | undefined): boolean {
  const { verdict } = scenario.expected;
  const kind = search?.kind;
  return (kind === 'violated' || kind === 'holds') && verdict !== undefined && kind !== verdict;
}

interface Props {
  readonly scenario: Scenario;
  readonly search: Search | undefined;
  /** What the cell is, for those who do not see the table. */
  readonly label: string;
  readonly cell?: object;
  readonly children?: preact.ComponentChildren;
}

export function Cell({ scenario, search, label, cell = {}, children }: Props) {
  const expected = scenario.expected.verdict === 'violated' ? 'violated' : 'holds';
  return (
    <>
      <a
        class="cell"
        href={scenarioAddress(scenario, search)}
        data-kind={search?.kind}
        data-differs={differs(scenario, search) || undefined}
        {...cell}
      >
        <span class="unseen">{label}: </span>
        {search === undefined ? (
          <Verdict kind={expected} isExpected />
        ) : (
          <Verdict kind={search.kind} number={search.number} />
        )}
        {children}
      </a>
      {search?.kind === 'undecided' && search.further !== undefined && (
        <FurtherButton body={search.further} of={label} />
      )}
    </>
  );
}
