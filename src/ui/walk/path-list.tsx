/** The way to the state: each step leads back to where it was taken. */
import { ACTOR_GLYPHS, type Actor } from '../widgets/actor.js';

/** What is used of a line of the `jsonl` export. */
export interface PathStep {
  readonly step: number;
  readonly actor: Actor;
  readonly at: string;
  readonly action: string;
}

interface Props {
  readonly taken: readonly PathStep[];
  readonly path: string;
  readonly place: (path: string) => string;
}

export function PathList({ taken, path, place }: Props) {
  const parts = path.split('/');
  return (
    <section class="panel path" aria-label="Path">
      <header>
        <h2>Path</h2>
        <span class="muted number">{taken.length} steps</span>
      </header>
      <ol class="inside">
        <li>
          <a href={place('')} aria-current={path === '' ? 'step' : undefined}>
            <b class="number">0</b> the first state
          </a>
        </li>
        {taken.map(({ step, actor, at, action }) => (
          <li key={step}>
            <a
              href={place(parts.slice(0, step).join('/'))}
              aria-current={step === taken.length ? 'step' : undefined}
            >
              <b class="number">{step}</b> <span aria-hidden="true">{ACTOR_GLYPHS[actor]}</span>{' '}
              {actor === 'nmi' ? action : <code>{at}</code>}
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}
