/** What can happen next, and where each leads; and what cannot, with the guards that say so. */
import type { Api } from '../api/client.js';
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import { RegionMark } from './region.js';
import { before } from './walk.js';

interface Props {
  readonly state: Api['WalkState'];
  readonly place: (path: string) => string;
  readonly path: string;
}

export function Choices({ state, place, path }: Props) {
  const { enabled, refused } = state;
  return (
    <section class="panel choices" aria-label="Choices">
      <header>
        <h2>{enabled.length === 0 ? 'Nothing more can happen' : 'What can happen next'}</h2>
        {path !== '' && (
          <a class="button" href={place(before(path))} data-near>
            Undo
          </a>
        )}
      </header>
      <ol class="choice-list">
        {enabled.map((choice, at) => (
          <li key={choice.path}>
            <a class="button" href={place(choice.path)} data-near>
              <span class="choice-words">
                {at < 9 && <kbd aria-hidden="true">{at + 1}</kbd>}{' '}
                <span aria-hidden="true">{ACTOR_GLYPHS[choice.actor]}</span> {choice.action}
                {choice.micro_step !== undefined && (
                  <>
                    {' '}
                    <code>{choice.micro_step}</code>
                  </>
                )}
              </span>
              <span>
                <RegionMark region={choice.region} steps={choice.steps_to_violation} />
                {choice.violates.length > 0 && (
                  <span class="violated"> ▲ {choice.violates.join(' ')}</span>
                )}
              </span>
            </a>
          </li>
        ))}
      </ol>
      {refused.length > 0 && (
        <details class="refused">
          <summary>{refused.length} cannot, and why</summary>
          <dl>
            {refused.map(({ action, guards }) => (
              <div key={action}>
                <dt>{action}</dt>
                {guards.map((guard) => (
                  <dd key={guard}>{guard}</dd>
                ))}
              </div>
            ))}
          </dl>
        </details>
      )}
    </section>
  );
}
