/** The schedule that tells two kernels apart as two runs, compared as those of a script are. */
import type { RunComparison, RunStep } from '../../../schemas/run-comparison.js';
import { registerChanges, registersItem } from '../../model/render/frame-items.js';
import type { PairRun, PairStory } from '../../model/render/pair-story.js';
import { framesOfPath } from '../../model/render/path-frames.js';
import type { PathStep } from '../../model/render/path-steps.js';
import { cpuOf, kindOf } from '../../model/steps/index.js';
import { actorOf } from '../../model/steps/told.js';
import { writeItems } from '../../model/values.js';
import { invariantsIn, violatedAt } from '../../pmu/invariants/index.js';
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import { type RunRecord, registerValues } from '../aligned-runs.js';
import { msrViews } from '../hosts/msr-views.js';
import { compared } from '../run-comparisons.js';

/** Shortest schedules are short; the steps of longer ones are not stored with the exploration. */
const STEPS_MAX = 200;

/** Null where the schedule is too long. */
export function pairRuns({ runs, rows }: Pick<PairStory, 'runs' | 'rows'>): RunComparison | null {
  if (rows.length > STEPS_MAX) return null;
  const kernels = runs.map(({ model }) => model.explored.spec.kernel);
  return compared(kernels, runs.map(recordOf), rows);
}

function recordOf(run: PairRun): RunRecord {
  const { host } = run.model.explored;
  const frames = framesOfPath(run.model, run.steps);
  return {
    before: registersItem(host, frames[0]!),
    steps: run.steps.map((step, at) => ({
      ...stepOf(run, step),
      changed: registerChanges(host, frames[at]!, frames[at + 1]!),
    })),
    registers: run.steps.map(({ after, label }) =>
      registerValues(msrViews({ ...host, state: after }, cpuOf(label))),
    ),
    refused: null,
  };
}

function stepOf({ model: { explored } }: PairRun, step: PathStep): RunStep {
  const { label, before, after, executes, writes } = step;
  const cpu = cpuOf(label);
  const { actor, about } = kindOf(label);
  const violated = violatedAt(explored.world, after, after.cpus[cpu]!);
  return {
    action: 0,
    actor: actorOf(explored, before, label),
    cpu,
    at: executes === undefined ? (actor ?? about) : STEP_NAMES[executes]!,
    writes: writeItems(writes, explored.host.addresses),
    violated: invariantsIn(violated),
  };
}
