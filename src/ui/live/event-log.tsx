/** The events as they come; a pause keeps the place, and what came meanwhile is counted. */
import { useSignal } from '@preact/signals';
import type { Api } from '../api/client.js';
import { heardAt, recent } from '../api/events.js';
import { clock } from '../widgets/numbers.js';

type ServerEvent = Api['Event'];

const SHOWN = 100;
/** Only these are read out: progress would never be quiet. */
const LOUD = /\.ended$|^violation\./;

export function EventLog() {
  const held = useSignal<readonly ServerEvent[] | undefined>(undefined);
  const all = recent.value;
  const shown = held.value ?? all;
  const last = shown.at(-1);
  const missed =
    held.value === undefined ? 0 : all.length - 1 - all.findIndex(({ id }) => id === last?.id);
  const loud = all.findLast(({ type }) => LOUD.test(type));
  return (
    <section class="panel" aria-labelledby="events">
      <header>
        <h2 id="events">Events</h2>
        <div class="row">
          <Age />
          <button
            type="button"
            class="small"
            aria-pressed={held.value !== undefined}
            onClick={() => {
              held.value = held.value === undefined ? all : undefined;
            }}
          >
            {held.value === undefined ? 'Pause' : `Go on${missed > 0 ? `, ${missed} new` : ''}`}
          </button>
        </div>
      </header>
      <p class="unseen" aria-live="polite">
        {loud === undefined ? '' : `${loud.type} ${loud.subject} ${wordsOf(loud)}`}
      </p>
      {shown.length === 0 ? (
        <p class="inside muted">Nothing has happened since this page was opened.</p>
      ) : (
        <ol class="events" tabIndex={0} aria-label="Events, the newest first">
          {shown
            .slice(-SHOWN)
            .reverse()
            .map((event) => (
              <li key={event.id}>
                <time class="number muted">{clock(event.created_at)}</time>
                <code>{event.type}</code>
                <Subject {...event} />
                <span class="muted">{wordsOf(event)}</span>
              </li>
            ))}
        </ol>
      )}
    </section>
  );
}

/** When the stream was last heard of. */
function Age() {
  if (heardAt.value === 0) return null;
  return <span class="muted number">heard {clock(new Date(heardAt.value).toISOString())}</span>;
}

const PLACES: Readonly<Record<string, (subject: string) => string>> = {
  host: (id) => `/ui/h/${id}`,
  campaign: (id) => `/ui/live?campaign=${id}`,
  exploration: (id) => `/ui/e/${id}/walk`,
  observation: (id) => `/ui/machines/${id}`,
};

function Subject({ type, subject }: ServerEvent) {
  const [of = '', what] = type.split('.');
  const place = PLACES[of];
  if (place === undefined || what === 'deleted') return <code>{subject}</code>;
  return (
    <a href={place(subject)}>
      <code>{subject}</code>
    </a>
  );
}

/** What an event says, shortly: its values that are text or numbers. */
function wordsOf({ data }: ServerEvent): string {
  const said: string[] = [];
  for (const [name, value] of Object.entries(data as Record<string, unknown>)) {
    if (typeof value === 'string') said.push(value);
    else if (typeof value === 'number') {
      const number = Number.isInteger(value) ? value : Number(value.toPrecision(3));
      said.push(`${name.replaceAll('_', ' ')} ${number.toLocaleString('en')}`);
    }
  }
  return said.join(', ');
}
