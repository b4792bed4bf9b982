/** The first violating walk of a cell: walked once more, shrunk, and turned into a script. */
import type { CampaignViolation } from '../../../schemas/campaign.js';
import { formatPath } from '../../explorer/path.js';
import { shortcut } from '../../explorer/shortcut.js';
import { shrink } from '../../explorer/shrink.js';
import { pathOfWalk } from '../../explorer/walk.js';
import { replayScript } from '../../model/replay-script.js';
import { scriptActions } from '../wire.js';
import { modelOf } from './cell-models.js';
import type { CellTask } from './plan.js';

/** A walk that violates an invariant of a cell, both by index. */
export interface ViolatingWalk {
  readonly cell: number;
  readonly property: number;
  readonly walk: number;
}

/** Actions replayed while shrinking, which take a few seconds; no run of the catalogue's worlds comes near. */
const SHRINK_WORK_MAX = 3_000_000;

const SCRIPT_ACTIONS_MAX = 1000;

export function firstViolation(task: CellTask<ViolatingWalk>): CampaignViolation {
  const { cell, stepsPerWalk: stepsMax, piece } = task;
  const { walk, property } = piece;
  const model = modelOf(cell);
  const walked = pathOfWalk(model, { seed: cell.seed, stepsMax, walk }, property);
  if (walked === null) {
    throw new Error(`walk ${walk} does not violate ${cell.properties[property]}`);
  }
  const path = shrink(model, shortcut(model, walked), 1 << property, SHRINK_WORK_MAX);
  const { host, script } = replayScript(model, path);
  return {
    walk,
    walk_steps: walked.length,
    steps: path.length,
    path: formatPath(path),
    host,
    ...(script.length > SCRIPT_ACTIONS_MAX ? {} : { script: scriptActions(script) }),
  };
}
