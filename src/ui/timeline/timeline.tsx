/** A counterexample or a walk: hardware beside what perf wants, step by step. */

import { useMemo } from 'preact/hooks';
import { useLoaded } from '../load.js';
import { count } from '../widgets/numbers.js';
import { WaitingScreen } from '../widgets/waiting.js';
import { isUnfinished, useExploration, type WorldParts } from '../worlds/exploration.js';
import type { Exploration } from '../worlds/searches.js';
import { SearchingScreen } from '../worlds/searching-screen.js';
import { Faces } from './faces.js';
import { NoRun, NoSuchRun } from './no-run.js';
import { decode, stepOfCounterexample } from './run.js';
import { type Counterexample, getCounterexample } from './texts.js';
import { WalkRun } from './walk-run.js';

type Parts = WorldParts & { readonly counterexample?: string; readonly rest?: string };

/** A search of as many takes no time. */
const STATES_OF_WALK = 1000;

export function Timeline({ parts }: { readonly parts: Parts }) {
  const { counterexample = 'I1-0', rest: path } = parts;
  const exploration = useExploration(parts, path === undefined ? undefined : STATES_OF_WALK);
  if (exploration.problem !== undefined) {
    return <NoRun problem={exploration.problem} retry={exploration.reload} />;
  }
  if (exploration.value === undefined) {
    return <WaitingScreen what="The world is being searched" />;
  }
  if (path !== undefined) {
    return <WalkRun exploration={exploration.value} parts={parts} path={path} />;
  }
  if (isUnfinished(exploration.value)) return <SearchingScreen exploration={exploration.value} />;
  return <Found exploration={exploration.value} parts={parts} counterexample={counterexample} />;
}

interface FoundProps {
  readonly exploration: Exploration;
  readonly parts: Parts;
  readonly counterexample: string;
}

function Found({ exploration, parts, counterexample }: FoundProps) {
  const path = { exploration: exploration.id, counterexample };
  const known = exploration.properties.flatMap(({ counterexamples }) => counterexamples);
  const exists = known.some(({ id }) => id === counterexample);
  const key = exists ? `${exploration.id} ${counterexample}` : undefined;
  const run = useLoaded(key, (signal) => getCounterexample(path, signal));
  if (!exists) return <NoSuchRun parts={parts} exploration={exploration} />;
  if (run.problem !== undefined) {
    return <NoRun problem={run.problem} retry={run.reload} />;
  }
  if (run.value === undefined) {
    return <WaitingScreen what="The counterexample is loading" />;
  }
  return <ViolatingRun exploration={exploration} parts={parts} counterexample={run.value} />;
}

interface RunProps {
  readonly exploration: Exploration;
  readonly parts: Parts;
  readonly counterexample: Counterexample;
}

function ViolatingRun({ exploration, parts, counterexample }: RunProps) {
  const { id, property, path, steps, registers_before, point_of_no_return, summary } =
    counterexample;
  const run = useMemo(
    () => decode(registers_before, steps.map(stepOfCounterexample), property, point_of_no_return),
    [counterexample],
  );
  return (
    <Faces
      exploration={exploration}
      parts={parts}
      run={run}
      path={path}
      place={`ce/${id}`}
      route={`/v1/explorations/${exploration.id}/counterexamples/${id}`}
      name={`${id}_${exploration.scenario ?? exploration.id}`}
      counterexample={counterexample}
    >
      <h1>
        <span class="violated">▲</span> {property} after {count(run.steps.length, 'step')}
      </h1>
      <p>{summary}</p>
    </Faces>
  );
}
