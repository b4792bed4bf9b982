/** One script on several kernels: each runs it on a host of its own that is never stored, and the runs are compared. */
import type { HostCreate } from '../../schemas/host.js';
import type { RunComparison, RunComparisonRequest, RunStep } from '../../schemas/run-comparison.js';
import { registerChanges, registersItem } from '../model/render/frame-items.js';
import { writeItems } from '../model/values.js';
import { invariantsIn } from '../pmu/invariants/index.js';
import { type Frame, FrameWatch } from '../pmu/stepping/frame.js';
import type { TraceEntry } from '../pmu/stepping/run.js';
import {
  aligned,
  differencesOf,
  firstOf,
  type RegisterValues,
  type Row,
  type RunEnd,
  type RunRecord,
  registerValues,
} from './aligned-runs.js';
import { HostSession } from './hosts/host-session.js';
import { newHost } from './hosts/hosts.js';
import { msrViews } from './hosts/msr-views.js';
import { carryOut } from './hosts/scripts.js';
import { ProblemError } from './problem-error.js';
import { Slices } from './slices.js';

/** Of a run. */
const STEPS_MAX = 1000;
const DIFFERENCES_MAX = 1000;

/** The signal ends the work, with its reason, when nobody waits for it any longer. */
export async function compareRuns(
  request: RunComparisonRequest,
  signal: AbortSignal,
): Promise<RunComparison> {
  const { kernels, script, ...rest } = request;
  const slices = new Slices();
  const runs: Ended[] = [];
  for (const [side, kernel] of kernels.entries()) {
    runs.push(await run({ ...rest, kernel }, `/kernels/${side}`, script, signal));
    await slices.pause();
  }
  const [one] = runs;
  // What no kernel takes is a mistake in the script, not a difference between kernels.
  if (one?.problem && runs.every(({ refused }) => refused?.action === one.refused?.action)) {
    throw one.problem;
  }
  return compared(kernels, runs, aligned(runs));
}

/** The runs of kernels, and their differences; the rows say which steps belong together. */
export function compared(
  kernels: readonly string[],
  runs: readonly RunRecord[],
  rows: readonly Row[],
): RunComparison {
  const differences = differencesOf(runs, rows);
  return {
    sides: runs.map(({ before, steps, refused }, side) => ({
      kernel: kernels[side]!,
      verdict: steps.some(({ violated }) => violated.length > 0) ? 'violated' : 'holds',
      registers_before: [...before],
      steps: [...steps],
      refused,
    })),
    first: firstOf(differences),
    differences: differences.slice(0, DIFFERENCES_MAX),
  };
}

interface Ended extends RunRecord {
  readonly problem: ProblemError | null;
}

async function run(
  host: HostCreate,
  kernelPointer: string,
  script: RunComparisonRequest['script'],
  signal: AbortSignal,
): Promise<Ended> {
  const session = new HostSession(newHost(host, kernelPointer));
  const steps: RunStep[] = [];
  const registers: RegisterValues[] = [];
  const watch = new FrameWatch();
  const look = (): Frame => {
    watch.look(session.run.world, session.draft.state, session.run.violated);
    return watch.frame();
  };
  let frame = look();
  const before = registersItem(machineOf(session), frame);
  let at = 0;
  session.run.onStep = (entry) => {
    if (steps.length === STEPS_MAX) {
      const detail = `makes more than ${STEPS_MAX} steps, and longer runs are not compared`;
      throw new ProblemError('limit_reached', `The script ${detail}.`, [{ pointer: '', detail }]);
    }
    const after = look();
    const changed = registerChanges(machineOf(session), frame, after);
    frame = after;
    steps.push({ ...stepOf(session, at, entry), changed });
    registers.push(registerValues(msrViews(machineOf(session), entry.cpu)));
  };
  for (const action of script) {
    signal.throwIfAborted();
    try {
      await carryOut(session, action, `/script/${at}`);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code === 'limit_reached') throw error;
      return { before, steps, registers, refused: endOf(at, error), problem: error };
    }
    at += 1;
  }
  return { before, steps, registers, refused: null, problem: null };
}

function stepOf({ draft, run }: HostSession, action: number, entry: TraceEntry): RunStep {
  const { actor, cpu, at } = entry;
  const writes = writeItems(entry.writes, draft.addresses);
  return { action, actor, cpu, at, writes, violated: invariantsIn(run.violated[cpu]!) };
}

/** The world is replaced as it grows. */
function machineOf({ draft, run }: HostSession) {
  return { world: run.world, state: draft.state, addresses: draft.addresses };
}

function endOf(action: number, { errors, message }: ProblemError): RunEnd {
  return { action, detail: errors[0]?.detail ?? message };
}
