/** Campaigns of random walks: how far they are, and how often each kernel on each CPU went wrong. */
import { get, post, remove } from '../api/client.js';
import { useLoaded } from '../load.js';
import { query, setQuery } from '../router.js';
import { type Act, Acts } from '../widgets/acts.js';
import { count, short, whole } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';
import { Cells } from './cells.js';
import { TimeLeft } from './time-left.js';
import type { Campaign, WorkList } from './work.js';
import { WorkPanel } from './work-panel.js';

type List = WorkList<Campaign>;

export function Campaigns({ list }: { readonly list: List }) {
  const none = 'No campaign: random walks through many worlds, to compare rates.';
  return <WorkPanel id="campaigns" title="Campaigns" list={list} Row={Row} none={none} lines={2} />;
}

function Row({ item, list }: { readonly item: Campaign; readonly list: List }) {
  const { id, name, state, matrix, progress, created_at, violated_cells, error } = item;
  const { kernels, cpu_models, scenarios } = matrix;
  const isOpen = query.value.get('campaign') === id;
  const isOver = state !== 'queued' && state !== 'running';
  return (
    <li>
      <div class="work-name">
        <button
          type="button"
          class="link"
          aria-expanded={isOpen}
          onClick={() => setQuery({ campaign: isOpen ? undefined : id })}
        >
          {name ??
            `${count(kernels.length, 'kernel')} × ${count(cpu_models.length, 'CPU')} × ${count(scenarios.length, 'scenario')}`}
        </button>
        <code class="muted">{id}</code>
      </div>
      <div class="work-state">
        {violated_cells > 0 ? (
          <strong class="violated">
            ▲ {violated_cells} of {item.cells} cells
          </strong>
        ) : (
          <span>{isOver && state === 'succeeded' ? 'no violation' : state}</span>
        )}
        {error !== undefined && <p class="field-problem">{error}</p>}
      </div>
      <div class="work-numbers number">
        <span>
          {whole(progress.done)} / {whole(progress.total)} walks
          {!isOver &&
            progress.rate_per_second !== undefined &&
            ` · ${short(progress.rate_per_second)}/s`}
        </span>
        {!isOver && <progress value={progress.done} max={progress.total} aria-label="Walks" />}
        {!isOver && <TimeLeft since={created_at} left={progress.seconds_left} />}
      </div>
      <Acts acts={actsOf(item, list)} of={name ?? id} />
      {isOpen && <Results campaign={item} />}
    </li>
  );
}

function Results({ campaign }: { readonly campaign: Campaign }) {
  const { id } = campaign;
  const { value, problem, reload } = useLoaded(
    id,
    (signal) => get('/v1/campaigns/{campaign}/results', { path: { campaign: id }, signal }),
    { changes: ({ subject }) => subject === id },
  );
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  if (value === undefined) return <Waiting what="The results are loading" lines={3} />;
  return <Cells results={value} campaign={campaign} />;
}

function actsOf({ id, state }: Campaign, { put, drop }: List): Act[] {
  const path = { campaign: id };
  if (state === 'queued' || state === 'running') {
    const act = async () => put(await post('/v1/campaigns/{campaign}/cancel', { path }));
    return [{ label: 'Cancel', act }];
  }
  const forget = async (): Promise<void> => {
    await remove('/v1/campaigns/{campaign}', { path });
    drop(id);
  };
  return [{ label: 'Delete', act: forget }];
}
