/** Worlds of one's own: no scenarios, but models that were searched or opened in this browser. */
import { addressOfPlace } from '../router.js';
import { List } from '../widgets/list.js';
import { moment } from '../widgets/numbers.js';
import { forgetWorld, ownWorlds } from '../worlds/mine.js';

export function OwnWorlds() {
  const worlds = ownWorlds.value;
  if (worlds.length === 0) {
    return (
      <p>
        There is none yet. <a href="/ui/live">Start a search</a> whose JSON has a <code>model</code>{' '}
        instead of a scenario, or open somebody's link to one: this browser keeps a list of them.
      </p>
    );
  }
  return (
    <List
      heads={['World', 'What is in it', 'Last opened', '']}
      rows={worlds.map(({ key, title, content, seen_at }) => ({
        key,
        cells: [
          <a href={addressOfPlace(`/${key}/walk`)}>{title}</a>,
          content,
          moment(seen_at),
          <button
            type="button"
            class="small"
            aria-label={`Delete ${title}, ${content}`}
            onClick={() => forgetWorld(key)}
          >
            Delete
          </button>,
        ],
      }))}
    />
  );
}
