/** What the machines of a pool showed, next to what the model says of them. */
import type { Disagreement, PoolMachine } from '../../../schemas/pool.js';

export interface Shown {
  readonly observations: number;
  readonly autoload: number;
  readonly none: number;
  readonly stuck: number;
}

export const NOTHING_SHOWN: Shown = { observations: 0, autoload: 0, none: 0, stuck: 0 };

interface ShownRow {
  readonly machine: string;
  readonly path: string | null;
  readonly verdict: string | null;
  readonly count: number;
}

export function shownBy(rows: readonly ShownRow[]): ReadonlyMap<string, Shown> {
  const machines = new Map<string, Shown>();
  for (const { machine, path, verdict, count } of rows) {
    const before = machines.get(machine) ?? NOTHING_SHOWN;
    const isStuck = verdict === 'stuck' || verdict === 'transient';
    machines.set(machine, {
      observations: before.observations + count,
      autoload: before.autoload + (path === 'autoload' ? count : 0),
      none: before.none + (path === 'none' ? count : 0),
      stuck: before.stuck + (isStuck ? count : 0),
    });
  }
  return machines;
}

/** One text may show that the register is in the areas; that it never is, takes that none does. */
export function disagreements(machine: PoolMachine): Disagreement[] {
  const { name, predicted_path: path, observations } = machine;
  const { shown_autoload: autoload, shown_none: none, shown_stuck: stuck } = machine;
  const found: Disagreement[] = [];
  const say = (kind: Disagreement['kind'], text: string): void => {
    found.push({ machine: name, kind, text });
  };
  const texts = (count: number, what: string): string =>
    `${count} of ${observations} ${observations === 1 ? 'text' : 'texts'} ${count === 1 ? 'shows' : 'show'} ${what}`;
  if (path === 'autoload' && none > 0 && autoload === 0) {
    const what = texts(none, 'that it does not');
    say('never_autoload', `The model says that ${name} loads IA32_PEBS_ENABLE; ${what}.`);
  }
  if (path === 'none' && autoload > 0) {
    const what = texts(autoload, 'that it does');
    say(
      'unexpected_autoload',
      `The model says that ${name} does not load IA32_PEBS_ENABLE; ${what}.`,
    );
  }
  if (path === 'none' && stuck > 0) {
    const what = texts(stuck, 'a stuck bit');
    say('unexpected_stuck', `The model says that ${name} does not load IA32_PEBS_ENABLE; ${what}.`);
  }
  return found;
}
