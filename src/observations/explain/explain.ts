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
import { followRecording } from '../../model/recordings/follow-recording.js';
import type { ObservedMachine } from '../../model/recordings/observed-machine.js';
import { impossibleAt } from '../../model/recordings/possible-values.js';
import { quietStates } from '../../model/recordings/quiet-states.js';
import type { Seen, Symbols } from '../../model/recordings/symbols.js';
import { violationsAlong } from '../../model/recordings/violations.js';
import type { CpuModel } from '../../pmu/arch/cpu-model.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import { type Clues, cluesOf } from './clues.js';
import type { RecordedRun } from './recorded-run.js';
import {
  type Beginning,
  type Candidate,
  candidatesOf,
  EVENTS_MAX,
  type GivenWorld,
  KNOWN_BEGINNINGS,
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

/** What each world may take at first: one that is not the machine's may have many more states than the one that is. At last there is no bound. */
const STATES_MAX = 1_000_000;
/** Of beginnings anywhere in a run, and between operations. */
const WIDTH_MAX = 200_000;
const QUIET_MAX = 4_000;
const QUIET_MILLIS_MAX = 5_000;
const GAVE_UP = `beginnings in the middle of a run were given up: there are more than ${WIDTH_MAX}`;
const IMPOSSIBLE = 'the CPU cannot have the value of the record that no schedule reaches';
const NOWHERE =
  'nor does it fit from the middle of a run, if no NMI had landed in an operation before its first record';

export function explain(
  given: GivenWorld,
  kernel: KernelVariant,
  model: CpuModel,
  run: RecordedRun,
  symbols: Symbols,
  options: ExplanationOptions,
): Explanation {
  if (run.vcpus > VCPUS_MAX) return { ...NOTHING, reason: 'too_many_vcpus' };
  return new Explainer(given, kernel, model, run, symbols, options).explain();
}

class Explainer {
  private readonly deadline: number;
  private readonly recording: Int32Array;
  /** The place of the first record that no machine can have made, which ends the recording. No run comes further. */
  private readonly end: number;
  /** Where the recording was taken to begin, with the specification of a world of which no run explains it. */
  private readonly tried = new Set<string>();
  private states = 0;
  private guestWrites: Clues['guestWrites'] = [];

  constructor(
    private readonly given: GivenWorld,
    private readonly kernel: KernelVariant,
    private readonly model: CpuModel,
    private readonly run: RecordedRun,
    private readonly symbols: Symbols,
    private readonly options: ExplanationOptions,
  ) {
    this.deadline = options.now() + (options.limits.millisMax ?? Number.POSITIVE_INFINITY);
    const end = impossibleAt(run.symbols, symbols, capsOf(kernel, model));
    this.end = end < 0 ? run.symbols.length : end;
    this.recording = run.symbols.subarray(0, this.end + 1);
  }

  explain(): Explanation {
    const symbols = this.recording.subarray(0, this.end);
    const whole = cluesOf(symbols, this.symbols);
    this.guestWrites = whole.guestWrites;
    let clues = whole;
    let best = this.knownBeginnings(clues);
    const tried = new Set([JSON.stringify(clues)]);
    // What no schedule reaches may be what misled: the records up to there, and those before it, tell of the machine too.
    while (mayBeMisled(best) && !this.isAtEnd(best)) {
      const next = [best.reached + 1, best.reached]
        .map((count) => cluesOf(symbols.subarray(0, count), this.symbols))
        .find((other) => !tried.has(JSON.stringify(other)));
      if (next === undefined) break;
      tried.add(JSON.stringify(next));
      const other = this.knownBeginnings(next);
      if (other.verdict === 'explained' || isFurther(other, best)) {
        best = other;
        clues = next;
      }
    }
    if (this.isAtEnd(best)) {
      return { ...best, inference: [...best.inference, IMPOSSIBLE], states: this.states };
    }
    for (const some of new Set([whole, clues])) {
      if (best.verdict === 'unexplained') best = this.anywhere(some, best);
    }
    return { ...best, states: this.states };
  }

  /** Follows the recording from where it is likely to begin. */
  private knownBeginnings(clues: Clues): Explanation {
    if (clues.events.length > EVENTS_MAX) return { ...NOTHING, reason: 'too_many_events' };
    let best: Explanation = NOTHING;
    let cut: Explanation['reason'] = null;
    const left: Candidate[] = [];
    for (const { candidate, statesMax } of this.attempts(clues, left)) {
      const key = keyOf(candidate);
      if (this.tried.has(key)) continue;
      const found = this.followed(candidate, statesMax);
      if (found.verdict === 'explained' || this.isAtEnd(found)) return found;
      if (found.verdict === 'unexplained') this.tried.add(key);
      if (isFurther(found, best)) best = found;
      if (found.reason === 'statesMax') left.push(candidate);
      else cut = found.reason ?? cut;
      if (cut === 'millisMax' || cut === 'cancelled') break;
    }
    if (best.model === null) return { ...NOTHING, reason: cut ?? 'no_world' };
    return { ...best, verdict: cut === null ? 'unexplained' : 'undecided', reason: cut };
  }

  /** Whether it comes as far as any run can that does not explain the recording. */
  private isAtEnd({ verdict, reached }: Explanation): boolean {
    return verdict === 'unexplained' && reached === this.end;
  }

  /** What is tried; whoever tries puts into `left` the worlds that need more states than they were given. */
  private *attempts(
    clues: Clues,
    left: Candidate[],
  ): Generator<{ readonly candidate: Candidate; readonly statesMax: number }> {
    const large: Candidate[] = [];
    for (const isRare of [false, true]) {
      for (const candidate of this.candidates(clues, KNOWN_BEGINNINGS, isRare)) {
        yield { candidate, statesMax: STATES_MAX };
      }
      large.push(...left.splice(0));
    }
    for (const candidate of large) yield { candidate, statesMax: Number.POSITIVE_INFINITY };
  }

  /** What comes closest, or an explanation from a beginning in the middle of a run. */
  private anywhere(clues: Clues, best: Explanation): Explanation {
    let closest = best;
    for (const candidate of this.candidates(clues, ['anywhere'])) {
      const key = keyOf(candidate);
      if (this.tried.has(key)) continue;
      this.tried.add(key);
      if (this.isRefuted(candidate, best.reached)) continue;
      const found = this.followed(candidate);
      if (found.verdict === 'explained') return found;
      const { reason } = found;
      if (reason !== null) {
        const told = reason === 'statesMax' ? [...best.inference, GAVE_UP] : best.inference;
        return { ...closest, verdict: 'undecided', reason, inference: told };
      }
      if (isFurther(found, closest)) closest = found;
    }
    return { ...closest, inference: [...closest.inference, NOWHERE] };
  }

  /** Whether no run comes further than `reached`, wherever it enters the recording between two operations. */
  private isRefuted({ machine }: Candidate, reached: number): boolean {
    const { options, deadline, recording } = this;
    const end = Math.min(deadline, options.now() + QUIET_MILLIS_MAX);
    const isOver = (): boolean => options.now() > end || this.isStopped();
    const entrances = quietStates(machine, QUIET_MAX, isOver);
    if (entrances === null) return false;
    const found = follow(machine, recording.subarray(0, reached + 1), {
      limits: this.limits(),
      widthMax: WIDTH_MAX,
      entrances,
      ...(options.stop === undefined ? {} : { stop: options.stop }),
    });
    this.states += found.states;
    return found.verdict === 'unexplained' && found.position <= reached;
  }

  private isStopped(): boolean {
    const { stop } = this.options;
    return stop !== undefined && Atomics.load(stop, 0) !== 0;
  }

  private candidates(
    clues: Clues,
    beginnings: readonly Beginning[],
    isRare = false,
  ): Generator<Candidate> {
    const { vcpus } = this.run;
    const { guestWrites, symbols } = this;
    const recorded = { clues, vcpus, symbols, guestWrites };
    return candidatesOf(this.given, this.kernel, this.model, recorded, beginnings, isRare);
  }

  private followed(candidate: Candidate, statesMax = Number.POSITIVE_INFINITY): Explanation {
    const limits = (): Limits => ({ ...this.limits(), statesMax });
    const found = followed(candidate, this.recording, this.symbols, this.options, limits);
    this.states += found.states;
    return found;
  }

  private limits(): Limits {
    const { limits, now } = this.options;
    return limits.millisMax === undefined
      ? limits
      : { ...limits, millisMax: Math.max(0, this.deadline - now()) };
  }
}

function keyOf({ machine, beginning }: Candidate): string {
  return `${beginning} ${JSON.stringify(machine.explored.spec)}`;
}

function isFurther(one: Explanation, other: Explanation): boolean {
  return other.model === null || one.reached > other.reached;
}

/** No bound was met, or it was what the recording seems to ask for. */
function mayBeMisled({ verdict, reason }: Explanation): boolean {
  return verdict === 'unexplained' || reason === 'no_world' || reason === 'too_many_events';
}

function followed(
  { machine, inference, beginning }: Candidate,
  recorded: Int32Array,
  symbols: Symbols,
  { stop, onProgress }: ExplanationOptions,
  limits: () => Limits,
): Explanation {
  const isAnywhere = beginning === 'anywhere';
  const before = isAnywhere ? 1 : 0;
  const recording = isAnywhere ? Int32Array.from([MISSING, ...recorded]) : recorded;
  const start = startOf(machine, beginning);
  const found = followRecording(machine, recording, () => ({
    start,
    limits: limits(),
    ...(isAnywhere ? { widthMax: WIDTH_MAX } : {}),
    ...(stop === undefined ? {} : { stop }),
    onProgress: (position) => onProgress?.(Math.max(0, position - before)),
  }));
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

function startOf(model: ObservedMachine, beginning: Beginning): Path {
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
