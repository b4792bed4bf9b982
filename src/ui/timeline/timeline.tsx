/** A counterexample: hardware beside what perf wants, step by step, in five faces with one cursor. */
import { useMemo } from 'preact/hooks';
import { curl, useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { query, setQuery } from '../router.js';
import { Tabs } from '../widgets/tabs.js';
import { WaitingScreen } from '../widgets/waiting.js';
import {
  isUnfinished,
  useExploration,
  type WorldParts,
  worldBody,
  worldPlace,
  worldTitle,
} from '../worlds/exploration.js';
import { lastRun, lastWalk, useLastPlace } from '../worlds/last-place.js';
import type { Exploration } from '../worlds/searches.js';
import { SearchingScreen } from '../worlds/searching-screen.js';
import { takeOf, usePortableLink } from '../worlds/take.js';
import { useCursor, useCursorKeys } from './cursor.js';
import { lanesOf } from './lanes.js';
import { LanesView } from './lanes-view.js';
import { NoRun, NoSuchRun } from './no-run.js';
import { decode, stepOfCounterexample } from './run.js';
import { Sequence } from './sequence.js';
import { StepPanel } from './step-panel.js';
import { StepsTable } from './steps-table.js';
import { getCounterexample, Script, Story } from './texts.js';
import { isWide } from './width.js';
import './timeline.css';

const FACES = [
  { id: 'timeline', label: 'Timeline' },
  { id: 'sequence', label: 'Sequence' },
  { id: 'table', label: 'Table' },
  { id: 'story', label: 'Story' },
  { id: 'script', label: 'Script' },
] as const;

type Parts = WorldParts & { readonly counterexample?: string };

export function Timeline({ parts }: { readonly parts: Parts }) {
  const exploration = useExploration(parts);
  const { counterexample = 'I1-0' } = parts;
  if (exploration.problem !== undefined) {
    return <NoRun problem={exploration.problem} retry={exploration.reload} />;
  }
  if (exploration.value === undefined) {
    return <WaitingScreen what="The world is being searched" />;
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
  return <Faces exploration={exploration} parts={parts} counterexample={run.value} />;
}

interface FacesProps {
  readonly exploration: Exploration;
  readonly parts: Parts;
  readonly counterexample: Awaited<ReturnType<typeof getCounterexample>>;
}

function Faces({ exploration, parts, counterexample }: FacesProps) {
  const { property, steps, registers_before, point_of_no_return, summary } = counterexample;
  const run = useMemo(
    () => decode(registers_before, steps.map(stepOfCounterexample), property, point_of_no_return),
    [counterexample],
  );
  const lanes = useMemo(() => lanesOf(run), [run]);
  const cursor = useCursor(run, lanes, point_of_no_return ?? run.steps.length);
  useCursorKeys(run, lanes, cursor);
  const face = FACES.find(({ id }) => id === query.value.get('view'))?.id ?? 'timeline';
  const route = `/v1/explorations/${exploration.id}/counterexamples/${counterexample.id}`;
  useHeader({
    title: worldTitle(exploration),
    curl: [
      curl('/v1/explorations', worldBody(exploration), 'prefer: wait=20'),
      curl(route, undefined, 'accept: text/plain'),
    ],
    take: takeOf(route, `${counterexample.id}_${exploration.scenario ?? exploration.id}`),
    link: usePortableLink(parts, exploration),
  });
  const walked = counterexample.path.split('/').slice(0, cursor.step).join('/');
  const walk = worldPlace(parts, `walk/${walked}`);
  useLastPlace(lastRun, worldPlace(parts, `ce/${counterexample.id}`));
  useLastPlace(lastWalk, walk);
  const props = { run, lanes, cursor };
  return (
    <div class="screen">
      <div class="run-head">
        <h1>
          <span class="violated">▲</span> {property} after {run.steps.length} steps
        </h1>
        <p>{summary}</p>
      </div>
      <Tabs
        label="Faces of the run"
        tabs={FACES}
        chosen={face}
        choose={(view) => setQuery({ view: view === 'timeline' ? undefined : view })}
      />
      <div class="run-body">
        <div class="run-face">
          {face === 'timeline' &&
            (isWide.value ? <LanesView {...props} /> : <StepsTable {...props} />)}
          {face === 'table' && <StepsTable {...props} />}
          {face === 'sequence' && <Sequence {...props} />}
          {face === 'story' && (
            <Story exploration={exploration.id} counterexample={counterexample.id} />
          )}
          {face === 'script' && <Script {...counterexample} />}
        </div>
        <StepPanel {...props} walk={walk} />
      </div>
    </div>
  );
}
