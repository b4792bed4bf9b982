/** The jobs of a pool, and the runs and leases of the one that is opened. */
import { get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { query, setQuery } from '../router.js';
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
    <table class="list">
      <caption>Jobs</caption>
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">State</th>
          <th scope="col">Verdict</th>
          <th scope="col">Copies</th>
          <th scope="col">Made</th>
        </tr>
      </thead>
      <tbody>
        {value.items.map(({ id, state, verdict, copies, created_at }) => (
          <>
            <tr key={id}>
              <th scope="row">
                <button
                  type="button"
                  class="link"
                  aria-expanded={open === id}
                  onClick={() => setQuery({ job: open === id ? undefined : id })}
                >
                  {id}
                </button>
              </th>
              <td>{state}</td>
              <td>{verdict ?? '–'}</td>
              <td class="number">{copies}</td>
              <td class="number">{moment(created_at)}</td>
            </tr>
            {open === id && (
              <tr key={`${id} runs`}>
                <td colSpan={5}>
                  <Runs job={id} />
                </td>
              </tr>
            )}
          </>
        ))}
      </tbody>
    </table>
  );
}

function Runs({ job }: { readonly job: string }) {
  const { value, problem, reload } = useLoaded(`runs of ${job}`, (signal) =>
    get('/v1/pool-jobs/{job}/runs', { path: { job }, query: SHOWN, signal }),
  );
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  return (
    <table class="list">
      <caption>Runs and leases</caption>
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">State</th>
          <th scope="col">Verdict</th>
          <th scope="col">Lease</th>
          <th scope="col">Attempts</th>
        </tr>
      </thead>
      <tbody>
        {value?.items.map(({ id, state, verdict, lease, attempts }) => (
          <tr key={id}>
            <th scope="row">{id}</th>
            <td>{state}</td>
            <td>{verdict ?? '–'}</td>
            <td>
              <code>{lease}</code>
            </td>
            <td class="number">{attempts.length}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
