/** Pools of real machines as tables: who holds a lease, what each machine is, what it has shown, and what does not fit the model. */
import { type Api, get } from '../api/client.js';
import { curl, useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { List } from '../widgets/list.js';
import { duration, moment, whole } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';
import { PoolJobs } from './pool-jobs.js';
import '../hosts/hosts.css';

const ALL = { limit: 100 };

export function Pools({ parts }: { readonly parts: { readonly pool?: string } }) {
  return (
    <div class="screen">
      {parts.pool === undefined ? <AllPools /> : <Pool key={parts.pool} pool={parts.pool} />}
    </div>
  );
}

function AllPools() {
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
        <List
          heads={['Pool', 'Title', 'A lease lasts', 'Made']}
          rows={value.items.map(({ name, title, lease_seconds, draining, created_at }) => ({
            key: name,
            cells: [
              <a href={`/ui/pools/${name}`}>{name}</a>,
              `${title ?? '–'}${draining ? ' (draining)' : ''}`,
              duration(lease_seconds),
              moment(created_at),
            ],
          }))}
        />
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
        <List
          caption="Machines"
          heads={['Machine', 'Lease', 'Last seen', 'CPU', 'Kernel', 'Loads the register', 'Stuck']}
          rows={machines.map((one) => ({
            key: one.name,
            cells: [
              one.name,
              <code>{one.lease ?? '–'}</code>,
              one.seen_at === undefined ? '–' : moment(one.seen_at),
              `${one.cpu_model ?? 'unknown'}${one.platform_class === null ? '' : ` (${one.platform_class})`}`,
              one.kernel === undefined ? 'unknown' : `${one.kernel} (${one.fix_state})`,
              pathWords(one),
              one.shown_stuck > 0 ? <span class="violated">▲ {one.shown_stuck}</span> : 0,
            ],
          }))}
        />
      )}
      <PoolJobs pool={pool} />
    </>
  );
}

/** What the model says of a machine, and what recordings have shown. */
function pathWords(machine: Api['PoolMachine']): string {
  const { predicted_path, shown_autoload, shown_none, observations } = machine;
  const shown =
    observations === 0
      ? 'nothing shown yet'
      : `shown: ${shown_autoload} yes, ${shown_none} no, of ${observations}`;
  return `predicted ${predicted_path}; ${shown}`;
}
