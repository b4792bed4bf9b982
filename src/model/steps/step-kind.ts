/**
 * What a kind of step is: one object says all that is asked of it, by searches, stories, scripts and refusals alike.
 *
 * Everything is a function of the world, the state before the step, the CPU and the target; what a target is, `about` says.
 */
import type { CounterSet } from '../../pmu/arch/counter-set.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld, GuestWrite } from '../explored-world.js';
import type { ActorKind, StoryActor } from '../vocabulary.js';

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
  readonly script: (
    script: StepScript,
    explored: ExploredWorld,
    state: MachineState,
    cpu: LogicalCpu,
    target: number,
  ) => void;
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

export type Ask<Answer> = (
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
) => Answer;

export interface Guard {
  /** `spent` is how often each actor has acted. */
  readonly holds: (
    explored: ExploredWorld,
    state: MachineState,
    cpu: LogicalCpu,
    target: number,
    spent: Int32Array,
  ) => boolean;
  /** Why not, where it does not hold. */
  readonly words: string | Ask<string>;
  /** Of counters: those for which it holds, all at once. */
  readonly among?: (explored: ExploredWorld, state: MachineState, cpu: LogicalCpu) => CounterSet;
  /** Whether it holds in every state of a world, so that nobody need ask. */
  readonly alwaysHolds?: (explored: ExploredWorld) => boolean;
}

export type Effect = (
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
) => void;

/** What a step can add to the script that replays its path on a live host. */
export interface StepScript {
  /** An action that happens at once. */
  act(action: ScriptStep): void;
  /** An action that starts an operation, with its first micro-step: PMU disable where none is given. */
  begin(cpu: number, action: ScriptStep, first?: number): void;
  /** The operation of a CPU makes one more micro-step. */
  goOn(cpu: number, executed: number): void;
  /** The run of a CPU leaves the guest for this reason, or never gets there. */
  exitFor(cpu: number, reason: string): void;
  nmi(cpu: number, nmi: ScriptNmi): void;
  /** Counters overflow now; their NMI comes later. */
  overflow(cpu: number, counters: string[]): void;
}

export type ScriptStep = { readonly action: string } & Record<string, unknown>;

export interface ScriptNmi {
  overflow?: string[];
  throttle?: string[];
  bpf_snapshot?: boolean;
  reset?: boolean;
}
