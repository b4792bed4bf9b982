/** Follows a recording in a machine that forgets uses and guesses where they count, and makes sure that what it finds is so. */
import { type Followed, type FollowOptions, follow } from '../../explorer/follow.js';
import type { Observation } from '../../explorer/observation.js';
import { initialState, replay } from '../../explorer/path.js';
import type { ObservedMachine } from './observed-machine.js';
import { OneRun } from './one-run.js';

/** Options are asked for each time the recording is followed, since less time may be left then. */
export function followRecording(
  machine: ObservedMachine,
  recording: Observation,
  options: () => FollowOptions,
): Followed {
  const { guesses } = machine;
  const asked = options();
  const found = follow(machine, recording, asked);
  // Without a guess its runs are those of the machine that forgets nothing, and otherwise it has them all and maybe more.
  if (machine.guesses === guesses) return found;
  const { exact } = machine;
  const start = asked.start ?? [];
  const from = replay(exact, start).at(-1)?.state ?? initialState(exact);
  const run = new OneRun(exact, from, found.path.slice(start.length));
  const { position, instead } = follow(run, recording, { limits: {} });
  if (position >= found.position) {
    return found.verdict === 'explained' ? found : { ...found, instead };
  }
  if (found.verdict === 'undecided') {
    return { ...found, path: [...start, ...run.taken], position, instead };
  }
  const again = follow(exact, recording, options());
  return { ...again, states: found.states + again.states };
}
