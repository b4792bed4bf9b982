/** A world that cannot be. */
import { Refused } from '../pmu/stepping/refused.js';

export class WorldError extends Refused {
  override readonly name = 'WorldError';
  /** The part of the spec, as a JSON pointer; `field` is below it. */
  readonly place: string;

  constructor(place: string, { kind, message, field, errno }: Refused) {
    super(kind, message, field, errno);
    this.place = place;
  }
}

/** Refuses a world for a rule that a part of it breaks. */
export function refusedWorld(place: string, reason: string): never {
  throw new WorldError(place, new Refused('rule', reason));
}

/** Sets a part of a world up; what the machine refuses is thrown with the place it has in the spec. */
export function within<Result>(place: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw error instanceof Refused ? new WorldError(place, error) : error;
  }
}
