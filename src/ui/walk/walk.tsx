/** A walk through a world: the state, what can happen next and where that leads, on a map of all states. */

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { addressOf, get } from '../api/client.js';
import { curl, useHeader } from '../frame/header-content.js';
import { DIGIT, useKeys } from '../frame/keys.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, go, query, setQuery } from '../router.js';
import { isWide } from '../timeline/width.js';
import { count } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Tabs } from '../widgets/tabs.js';
import { WaitingScreen } from '../widgets/waiting.js';
import {
  isUnfinished,
  useExploration,
  type WorldParts,
  worldKey,
  worldPlace,
  worldTitle,
} from '../worlds/exploration.js';
import { CutShort } from '../worlds/further.js';
import { lastWalk, useLastPlace } from '../worlds/last-place.js';
import type { Exploration } from '../worlds/searches.js';
import { SearchingScreen } from '../worlds/searching-screen.js';
import { takeOf, usePortableLink } from '../worlds/take.js';
import { Choices } from './choices.js';
import { MapView } from './map-view.js';
import { Neighbourhood } from './neighbourhood.js';
import { loadPath } from './path.js';
import { PathList } from './path-list.js';
import { StatePanel } from './state-panel.js';
import './walk.css';

/** How far the neighbourhood goes: at most 31 states where the most that any state has is 5 choices. */
const DEPTH = 2;
/** Enough to tell states apart, and short in an address. */
const FINGERPRINT_DIGITS = 8;

type Parts = WorldParts & { readonly rest?: string };

export function Walk({ parts }: { readonly parts: Parts }) {
  const exploration = useExploration(parts);
  if (exploration.problem !== undefined) {
    return (
      <div class="screen">
        <ProblemPanel problem={exploration.problem} retry={exploration.reload} />
      </div>
    );
  }
  if (exploration.value === undefined) {
    return <WaitingScreen what="The world is being searched" />;
  }
  if (isUnfinished(exploration.value)) return <SearchingScreen exploration={exploration.value} />;
  return <World exploration={exploration.value} parts={parts} path={parts.rest ?? ''} />;
}

interface WorldProps {
  readonly exploration: Exploration;
  readonly parts: Parts;
  readonly path: string;
}

async function loadState(exploration: string, path: string, signal: AbortSignal) {
  const depth = { depth: DEPTH };
  if (path === '') {
    const asked = { path: { exploration }, query: depth, signal };
    return { state: await get('/v1/explorations/{exploration}/states', asked), taken: [] };
  }
  const asked = { path: { exploration, path }, query: depth, signal };
  const [state, taken] = await Promise.all([
    get('/v1/explorations/{exploration}/states/{path}', asked),
    loadPath(exploration, path, signal),
  ]);
  return { state, taken };
}

function World({ exploration, parts, path }: WorldProps) {
  const { id } = exploration;
  const loaded = useLoaded(`${id}/${path}`, (signal) => loadState(id, path, signal));
  // The state before stays on screen until the next one is there, so that nothing jumps.
  const last = useSignal<Awaited<ReturnType<typeof loadState>> | undefined>(undefined);
  useEffect(() => {
    if (loaded.value !== undefined) last.value = loaded.value;
  }, [loaded.value]);
  const shown = loaded.value ?? last.value;
  // What is looked at stays; the fingerprint is of this state.
  const { f: _, ...kept } = Object.fromEntries(query.value);
  const place = (to: string): string =>
    addressOfPlace(`/${worldKey(parts)}/walk${to && `/${to}`}`, kept);
  useLastPlace(lastWalk, place(path));

  const route =
    path === ''
      ? addressOf('/v1/explorations/{exploration}/states', { path: { exploration: id } })
      : addressOf('/v1/explorations/{exploration}/states/{path}', {
          path: { exploration: id, path },
        });
  useHeader({
    title: worldTitle(exploration),
    curl: [curl(`${route}?depth=${DEPTH}`), curl(route, undefined, 'accept: text/plain')],
    take: path === '' ? [] : takeOf(route, `walk_${exploration.scenario ?? id}`),
    link: usePortableLink(parts, exploration),
  });
  useWalkKeys(shown?.state.enabled.map((one) => one.path) ?? [], path, place);

  if (loaded.problem !== undefined) {
    return (
      <div class="screen">
        <ProblemPanel problem={loaded.problem} retry={loaded.reload} />
        <p>
          <a href={place('')}>Begin at the first state</a>
        </p>
      </div>
    );
  }
  if (shown === undefined) {
    return <WaitingScreen what="The state is loading" />;
  }
  return (
    <Panes
      exploration={exploration}
      place={place}
      path={path}
      run={worldPlace(parts, `run/${path}`)}
      isLoading={loaded.value === undefined}
      {...shown}
    />
  );
}

function useWalkKeys(choices: readonly string[], path: string, place: (path: string) => string) {
  const now = useMemo(() => ({ choices, path, place }), []);
  Object.assign(now, { choices, path, place });
  const list = useMemo(
    () => [
      {
        key: DIGIT,
        does: 'take that choice',
        act: (digit: number) => {
          const to = now.choices[digit - 1];
          if (to !== undefined) go(now.place(to), { isNear: true });
        },
      },
      {
        key: 'u',
        does: 'undo the last step',
        act: () => {
          if (now.path !== '') go(now.place(before(now.path)), { isNear: true });
        },
      },
    ],
    [],
  );
  useKeys(list);
}

export function before(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}

const PANES = [
  { id: 'state', label: 'State' },
  { id: 'map', label: 'Map' },
  { id: 'path', label: 'Path' },
] as const;

type PanesProps = Awaited<ReturnType<typeof loadState>> & {
  readonly exploration: Exploration;
  readonly place: (path: string) => string;
  readonly path: string;
  /** The same as a timeline. */
  readonly run: string;
  readonly isLoading: boolean;
};

function Panes({ exploration, state, taken, place, path, run, isLoading }: PanesProps) {
  const chosen = PANES.find(({ id }) => id === query.value.get('pane'))?.id ?? 'state';
  const shows = (pane: string): boolean => isWide.value || pane === chosen;
  return (
    <div class="screen" aria-busy={isLoading}>
      <h1>{path === '' ? 'The first state' : `After ${count(taken.length, 'step')}`}</h1>
      <Identity id={state.id} isLoading={isLoading} />
      <CutShort exploration={exploration} />
      {!isWide.value && (
        <Tabs label="Panes" tabs={PANES} chosen={chosen} choose={(pane) => setQuery({ pane })} />
      )}
      <div class="walk">
        {shows('state') && (
          <div class="walk-state">
            <StatePanel state={state} />
            <Choices state={state} place={place} path={path} />
          </div>
        )}
        {shows('map') && (
          <div class="walk-map">
            <MapView exploration={exploration} state={state} place={place} />
            {state.neighbourhood !== undefined && (
              <Neighbourhood root={state.id} around={state.neighbourhood} place={place} />
            )}
          </div>
        )}
        {shows('path') && <PathList taken={taken} path={path} place={place} run={run} />}
      </div>
    </div>
  );
}

/** The address says which state it is about; another build may come to another one by the same path. */
function Identity({ id, isLoading }: { readonly id: string; readonly isLoading: boolean }) {
  const claimed = query.value.get('f');
  const own = id.slice(0, FINGERPRINT_DIGITS);
  useEffect(() => {
    if (claimed === null && !isLoading) setQuery({ f: own });
  }, [claimed, own, isLoading]);
  if (isLoading || claimed === null || claimed === own) return null;
  return (
    <div class="problem" role="alert">
      <h2>This service reaches another state by that path</h2>
      <p>
        The link is about the state {claimed}, and here the path leads to {own}: it was made by
        another version of the model.
      </p>
      <button type="button" onClick={() => setQuery({ f: own })}>
        Take this state
      </button>
    </div>
  );
}
