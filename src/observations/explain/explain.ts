/**
 * Whether a machine with a kernel can have made a recording: the recording is followed in each world that may have been the
 * machine's, until one can walk it.
 */
import type { Limits, StopReason } from '../../explorer/budget.js';
import { type Followed, follow } from '../../explorer/follow.js';
import { MISSING } from '../../explorer/observation.js';
import type { Path } from '../../explorer/path.js';
import type { MachineModel } from '../../model/machine-model.js';
import { allClosed, inGuest, othersClosed } from '../../model/recordings/beginnings.js';
import type { Seen, Symbols } from '../../model/recordings/symbols.js';
import { violationsAlong } from '../../model/recordings/violations.js';
import type { CpuModel } from '../../pmu/arch/cpu-model.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { cluesOf } from './clues.js';
import type { RecordedRun } from './recorded-run.js';
import {
  type Beginning,
  type Candidate,
  candidatesOf,
  EVENTS_MAX,
  type GivenWorld,
  VCPUS_MAX,
} from './worlds.js';

export interface ExplanationOptions {
  /** Of each world; `millisMax` of all together. */
  readonly limits: Limits;
  readonly now: () => number;
  readonly stop?: Int32Array;
  readonly onProgress?: (records: number) => void;
}

export interface Explanation {
  readonly verdict: Followed['verdict'];
  /** Why it is undecided: a bound, or that the recording asks for more than a search can hold. */
  readonly reason: StopReason | 'too_many_events' | 'too_many_vcpus' | 'no_world' | null;
  /** The world of the schedule; null where there is none. */
  readonly model: MachineModel | null;
  readonly inference: readonly string[];
  readonly path: Path;
  /** Records that the schedule makes; the next is the first that no schedule reaches. */
  readonly reached: number;
  readonly instead: readonly Seen[];
  /** Ids of the invariants that fail somewhere along the schedule. */
  readonly violated: readonly string[];
  readonly states: number;
}

const NOTHING: Explanation = {
  verdict: 'undecided',
  reason: null,
  model: null,
  inference: [],
  path: [],
  reached: 0,
  instead: [],
  violated: [],
  states: 0,
};

/** Of beginnings anywhere in a run. */
const WIDTH_MAX = 200_000;
const GAVE_UP = `beginnings in the middle of a run were given up: there are more than ${WIDTH_MAX}`;

export function explain(
  given: GivenWorld,
  kernel: KernelVariant,
  model: CpuModel,
  run: RecordedRun,
  symbols: Symbols,
  options: ExplanationOptions,
): Explanation {
  const clues = cluesOf(run.symbols, symbols);
  if (run.vcpus > VCPUS_MAX) return { ...NOTHING, reason: 'too_many_vcpus' };
  if (clues.events.length > EVENTS_MAX) return { ...NOTHING, reason: 'too_many_events' };
  const recorded = { clues, vcpus: run.vcpus, symbols };
  const { limits, now } = options;
  const deadline = limits.millisMax === undefined ? undefined : now() + limits.millisMax;
  let best: Explanation | null = null;
  let cut: Explanation['reason'] = null;
  let states = 0;
  let gaveUp = false;
  for (const candidate of candidatesOf(given, kernel, model, recorded)) {
    const left = deadline === undefined ? {} : { millisMax: Math.max(0, deadline - now()) };
    const found = followed(candidate, run, symbols, {
      ...options,
      limits: { ...limits, ...left },
    });
    states += found.states;
    if (found.verdict === 'explained') return { ...found, states };
    if (candidate.beginning === 'anywhere' && found.reason === 'statesMax') {
      // That it began at one of these places is the most likely; the others are too many.
      gaveUp = true;
      break;
    }
    cut = found.reason ?? cut;
    if (best === null || found.reached > best.reached) best = found;
    if (cut === 'millisMax' || cut === 'cancelled') break;
  }
  if (best === null) return { ...NOTHING, reason: cut ?? 'no_world' };
  const verdict = cut === null ? 'unexplained' : 'undecided';
  const inference = gaveUp ? [...best.inference, GAVE_UP] : best.inference;
  return { ...best, verdict, inference, reason: cut, states };
}

function followed(
  { machine, inference, beginning }: Candidate,
  run: RecordedRun,
  symbols: Symbols,
  { limits, stop, onProgress }: ExplanationOptions,
): Explanation {
  const isAnywhere = beginning === 'anywhere';
  const before = isAnywhere ? 1 : 0;
  const recording = isAnywhere ? Int32Array.from([MISSING, ...run.symbols]) : run.symbols;
  const found = follow(machine, recording, {
    start: startOf(machine, beginning),
    limits,
    ...(isAnywhere ? { widthMax: WIDTH_MAX } : {}),
    ...(stop === undefined ? {} : { stop }),
    onProgress: (position) => onProgress?.(Math.max(0, position - before)),
  });
  return {
    verdict: found.verdict,
    reason: found.reason,
    model: machine,
    inference,
    path: found.path,
    reached: Math.max(0, found.position - before),
    instead: found.instead.map((symbol) => symbols.of(symbol)),
    violated: found.verdict === 'explained' ? violationsAlong(machine, found.path) : [],
    states: found.states,
  };
}

function startOf(model: MachineModel, beginning: Beginning): Path {
  switch (beginning) {
    case 'closed':
      return allClosed(model);
    case 'others_closed':
      return othersClosed(model);
    case 'in_guest':
      return inGuest(model);
    default:
      return [];
  }
}
