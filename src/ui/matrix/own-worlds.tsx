/** Worlds of one's own: no scenarios, but models that were searched or opened in this browser. */
import { addressOfPlace } from '../router.js';
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
    <table class="list">
      <thead>
        <tr>
          <th scope="col">World</th>
          <th scope="col">What is in it</th>
          <th scope="col">Last opened</th>
          <th scope="col">
            <span class="unseen">Delete</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {worlds.map(({ key, title, content, seen_at }) => (
          <tr key={key}>
            <th scope="row">
              <a href={addressOfPlace(`/${key}/walk`)}>{title}</a>
            </th>
            <td>{content}</td>
            <td class="number">{moment(seen_at)}</td>
            <td>
              <button
                type="button"
                class="small"
                aria-label={`Delete ${title}, ${content}`}
                onClick={() => forgetWorld(key)}
              >
                Delete
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
