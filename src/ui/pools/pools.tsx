/** Pools of real machines as tables: who holds a lease, what each machine is, what it has shown, and what does not fit the model. */
import { get } from '../api/client.js';
import { curl, useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { moment, whole } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';
import { PoolJobs } from './pool-jobs.js';
import '../hosts/hosts.css';

const ALL = { limit: 100 };

export function Pools({ parts }: { readonly parts: { readonly pool?: string } }) {
  return (
    <div class="screen">
      {parts.pool === undefined ? <List /> : <Pool key={parts.pool} pool={parts.pool} />}
    </div>
  );
}

function List() {
  useHeader({ title: 'Pools', curl: [curl('/v1/pools')] });
  const { value, problem, reload } = useLoaded('pools', (signal) =>
    get('/v1/pools', { query: ALL, signal }),
  );
  return (
    <>
      <h1>Pools of machines</h1>
      {problem !== undefined && <ProblemPanel problem={problem} retry={reload} />}
      {value === undefined && problem === undefined && (
        <Waiting what="The pools are loading" lines={3} />
      )}
      {value?.items.length === 0 && (
        <p>
          There is no pool. One is made by <code>PUT /v1/pools/NAME</code>, and its machines take
          work by leases.
        </p>
      )}
      {value !== undefined && value.items.length > 0 && (
        <table class="list">
          <thead>
            <tr>
              <th scope="col">Pool</th>
              <th scope="col">Title</th>
              <th scope="col">A lease lasts</th>
              <th scope="col">Made</th>
            </tr>
          </thead>
          <tbody>
            {value.items.map(({ name, title, lease_seconds, draining, created_at }) => (
              <tr key={name}>
                <th scope="row">
                  <a href={`/ui/pools/${name}`}>{name}</a>
                </th>
                <td>
                  {title ?? '–'}
                  {draining && ' (draining)'}
                </td>
                <td class="number">{lease_seconds} s</td>
                <td class="number">{moment(created_at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Pool({ pool }: { readonly pool: string }) {
  useHeader({ title: pool, curl: [curl(`/v1/pools/${pool}`)] });
  const { value, problem, reload } = useLoaded(`pool ${pool}`, (signal) =>
    get('/v1/pools/{pool}', { path: { pool }, signal }),
  );
  if (problem !== undefined) {
    return (
      <>
        <ProblemPanel problem={problem} retry={reload} />
        <p>
          <a href="/ui/pools">All pools</a>
        </p>
      </>
    );
  }
  if (value === undefined) return <Waiting what="The pool is loading" lines={6} />;
  const { title, machines, runs, disagreements, draining } = value;
  return (
    <>
      <div class="host-head">
        <h1>{pool}</h1>
        <span class="muted">
          {title} {draining && '(draining)'}
        </span>
        <button type="button" class="small" onClick={reload}>
          Read again
        </button>
      </div>
      <p class="number">
        Runs:{' '}
        {Object.entries(runs)
          .map(([state, count]) => `${state} ${whole(count)}`)
          .join(' · ')}
      </p>
      {disagreements.length > 0 && (
        <div class="problem" role="status">
          <h2>What does not fit the model</h2>
          <ul>
            {disagreements.map(({ machine, kind, text }) => (
              <li key={machine + kind}>
                <strong>{machine}</strong>: {text}
              </li>
            ))}
          </ul>
        </div>
      )}
      {machines.length === 0 ? (
        <p class="muted">No machine has come to this pool yet.</p>
      ) : (
        <table class="list">
          <caption>Machines</caption>
          <thead>
            <tr>
              <th scope="col">Machine</th>
              <th scope="col">Lease</th>
              <th scope="col">Last seen</th>
              <th scope="col">CPU</th>
              <th scope="col">Kernel</th>
              <th scope="col">Loads the register: predicted, shown</th>
              <th scope="col">Stuck</th>
            </tr>
          </thead>
          <tbody>
            {machines.map((one) => (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td data-label="lease">
                  <code>{one.lease ?? '–'}</code>
                </td>
                <td data-label="seen" class="number">
                  {one.seen_at === undefined ? '–' : moment(one.seen_at)}
                </td>
                <td data-label="CPU">
                  {one.cpu_model ?? 'unknown'}
                  {one.platform_class !== null && ` (${one.platform_class})`}
                </td>
                <td data-label="kernel">
                  {one.kernel ?? 'unknown'} ({one.fix_state})
                </td>
                <td data-label="predicted, shown">
                  {one.predicted_path}, {one.shown_autoload} yes, {one.shown_none} no, of{' '}
                  {one.observations}
                </td>
                <td data-label="stuck" class={one.shown_stuck > 0 ? 'violated' : ''}>
                  {one.shown_stuck > 0 && '▲ '}
                  {one.shown_stuck}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <PoolJobs pool={pool} />
    </>
  );
}
