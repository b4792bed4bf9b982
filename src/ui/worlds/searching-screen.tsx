/** A world that is still being searched. */
import { useHeader } from '../frame/header-content.js';
import { Verdict } from '../widgets/verdict.js';
import { worldTitle } from './exploration.js';
import type { Exploration } from './searches.js';

export function SearchingScreen({ exploration }: { readonly exploration: Exploration }) {
  useHeader({ title: worldTitle(exploration) });
  const { progress, state } = exploration;
  return (
    <div class="screen">
      <h1>
        <Verdict kind="running" /> The search is {state}
      </h1>
      <p role="status">
        {progress.done.toLocaleString('en')} {progress.unit} so far. The page goes on by itself when
        it ends.
      </p>
    </div>
  );
}
