/** The way to the state: each step leads back to where it was taken. */
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import type { PathStep } from './path.js';

interface Props {
  readonly taken: readonly PathStep[];
  readonly path: string;
  readonly place: (path: string) => string;
  readonly run: string;
}

export function PathList({ taken, path, place, run }: Props) {
  const parts = path.split('/');
  return (
    <section class="panel path" aria-label="Path">
      <header>
        <h2>Path</h2>
        {path === '' ? (
          <span class="muted">no step yet</span>
        ) : (
          <a class="button small" href={run}>
            As a timeline
          </a>
        )}
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
