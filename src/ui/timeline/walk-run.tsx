/** Any walk as a run: the way to a state, from the first one. */

import { useMemo } from 'preact/hooks';
import { get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { query } from '../router.js';
import { loadPath, type PathStep } from '../walk/path.js';
import { count } from '../widgets/numbers.js';
import { WaitingScreen } from '../widgets/waiting.js';
import type { WorldParts } from '../worlds/exploration.js';
import type { Exploration } from '../worlds/searches.js';
import { Faces } from './faces.js';
import { NoRun } from './no-run.js';
import { decode, type Step, UNTOLD } from './run.js';

interface Props {
  readonly exploration: Exploration;
  readonly parts: WorldParts;
  readonly path: string;
}

export function WalkRun({ exploration, parts, path }: Props) {
  const { id } = exploration;
  /** The invariant that it is about. */
  const property = query.value.get('property') ?? undefined;
  const { value, problem, reload } = useLoaded(`${id} ${path}`, async (signal) => {
    const [{ registers }, steps] = await Promise.all([
      get('/v1/explorations/{exploration}/states', { path: { exploration: id }, signal }),
      loadPath(id, path, signal),
    ]);
    return { registers, steps };
  });
  const run = useMemo(() => {
    if (value === undefined) return undefined;
    const before = value.registers.map(({ cpu, msrs }) => ({
      cpu,
      msrs: msrs.map(({ name, value, desired = value }) => ({ msr: name, value, desired })),
    }));
    return decode(before, value.steps.map(stepOfPath), property);
  }, [value, property]);
  if (problem !== undefined) return <NoRun problem={problem} retry={reload} />;
  if (run === undefined) return <WaitingScreen what="The walk is loading" />;
  const { steps, firstViolation } = run;
  const violated = steps[(firstViolation ?? 0) - 1]?.violated;
  return (
    <Faces
      exploration={exploration}
      parts={parts}
      run={run}
      path={path}
      place={`run/${path}`}
      route={`/v1/explorations/${id}/states/${path}`}
      name={`walk_${exploration.scenario ?? id}`}
    >
      <h1>
        A walk of {count(steps.length, 'step')}
        {violated !== undefined && (
          <span class="violated"> ▲ {property ?? violated.join(' ')}</span>
        )}
      </h1>
    </Faces>
  );
}

function stepOfPath({ registers, ...step }: PathStep): Step {
  const msrs = Object.entries(registers).map(([msr, { value, desired }]) => ({
    msr,
    value,
    desired,
  }));
  return {
    ...UNTOLD,
    ...step,
    isQuiet: step.writes.length === 0,
    before: [{ cpu: step.cpu, msrs }],
  };
}
