/** Who acts in a step: a shape for each, the same everywhere. */
import type { Api } from '../api/client.js';

export type Actor = Api['CounterexampleStep']['actor'];

export const ACTORS: readonly Actor[] = ['perf', 'kvm', 'nmi', 'cpu', 'guest', 'host'];

export const ACTOR_GLYPHS: Readonly<Record<Actor, string>> = {
  kvm: '■',
  perf: '●',
  nmi: '▼',
  cpu: '◆',
  guest: '⬡',
  host: '○',
};

export function ActorMark({ actor }: { readonly actor: Actor }) {
  return (
    <span class="actor" data-actor={actor}>
      <span aria-hidden="true">{ACTOR_GLYPHS[actor]}</span> {actor}
    </span>
  );
}
