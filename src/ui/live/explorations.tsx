/** Searches: what runs, how far it is, and what it found. */
import { post, remove } from '../api/client.js';
import { type Act, Acts } from '../widgets/acts.js';
import { short, whole } from '../widgets/numbers.js';
import { Verdict } from '../widgets/verdict.js';
import { doubled } from '../worlds/doubled.js';
import { type WorldParts, worldPlace, worldTitle } from '../worlds/exploration.js';
import { whyCut } from '../worlds/further.js';
import { searchFurther, searchOf } from '../worlds/searches.js';
import { Sparkline } from './sparkline.js';
import { TimeLeft } from './time-left.js';
import type { Exploration, WorkList } from './work.js';
import { WorkPanel } from './work-panel.js';

type List = WorkList<Exploration>;

export function Explorations({ list }: { readonly list: List }) {
  const none = (
    <>
      Nothing was searched yet. Start one below, or all of <a href="/ui/">the matrix</a>.
    </>
  );
  return (
    <WorkPanel id="explorations" title="Explorations" list={list} Row={Row} none={none} lines={3} />
  );
}

function Row({ item, list }: { readonly item: Exploration; readonly list: List }) {
  const { id, state, progress, created_at, error, cut } = item;
  const isOver = state !== 'queued' && state !== 'running' && state !== 'paused';
  const { kind, number } = searchOf(item);
  return (
    <li>
      <div class="work-name">
        <a href={placeOf(item)}>
          {worldTitle(item)}
          {item.compare_with !== undefined && ` against ${item.compare_with}`}
        </a>
        <code class="muted">{id}</code>
      </div>
      <div class="work-state">
        {isOver ? (
          <>
            <Verdict kind={kind} number={kind === 'failed' ? undefined : number} />{' '}
            {kind === 'failed' ? state : OUTCOMES[kind]}
          </>
        ) : (
          <span>{state}</span>
        )}
        {error !== undefined && <p class="field-problem">{error}</p>}
        {kind === 'undecided' && cut !== null && <p class="muted">cut by {whyCut(cut)}</p>}
      </div>
      <div class="work-numbers number">
        {isOver ? (
          <span class="muted">
            {whole(item.distinct_states ?? item.total_states)} states, depth {item.depth}
          </span>
        ) : (
          <Numbers progress={progress} />
        )}
        {state === 'running' && <TimeLeft since={created_at} left={progress.seconds_left} />}
        {!isOver && <Sparkline id={id} />}
      </div>
      <Acts acts={actsOf(item, list)} of={id} />
    </li>
  );
}

const OUTCOMES = {
  violated: 'steps to a violation',
  holds: 'states, holds',
  running: '',
  undecided: 'states, undecided',
  failed: '',
  none: '',
} as const;

function Numbers({ progress }: { readonly progress: Exploration['progress'] }) {
  const { done, rate_per_second, depth, frontier } = progress;
  const parts = [
    `${short(done)} states`,
    rate_per_second === undefined ? undefined : `${short(rate_per_second)}/s`,
    depth === undefined ? undefined : `depth ${depth}`,
    frontier === undefined ? undefined : `frontier ${short(frontier)}`,
  ];
  return <span>{parts.filter((part) => part !== undefined).join(' · ')}</span>;
}

/** Where it can be looked at: its difference, its shortest violation, or the walk through its world. */
function placeOf(item: Exploration): string {
  const parts: WorldParts = { exploration: item.id };
  if (item.difference) return `/ui/compare?e=${item.id}`;
  const { counterexample } = searchOf(item);
  return worldPlace(parts, counterexample === undefined ? 'walk' : `ce/${counterexample}`);
}

function actsOf(item: Exploration, { put, drop }: List): Act[] {
  const { id, state } = item;
  const path = { exploration: id };
  const cancel: Act = {
    label: 'Cancel',
    act: async () => put(await post('/v1/explorations/{exploration}/cancel', { path })),
  };
  const pause: Act = {
    label: 'Pause',
    act: async () => put(await post('/v1/explorations/{exploration}/pause', { path })),
  };
  const resume: Act = {
    label: 'Resume',
    act: async () => put(await post('/v1/explorations/{exploration}/resume', { path })),
  };
  if (state === 'queued' || state === 'running') return [pause, cancel];
  if (state === 'paused') return [resume, cancel];
  const forget: Act = {
    label: 'Delete',
    act: async () => {
      await remove('/v1/explorations/{exploration}', { path });
      drop(id);
    },
  };
  const body = doubled(item);
  if (body === undefined) return [forget];
  const further = async () => put(await searchFurther(body));
  return [{ label: 'Search further', act: further }, forget];
}
