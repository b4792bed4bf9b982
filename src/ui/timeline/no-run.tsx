/** Where a counterexample was asked for and there is none: why, and what there is instead. */
import type { Problem } from '../api/problem.js';
import { useHeader } from '../frame/header-content.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { type WorldParts, worldPlace, worldTitle } from '../worlds/exploration.js';
import { CutShort, whyCut } from '../worlds/further.js';
import { type Exploration, mainViolation } from '../worlds/searches.js';

interface Props {
  readonly problem: Problem;
  readonly retry: () => void;
}

export function NoRun({ problem, retry }: Props) {
  useHeader({ title: 'Nothing to show' });
  return (
    <div class="screen">
      <ProblemPanel problem={problem} retry={retry} />
      {problem.status === 404 && (
        <p>
          A search is forgotten after a while. Links that name a scenario search again by
          themselves: <a href="/ui/">choose one in the matrix</a>.
        </p>
      )}
    </div>
  );
}

interface NoSuchProps {
  readonly parts: WorldParts;
  readonly exploration: Exploration;
}

export function NoSuchRun({ parts, exploration }: NoSuchProps) {
  useHeader({ title: worldTitle(exploration) });
  const other = mainViolation(exploration)?.counterexample;
  return (
    <div class="screen">
      <h1>{verdictText(exploration)}</h1>
      {other === undefined ? (
        <p>There is no counterexample: no state that was reached breaks an invariant.</p>
      ) : (
        <p>
          There is no such counterexample in this search.{' '}
          <a href={worldPlace(parts, `ce/${other.id}`)}>Show {other.id}</a>
        </p>
      )}
      <CutShort exploration={exploration} />
      <p>
        <a class="button" href={worldPlace(parts, 'walk')}>
          Walk through the world
        </a>
      </p>
    </div>
  );
}

function verdictText({ verdict, complete, distinct_states, cut, state }: Exploration): string {
  const states = `${(distinct_states ?? 0).toLocaleString('en')} states`;
  if (state !== 'succeeded') return `The search is ${state}`;
  if (verdict === 'violated') return `Violated, in ${states}`;
  if (verdict === 'holds' && complete) return `Holds in all ${states}`;
  return `Undecided after ${states}${cut === null ? '' : `: cut by ${whyCut(cut)}`}`;
}
