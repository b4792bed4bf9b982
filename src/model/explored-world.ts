/**
 * The world of a search: a host set up by the same operations as a live one, and the actors that may act on it.
 */
import { type CounterSet, GENERAL_PURPOSE, type U64 } from '../pmu/arch/counter-set.js';
import { msrCode } from '../pmu/arch/msr.js';
import type { MachineState } from '../pmu/machine/state.js';
import type { World } from '../pmu/machine/world.js';
import { HOST_OWNED, NO_EVENT, type PerfEventConfig } from '../pmu/perf/perf-event.js';
import { type ModelHost, setUp } from './set-up.js';
import { readU64 } from './values.js';
import { ACTOR_KINDS, type ActorKind } from './vocabulary.js';
import { refusedWorld } from './world-error.js';
import type { WorldSpec } from './world-spec.js';

export interface ExploredWorld {
  readonly spec: WorldSpec;
  /** The host before the search. */
  readonly host: ModelHost;
  readonly world: World;
  readonly initial: MachineState;
  /** By actor kind: how often it may act; 0 not at all, UNLIMITED any number of times. */
  readonly budgets: Readonly<Record<ActorKind, number>>;
  /** Whether an NMI may come between the load of pebs_enabled and the WRMSR of e3. */
  readonly nmiInE3: boolean;
  /** Counters that events may be on, host's and guests'. */
  readonly counters: CounterSet;
  readonly guestCounters: CounterSet;
  /** What each vCPU's guest may write, vCPU by vCPU. */
  readonly guestWrites: readonly GuestWrite[];
  /** Leaders of groups can close. */
  readonly detaches: boolean;
  /** Counters can be on for no active event, or off for one: after a reset, or by the fault of a kernel. */
  readonly strays: boolean;
}

export interface GuestWrite {
  readonly vcpu: number;
  readonly msr: number;
  readonly value: U64;
}

export const UNLIMITED = -1;

/** Who does something in a world without any vCPU. */
const MOVING_ACTORS = [
  'tick',
  'event_add',
  'event_del',
  'event_enable',
  'event_disable',
  'pmu_section',
  'bpf_snapshot',
] as const satisfies readonly ActorKind[];

/** Counters 0 to 7, fixed and pseudo ones: what the packed states have room for. */
const EXPLORABLE: CounterSet = 0xff | ~GENERAL_PURPOSE;

/** Sets the world up; throws a WorldError where it cannot be. */
export function exploredWorld(spec: WorldSpec): ExploredWorld {
  const budgets = budgetsOf(spec);
  const host = setUp(spec);
  const { world, state } = host;
  const ofEvents = (of: (config: PerfEventConfig) => CounterSet): CounterSet =>
    world.eventConfigs.reduce((all, config) => all | of(config), 0);
  const counters = ofEvents((config) => config.constraint | config.constraintPrecise3);
  if ((counters & ~EXPLORABLE) !== 0) {
    refusedWorld('/events', 'only PMC0 to PMC7 and the fixed counters can be explored');
  }
  return {
    spec,
    host,
    world,
    initial: state,
    budgets,
    nmiInE3: spec.nmi_in_e3 ?? true,
    counters,
    guestCounters: ofEvents(({ owner, guestCounter }) =>
      owner === HOST_OWNED ? 0 : 1 << guestCounter,
    ),
    guestWrites: state.vcpus.flatMap((_, vcpu) => guestWritesOf(spec, vcpu)),
    detaches:
      budgets.event_del !== 0 && world.eventConfigs.some(({ leader }) => leader !== NO_EVENT),
    strays: budgets.nmi_reset !== 0 || world.perfOptions.throttlesIdleMembers,
  };
}

/** Whether an actor may act once more; `spent` is how often each has. */
export function mayAct({ budgets }: ExploredWorld, spent: Int32Array, actor: ActorKind): boolean {
  const limit = budgets[actor];
  return limit === UNLIMITED || spent[ACTOR_KINDS.indexOf(actor)]! < limit;
}

function budgetsOf(spec: WorldSpec): Record<ActorKind, number> {
  const budgets = Object.fromEntries(ACTOR_KINDS.map((kind) => [kind, 0])) as Record<
    ActorKind,
    number
  >;
  (spec.actors ?? []).forEach(({ kind, budget }, at) => {
    if (budgets[kind] !== 0) {
      refusedWorld(`/actors/${at}/kind`, `the actor ${kind} is there already`);
    }
    budgets[kind] = budget ?? UNLIMITED;
  });
  if (budgets.migrate !== 0 && (spec.cpus ?? 1) < 2) {
    refusedWorld('/cpus', 'a vCPU can migrate only where there are two CPUs');
  }
  const moves = MOVING_ACTORS.some((kind) => budgets[kind] !== 0);
  if ((spec.vcpus ?? []).length === 0 && !moves) {
    refusedWorld(
      '/vcpus',
      `without a vCPU nothing happens unless one of ${MOVING_ACTORS.join(', ')} may act`,
    );
  }
  return budgets;
}

/** Those of MSRs that the engine has. */
function guestWritesOf({ guest_writes = [] }: WorldSpec, vcpu: number): GuestWrite[] {
  return guest_writes.flatMap(({ msr: name, value: text }) => {
    const msr = msrCode(name);
    const value = readU64(text);
    return msr === undefined || typeof value === 'string' ? [] : [{ vcpu, msr, value }];
  });
}
