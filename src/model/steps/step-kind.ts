/** What a kind of step is: one object says all that is asked of it, by searches, stories, scripts and refusals alike. */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import type { ExploredWorld, GuestWrite } from '../explored-world.js';
import type { ActorKind, StoryActor } from '../vocabulary.js';

/**
 * A step that is there, possible or not. Everything asked of a kind of steps is a function of it. A search fills one object
 * again and again, so nobody who is asked keeps it.
 */
export interface Candidate {
  readonly explored: ExploredWorld;
  readonly world: World;
  /** Before the step. */
  state: MachineState;
  cpu: LogicalCpu;
  /** What it is, `about` says. */
  target: number;
  /** How often each actor has acted. */
  spent: Int32Array;
}

export type Ask<Answer> = (candidate: Candidate) => Answer;

export interface StepKind {
  /** Who takes it; the step is there only in worlds that have the actor. Without one, things simply go on. */
  readonly actor?: ActorKind;
  /** It costs the actor nothing of its budget. */
  readonly isFree?: true;
  /** Which worlds have the step, where the actor does not decide it. */
  readonly isIn?: (explored: ExploredWorld) => boolean;
  readonly about: About;
  /** When anything of the kind is possible on a CPU at all; rows that share it stand together in the list. */
  readonly when: Guard;
  /** What must hold besides. All can be asked in any state. */
  readonly guards: readonly Guard[];
  /** Takes the step, which must be possible. An operation that it begins makes its first micro-step. */
  readonly effect: Effect;
  /** What the step does. */
  readonly words: Ask<string>;
  /** Who does it in a story; `operation` stands for whoever the micro-step belongs to. */
  readonly by: StoryActor | 'operation';
  /** What the trace of a host calls it, where the step is no micro-step; absent if that is the actor's name. */
  readonly tracedAs?: string;
  /** Kernel source, where the step is no micro-step. */
  readonly source?: string;
  /** The micro-step that its CPU executes; without it, the step happens at once. */
  readonly executes?: Ask<number>;
  /** What a guest's WRMSR writes, where the step is one. */
  readonly guestWrite?: Ask<GuestWrite>;
  /** What it adds to the script that replays its path; without it, its operation goes on there too. */
  readonly script?: Ask<Scripted>;
}

/** What the targets of a step are; each is a candidate on a CPU, possible or refused. */
export type About =
  /** The CPU itself. */
  | 'cpu'
  /** The operation that the CPU has under way. */
  | 'operation'
  /** vCPUs that belong to the CPU, and the others. */
  | 'vcpu'
  | 'vcpu_elsewhere'
  | 'host_event'
  /** Events of the vCPUs that belong to the CPU. */
  | 'guest_event'
  /** What the guests of a world may write, by its place in the list. */
  | 'guest_write'
  /** Counters that events of the CPU hold, or held last. */
  | 'counter'
  /** Sets of counters with an active event that overflow together, and of them those that are throttled; none is no set. */
  | 'overflows'
  /** The whole machine, as a step of CPU 0. */
  | 'machine';

export interface Guard {
  readonly holds: Ask<boolean>;
  /** Why not, where it does not hold. */
  readonly words: string | Ask<string>;
  /** Of counters: those for which it holds, all at once. */
  readonly among?: Ask<CounterSet>;
  /** Whether it holds in every state of a world, so that nobody need ask. */
  readonly alwaysHolds?: (explored: ExploredWorld) => boolean;
}

export type Effect = (candidate: Candidate, sink: WriteSink) => void;

/** What a step can add to the script that replays its path on a live host. */
export interface Scripted {
  /** An action that happens at once. */
  readonly act?: ScriptStep;
  /** An action that starts an operation, with its first micro-step. */
  readonly begin?: ScriptStep;
  /** The run under way leaves the guest for this reason, or never gets there. */
  readonly exitFor?: string;
  readonly nmi?: ScriptNmi;
  /** Counters overflow now; their NMI comes later. */
  readonly overflow?: string[];
}

export type ScriptStep = { readonly action: string } & Record<string, unknown>;

export interface ScriptNmi {
  overflow?: string[];
  throttle?: string[];
  bpf_snapshot?: boolean;
  reset?: boolean;
}
