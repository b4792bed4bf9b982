/** Which parts of a world a violation needs, and the smallest world that still has it. */
import type { Exploration } from '../../../schemas/exploration.js';
import type { Verdict } from '../../explorer/result.js';
import { type SmallerWorlds, smallerWorlds } from '../../model/smaller-worlds.js';
import type { WorldSpec } from '../../model/world-spec.js';

/** The verdict on a world, and the steps to its first violation. */
export interface Judged {
  readonly verdict: Verdict;
  readonly steps: number;
}

type Judge = (world: WorldSpec) => Promise<Judged>;

/** Asks of every smaller world whether anything is still violated, then goes on with those that are. */
export async function assumptionsOf(
  model: WorldSpec,
  judge: Judge,
  signal: AbortSignal | undefined,
): Promise<Pick<Exploration, 'assumptions' | 'smallest_world'>> {
  const asked = new Asked(judge, signal);
  const assumptions: NonNullable<Exploration['assumptions']> = [];
  for (const smaller of smallerWorlds(model)) {
    if (signal?.aborted) {
      break;
    }
    const verdict = (await asked.any(smaller)).verdict;
    assumptions.push({
      assumption: smaller.assumption,
      needed: verdict === 'holds',
      verdict,
    });
  }
  return { assumptions, smallest_world: await smallest(model, asked) };
}

/** Drops what can be dropped until nothing can. */
async function smallest(
  model: WorldSpec,
  asked: Asked,
): Promise<NonNullable<Exploration['smallest_world']>> {
  let world = model;
  let steps: number | undefined;
  const without: string[] = [];
  for (let goesOn = true; goesOn; ) {
    goesOn = false;
    for (const smaller of smallerWorlds(world)) {
      const found = await asked.any(smaller);
      if (found.world !== undefined) {
        world = found.world;
        steps = found.steps;
        without.push(smaller.assumption);
        goesOn = true;
        break;
      }
    }
  }
  return {
    model: world,
    without,
    ...(steps === undefined ? {} : { steps }),
    minimal: asked.isDecided,
  };
}

/** Worlds that were judged already, which are many when one drops the same things in another order. */
class Asked {
  /** Whether every answer was certain. */
  isDecided = true;
  private readonly known = new Map<string, Judged>();

  constructor(
    private readonly judge: Judge,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** The first of the worlds that is still violated; else the worst verdict. */
  async any({ worlds }: SmallerWorlds): Promise<{
    verdict: Verdict;
    steps: number;
    world: WorldSpec | undefined;
  }> {
    let verdict: Verdict = 'holds';
    for (const world of worlds) {
      const judged = await this.one(world);
      if (judged.verdict === 'violated') {
        return { ...judged, world };
      }
      if (judged.verdict === 'undecided') {
        verdict = 'undecided';
        this.isDecided = false;
      }
    }
    return { verdict, steps: 0, world: undefined };
  }

  private async one(world: WorldSpec): Promise<Judged> {
    const key = JSON.stringify(world);
    const known = this.known.get(key);
    if (known !== undefined) {
      return known;
    }
    const judged = this.signal?.aborted
      ? { verdict: 'undecided' as const, steps: 0 }
      : await this.judge(world);
    this.known.set(key, judged);
    return judged;
  }
}
