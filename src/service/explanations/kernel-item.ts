/** What clients read of the explanation by one kernel. */
import type { KernelExplanation } from '../../../schemas/explanation.js';
import { storyOfPath } from '../../model/exports/of-path.js';
import type { Symbols } from '../../model/recordings/symbols.js';
import { toText } from '../../model/render/text.js';
import { replayScript } from '../../model/replay-script.js';
import { STEPS_TOLD_MAX } from '../../model/vocabulary.js';
import type { Explanation } from '../../observations/explain/explain.js';
import type { RecordedRun } from '../../observations/explain/recorded-run.js';
import { toldSeen } from '../../observations/explain/told.js';

type Model = KernelExplanation['model'];

export async function explanationItem(
  kernel: string,
  found: Explanation,
  run: RecordedRun,
  symbols: Symbols,
): Promise<KernelExplanation> {
  const { verdict, reason, inference, reached, path, states, violated } = found;
  return {
    kernel,
    verdict,
    reason: verdict === 'undecided' ? reason : null,
    inference: [...inference],
    model: modelItem(found),
    reached,
    steps: path.length,
    violated: [...violated],
    ...unreached(found, run, symbols),
    ...(await schedule(kernel, found)),
    states,
  };
}

/** Without what requests cannot say. */
function modelItem({ model }: Explanation): Model {
  if (model === null) return null;
  const { nmi_throttles: _, nmi_overflows: __, guest_writes: ___, ...spec } = model.explored.spec;
  return spec as Model;
}

function unreached(
  { verdict, reached, instead }: Explanation,
  { symbols: recorded, lines }: RecordedRun,
  symbols: Symbols,
): Pick<KernelExplanation, 'unreached'> {
  const symbol = recorded[reached];
  if (verdict !== 'unexplained' || symbol === undefined || symbol === 0) return {};
  return {
    unreached: {
      line: lines[reached] as number,
      recorded: toldSeen(symbols.of(symbol)),
      // Exits of several kinds have the same words.
      instead: [...new Set(instead.map(toldSeen))],
    },
  };
}

async function schedule(
  kernel: string,
  { model, path, verdict }: Explanation,
): Promise<Pick<KernelExplanation, 'host' | 'script' | 'story'>> {
  if (model === null || verdict === 'undecided' || path.length > STEPS_TOLD_MAX) return {};
  const { host, script } = replayScript(model, path);
  const title = verdict === 'explained' ? `As ${kernel} makes it` : `How far ${kernel} makes it`;
  const story = await storyOfPath(model, { path, title }, async () => {});
  return { host, script, story: toText(story, false) } as Pick<
    KernelExplanation,
    'host' | 'script' | 'story'
  >;
}
