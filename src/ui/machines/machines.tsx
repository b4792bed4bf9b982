/** Real machines: drop what they have printed, and see what it shows; or what was kept of them. */
import { useSignal } from '@preact/signals';
import { get, remove } from '../api/client.js';
import { curl, useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, go } from '../router.js';
import { List } from '../widgets/list.js';
import { moment } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting, WaitingScreen } from '../widgets/waiting.js';
import { Drop } from './drop.js';
import { Explanations } from './explanations.js';
import { getObservation, linesOfStored, type Reading } from './reading.js';
import { ReadingView } from './reading-view.js';
import { MachineMark } from './verdict.js';
import '../hosts/hosts.css';
import './machines.css';

const SHOWN = 50;

export function Machines({ parts }: { readonly parts: { readonly observation?: string } }) {
  const { observation } = parts;
  return observation === undefined ? <Start /> : <Stored key={observation} id={observation} />;
}

interface Looked {
  readonly reading: Reading;
  readonly lines: readonly string[] | undefined;
}

function Start() {
  const looked = useSignal<Looked | undefined>(undefined);
  useHeader({
    title: 'Machines',
    curl: [
      `dmesg | ${curl('/v1/observations?dry_run=true', undefined, 'content-type: text/plain')} --data-binary @-`,
    ],
  });
  return (
    <div class="screen">
      <div class="host-head">
        <h1>Real machines</h1>
        <a href="/ui/pools">Pools and leases</a>
      </div>
      <Drop
        read={(reading, lines) => {
          if ('id' in reading) go(addressOfPlace(`/machines/${reading.id}`));
          else looked.value = { reading, lines };
        }}
      />
      {looked.value !== undefined && <ReadingView {...looked.value} />}
      <Kept />
    </div>
  );
}

function Kept() {
  const { value, problem, reload } = useLoaded(
    'observations',
    (signal) => get('/v1/observations', { query: { limit: SHOWN }, signal }),
    { changes: ({ type }) => type.startsWith('observation.') },
  );
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  if (value === undefined) return <Waiting what="What was kept is loading" lines={3} />;
  if (value.items.length === 0) return <p class="muted">Nothing is kept here yet.</p>;
  return (
    <List
      caption="Kept"
      heads={['Machine', 'Verdict', 'Format', 'Sent']}
      rows={value.items.map(({ id, machine, verdict, format, created_at }) => ({
        key: id,
        cells: [
          <a href={`/ui/machines/${id}`}>{machine ?? id}</a>,
          <MachineMark verdict={verdict} />,
          format,
          moment(created_at),
        ],
      }))}
    />
  );
}

function Stored({ id }: { readonly id: string }) {
  const { value, problem, reload } = useLoaded(id, (signal) => getObservation(id, signal), {
    changes: ({ subject }) => subject === id,
  });
  const isDone = value?.state === 'done';
  const text = useLoaded(isDone ? `${id} text` : undefined, (signal) =>
    linesOfStored(id, value?.bytes, signal),
  );
  const route = `/v1/observations/${id}`;
  useHeader({
    title: value?.machine ?? 'A machine',
    curl: [curl(route), curl(`${route}/raw`)],
    take: [{ label: 'The text as it was sent', address: `${route}/raw`, name: `${id}.txt` }],
  });
  if (problem !== undefined) {
    return (
      <div class="screen">
        <ProblemPanel problem={problem} retry={reload} />
        <p>
          <a href="/ui/machines">All machines</a>
        </p>
      </div>
    );
  }
  if (value === undefined) return <WaitingScreen what="The observation is loading" />;
  const forget = async (): Promise<void> => {
    await remove('/v1/observations/{observation}', { path: { observation: id } });
    go(addressOfPlace('/machines'));
  };
  return (
    <div class="screen">
      <div class="host-head">
        <h1>{value.machine ?? id}</h1>
        <span class="muted">{moment(value.created_at)}</span>
        <button type="button" class="small" onClick={() => void forget().catch(reload)}>
          Delete it
        </button>
      </div>
      {value.state === 'reading' && <p role="status">It is being read …</p>}
      {value.error !== undefined && <p class="field-problem">{value.error}</p>}
      {isDone && <ReadingView reading={value} lines={text.value} />}
      {isDone && <Explanations observation={id} />}
    </div>
  );
}
