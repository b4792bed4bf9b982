/** The faces of a run, which share one cursor. */
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { curl, useHeader } from '../frame/header-content.js';
import { query, setQuery } from '../router.js';
import { Tabs } from '../widgets/tabs.js';
import { type WorldParts, worldBody, worldPlace, worldTitle } from '../worlds/exploration.js';
import { lastRun, lastWalk, useLastPlace } from '../worlds/last-place.js';
import type { Exploration } from '../worlds/searches.js';
import { takeOf, usePortableLink } from '../worlds/take.js';
import { useCursor, useCursorKeys } from './cursor.js';
import { lanesOf } from './lanes.js';
import { LanesView } from './lanes-view.js';
import type { Run } from './run.js';
import { Sequence } from './sequence.js';
import { StepPanel } from './step-panel.js';
import { StepsTable } from './steps-table.js';
import { type Counterexample, Script, Story } from './texts.js';
import { isWide } from './width.js';
import './timeline.css';

const FACES = [
  { id: 'timeline', label: 'Timeline' },
  { id: 'sequence', label: 'Sequence' },
  { id: 'table', label: 'Table' },
  { id: 'story', label: 'Story' },
  { id: 'script', label: 'Script' },
] as const;

interface Props {
  readonly exploration: Exploration;
  readonly parts: WorldParts;
  readonly run: Run;
  /** The choices that make it. */
  readonly path: string;
  /** Its place in the world. */
  readonly place: string;
  /** Where the API has it. */
  readonly route: string;
  /** For files. */
  readonly name: string;
  /** If it is one: it has a script. */
  readonly counterexample?: Counterexample;
  /** The heading. */
  readonly children: ComponentChildren;
}

export function Faces(props: Props) {
  const { exploration, parts, run, path, place, route, name, counterexample, children } = props;
  const lanes = useMemo(() => lanesOf(run), [run]);
  const cursor = useCursor(run, lanes, run.pointOfNoReturn ?? run.steps.length);
  useCursorKeys(run, lanes, cursor);
  const faces = counterexample === undefined ? FACES.slice(0, -1) : FACES;
  const face = faces.find(({ id }) => id === query.value.get('view'))?.id ?? 'timeline';
  useHeader({
    title: worldTitle(exploration),
    curl: [
      curl('/v1/explorations', worldBody(exploration), 'prefer: wait=20'),
      curl(route, undefined, 'accept: text/plain'),
    ],
    take: takeOf(route, name),
    link: usePortableLink(parts, exploration),
  });
  const walk = worldPlace(parts, `walk/${path.split('/').slice(0, cursor.step).join('/')}`);
  useLastPlace(lastRun, worldPlace(parts, place));
  useLastPlace(lastWalk, walk);
  const shown = { run, lanes, cursor };
  return (
    <div class="screen">
      <div class="run-head">{children}</div>
      <Tabs
        label="Faces of the run"
        tabs={faces}
        chosen={face}
        choose={(view) => setQuery({ view: view === 'timeline' ? undefined : view })}
      />
      <div class="run-body">
        <div class="run-face">
          {face === 'timeline' &&
            (isWide.value ? <LanesView {...shown} /> : <StepsTable {...shown} />)}
          {face === 'table' && <StepsTable {...shown} />}
          {face === 'sequence' && <Sequence {...shown} />}
          {face === 'story' && <Story route={route} />}
          {face === 'script' && counterexample !== undefined && <Script {...counterexample} />}
        </div>
        <StepPanel {...shown} walk={walk} />
      </div>
    </div>
  );
}
