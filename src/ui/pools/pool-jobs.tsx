/** The jobs of a pool, and the runs and leases of the one that is opened. */
import { get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { query, setQuery } from '../router.js';
import { List } from '../widgets/list.js';
import { moment } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';

const SHOWN = { limit: 50 };

export function PoolJobs({ pool }: { readonly pool: string }) {
  const { value, problem, reload } = useLoaded(`jobs of ${pool}`, (signal) =>
    get('/v1/pool-jobs', { query: { ...SHOWN, pool }, signal }),
  );
  const open = query.value.get('job') ?? undefined;
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  if (value === undefined) return null;
  if (value.items.length === 0) return <p class="muted">No job waits for this pool.</p>;
  return (
    <List
      caption="Jobs"
      heads={['Job', 'State', 'Verdict', 'Copies', 'Made']}
      rows={value.items.map(({ id, state, verdict, copies, created_at }) => ({
        key: id,
        cells: [
          <button
            type="button"
            class="link"
            aria-expanded={open === id}
            onClick={() => setQuery({ job: open === id ? undefined : id })}
          >
            {id}
          </button>,
          state,
          verdict ?? '–',
          copies,
          moment(created_at),
        ],
        below: open === id ? <Runs job={id} /> : undefined,
      }))}
    />
  );
}

function Runs({ job }: { readonly job: string }) {
  const { value, problem, reload } = useLoaded(`runs of ${job}`, (signal) =>
    get('/v1/pool-jobs/{job}/runs', { path: { job }, query: SHOWN, signal }),
  );
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  if (value === undefined) return null;
  return (
    <List
      caption="Runs and leases"
      heads={['Run', 'State', 'Verdict', 'Lease', 'Attempts']}
      rows={value.items.map(({ id, state, verdict, lease, attempts }) => ({
        key: id,
        cells: [id, state, verdict ?? '–', <code>{lease ?? '–'}</code>, attempts.length],
      }))}
    />
  );
}
