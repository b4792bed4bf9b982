/**
 * The world of a search: a host set up by the same operations as a live one, and the actors that may act on it.
 */
import {
  ACTOR_KINDS,
  type ActorKind,
  type ExplorationModel,
} from '../../schemas/exploration-model.js';
import { type CounterSet, GENERAL_PURPOSE } from '../pmu/arch/counter-set.js';
import type { MachineState } from '../pmu/machine/state.js';
import type { World } from '../pmu/machine/world.js';
import { HOST_OWNED } from '../pmu/perf/perf-event.js';
import { createHost, type Host } from '../service/hosts/host.js';
import { HostSession } from '../service/hosts/host-session.js';
import { cpuModelById, kernelById } from '../service/lookups.js';
import { ProblemError } from '../service/problem-error.js';
import { problemAt } from '../service/refusals.js';
import { parseU64 } from '../service/wire.js';

export interface ExploredWorld {
  readonly spec: ExplorationModel;
  /** The host before the search, at rest. */
  readonly host: Host;
  readonly world: World;
  readonly initial: MachineState;
  /** By actor kind: how often it may act; 0 not at all, UNLIMITED any number of times. */
  readonly budgets: Readonly<Record<ActorKind, number>>;
  readonly late: boolean;
  /** Counters that events may be on, host's and guests'. */
  readonly counters: CounterSet;
  readonly guestCounters: CounterSet;
  /** Counters can be on for no active event, or off for one: after a reset, or by the fault of a kernel. */
  readonly strays: boolean;
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

/** Sets the world up; refusals name the field below `pointer`. */
export function exploredWorld(spec: ExplorationModel, pointer: string): ExploredWorld {
  const budgets = budgetsOf(spec, pointer);
  const model = cpuModelById(spec.cpu_model, `${pointer}/cpu_model`);
  const booted = createHost({
    id: 'host_0',
    createdAt: '',
    model,
    kernel: kernelById(spec.kernel, `${pointer}/kernel`),
    stepping: spec.stepping ?? model.defaultStepping,
    microcode: parseU64(spec.microcode ?? 0, `${pointer}/microcode`),
    cpus: spec.cpus ?? 1,
    options: spec.options ?? {},
  });
  const session = new HostSession(booted);
  (spec.vcpus ?? []).forEach((vcpu, at) => {
    problemAt(`${pointer}/vcpus/${at}`, () => session.addVcpu({ name: `v${at}`, ...vcpu }));
  });
  (spec.events ?? []).forEach((event, at) => {
    problemAt(`${pointer}/events/${at}`, () => session.openEvent({ name: `e${at}`, ...event }));
  });
  (spec.vcpus ?? []).forEach((vcpu, at) => {
    (vcpu.wrmsr ?? []).forEach((write, nth) => {
      const where = `${pointer}/vcpus/${at}/wrmsr/${nth}`;
      const fault = problemAt(where, () => session.wrmsr(at, write));
      if (fault !== null) {
        throw refused(where, `the guest takes a #GP: ${fault}`);
      }
    });
  });
  const host = session.finish();
  const { world, state } = host;
  const counters = countersOf(world);
  if ((counters & ~EXPLORABLE) !== 0) {
    throw refused(`${pointer}/events`, 'only PMC0 to PMC7 and the fixed counters can be explored');
  }
  return {
    spec,
    host,
    world,
    initial: state,
    budgets,
    late: spec.nmi_timing === 'late',
    counters,
    guestCounters: guestCountersOf(world),
    strays: budgets.nmi_reset !== 0 || world.perfOptions.throttlesIdleMembers,
  };
}

function refused(pointer: string, detail: string): ProblemError {
  return new ProblemError('rule_violated', `${pointer}: ${detail}.`, [{ pointer, detail }]);
}

function budgetsOf(spec: ExplorationModel, pointer: string): Record<ActorKind, number> {
  const budgets = Object.fromEntries(ACTOR_KINDS.map((kind) => [kind, 0])) as Record<
    ActorKind,
    number
  >;
  (spec.actors ?? []).forEach(({ kind, budget }, at) => {
    if (budgets[kind] !== 0) {
      throw refused(`${pointer}/actors/${at}/kind`, `the actor ${kind} is there already`);
    }
    budgets[kind] = budget ?? UNLIMITED;
  });
  if (budgets.migrate !== 0 && (spec.cpus ?? 1) < 2) {
    throw refused(`${pointer}/cpus`, 'a vCPU can migrate only where there are two CPUs');
  }
  const moves = MOVING_ACTORS.some((kind) => budgets[kind] !== 0);
  if ((spec.vcpus ?? []).length === 0 && !moves) {
    throw refused(
      `${pointer}/vcpus`,
      `without a vCPU nothing happens unless one of ${MOVING_ACTORS.join(', ')} may act`,
    );
  }
  return budgets;
}

function countersOf(world: World): CounterSet {
  return world.eventConfigs.reduce(
    (all, config) => all | config.constraint | config.constraintPrecise3,
    0,
  );
}

function guestCountersOf(world: World): CounterSet {
  return world.eventConfigs.reduce(
    (all, config) => (config.owner === HOST_OWNED ? all : all | (1 << config.guestCounter)),
    0,
  );
}
