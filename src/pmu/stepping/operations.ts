/**
 * What the owner of a host does to it, as whole operations: opening and closing events, adding vCPUs, a guest's WRMSR,
 * migration, ticks. Each is a sequence of the machine's actions, run to its end or cut short; `goOn` makes the rest.
 */
import type { U64 } from '../arch/counter-set.js';
import { GUEST, SETUP } from '../arch/write-sink.js';
import { guestEventConfig, wantedCounters } from '../kvm/guest-counters.js';
import type { GuestFeatures } from '../kvm/guest-msrs.js';
import * as actions from '../machine/actions.js';
import { vcpuOfRun } from '../machine/begin.js';
import { refuseShutDown } from '../machine/guards.js';
import { isFirstOfContext } from '../machine/open-close.js';
import { nextToReprogram, reprogramming } from '../machine/reprogram.js';
import { IDLE, isAboutEvent, type LogicalCpu, NO_VCPU } from '../machine/state.js';
import * as machine from '../machine/world.js';
import { placeEvent } from '../machine/world.js';
import type { OpenPlan } from '../perf/open-rules.js';
import { CLOSED, ERROR, HOST_OWNED, NO_EVENT, type PerfEventConfig } from '../perf/perf-event.js';
import { leaderOf } from '../perf/pmi.js';
import { Refused } from './refused.js';
import type { Run } from './run.js';

/** Adds a vCPU to a logical CPU and returns its index, which may be that of one that is gone. */
export function addVcpu(
  run: Run,
  cpu: number,
  features: GuestFeatures,
  at = run.state.vcpus.length,
): number {
  run.world = machine.addVcpu(run.world, run.state, cpu, features, at);
  return at;
}

/** A vCPU is torn down: KVM releases the events behind its guest's counters (`kvm_pmu_destroy`), and its thread ends. */
export function removeVcpu(run: Run, vcpu: number): void {
  const cpu = run.state.cpus[run.state.vcpus[vcpu]!.cpu]!;
  run.cause = GUEST;
  for (let counter = 0; counter < 32; counter += 1) {
    const at = run.world.eventConfigs.findIndex(
      ({ owner, guestCounter }) => owner === vcpu && guestCounter === counter,
    );
    if (at >= 0 && run.state.events[at]!.status !== CLOSED) {
      run.operate(actions.START_CLOSE, cpu, at);
    }
  }
  run.instantly(actions.REMOVE_VCPU, cpu, vcpu, 'remove_vcpu');
  run.cause = SETUP;
  run.world = machine.freeEventsOf(run.world, vcpu);
}

/** Opens a host event in a free slot and enables it unless it is to stay off. Returns the slot. */
export function openHostEvent(run: Run, plan: OpenPlan, disabled: boolean): number {
  const at = freeHostSlot(run, plan.config);
  run.world = placeEvent(run.world, run.state, at, plan.config);
  run.begin(actions.OPEN, cpuOf(run, at), at, plan.preciseIp, plan.dataCfg);
  if (!disabled) {
    enableEvent(run, at);
  } else if (isFirstOfContext(run.world, run.state, at)) {
    run.operate(actions.START_SECTION, cpuOf(run, at), 0);
  }
  return at;
}

/** Enables an event that is off; refuses with EBUSY if perf finds no counter for it or for a member of its group. */
export function enableEvent(run: Run, at: number): void {
  run.operate(actions.START_ENABLE, cpuOf(run, at), at);
  const lacksCounter = run.state.events.some(
    ({ status }, member) =>
      status === ERROR && (member === at || member === leaderOf(run.world, run.state.events, at)),
  );
  if (lacksCounter) {
    throw new Refused(
      'perf',
      'all counters this event can use are in use by scheduled events (all events are pinned)',
      '/counter',
      'EBUSY',
    );
  }
}

export function disableEvent(run: Run, at: number): void {
  run.operate(actions.START_DISABLE, cpuOf(run, at), at);
}

/** Closes an event; the members of its group go on by themselves. */
export function closeEvent(run: Run, at: number): void {
  run.operate(actions.START_CLOSE, cpuOf(run, at), at);
}

/** The logical CPU an event belongs to. */
export function cpuOf(run: Run, at: number): LogicalCpu {
  const config = run.world.eventConfigs[at]!;
  const index = config.owner === HOST_OWNED ? config.cpu : run.state.vcpus[config.owner]!.cpu;
  return run.state.cpus[index]!;
}

/**
 * A guest's WRMSR: returns why it takes a #GP, or null. KVM handles it outside the guest, so the vCPU must be at rest;
 * afterwards the perf events behind its counters are what the registers say, unless their reprogramming is left to `goOn`.
 */
export function guestWrmsr(
  run: Run,
  vcpu: number,
  msr: number,
  value: U64,
  identify: (address: U64) => number,
  reprograms = true,
): string | null {
  const refused = actions.refuseWrmsr(run.state, vcpu);
  if (refused !== null) {
    throw new Refused('state', refused);
  }
  run.cause = GUEST;
  arrive(run, vcpu);
  const fault = actions.guestWrmsr(run.world, run.state, vcpu, msr, value, identify);
  const cpu = run.state.cpus[run.state.vcpus[vcpu]!.cpu]!;
  run.guestWrote(cpu, vcpu, { msr, value, refused: fault !== null });
  if (fault === null) {
    placeWanted(run, vcpu);
    if (reprograms) {
      reprogramAll(run, vcpu);
    }
  }
  run.cause = SETUP;
  return fault;
}

/** Migrates a vCPU's thread: it leaves its CPU with its events, and joins the other when it next runs. */
export function migrate(run: Run, vcpu: number, to: number): void {
  const from = run.state.cpus[run.state.vcpus[vcpu]!.cpu]!;
  if (from.currentVcpu === vcpu && from.operation === IDLE && from.index !== to) {
    run.operate(actions.START_SCHED_OUT, from, vcpu);
  }
  run.instantly(actions.MIGRATE, run.state.cpus[to]!, vcpu, 'migrate');
}

export function tick(run: Run, cpu: LogicalCpu): void {
  run.operate(actions.START_TICK, cpu, 0);
}

/**
 * What a CPU has under way, runs of vCPUs apart: the rest of an operation, or else one more operation with which KVM
 * reprograms a counter of the guest whose thread is there.
 */
export function goOn(run: Run, cpu: LogicalCpu): void {
  const { world, state } = run;
  if (vcpuOfRun(world, cpu) !== NO_VCPU) {
    const shutDown = refuseShutDown(cpu);
    const running = 'a vCPU is running on this CPU: step it by its transitions';
    throw new Refused('state', shutDown ?? running, '/cpu');
  }
  if (cpu.operation === IDLE) {
    const at = nextToReprogram(world, state, cpu);
    if (at === NO_EVENT) {
      throw new Refused(
        'state',
        'the CPU has no operation in progress, and KVM has no guest counter to reprogram',
        '/cpu',
      );
    }
    run.cause = GUEST;
    reprogram(run, cpu, at);
  } else {
    const isForGuest =
      isAboutEvent(cpu.operation) && world.eventConfigs[cpu.target]!.owner !== HOST_OWNED;
    run.cause = isForGuest ? GUEST : SETUP;
    run.finish(cpu);
  }
  run.cause = SETUP;
}

/** The vCPU's thread comes to its CPU, whether or not it has events: perf schedules those of the thread that runs. */
function arrive(run: Run, vcpu: number): void {
  run.switchTo(vcpu);
  run.act(actions.ARRIVE, run.state.vcpus[vcpu]!.cpu, vcpu);
}

/** Opens, closes, enables and disables until every event of the vCPU matches its registers (`reprogram_counter`). */
function reprogramAll(run: Run, vcpu: number): void {
  const cpu = run.state.cpus[run.state.vcpus[vcpu]!.cpu]!;
  for (
    let at = nextToReprogram(run.world, run.state, cpu);
    at !== NO_EVENT;
    at = nextToReprogram(run.world, run.state, cpu)
  ) {
    reprogram(run, cpu, at);
  }
}

function reprogram(run: Run, cpu: LogicalCpu, at: number): void {
  if (reprogramming(run.world, run.state, at) === 'open') {
    const { owner, guestCounter } = run.world.eventConfigs[at]!;
    placeGuestEvent(run, at, owner, guestCounter);
  }
  run.operate(actions.REPROGRAM, cpu, at);
}

/** Gives every counter the guest wants a slot of its own, in ascending order. */
function placeWanted(run: Run, vcpu: number): void {
  const wanted = wantedCounters(run.state.vcpus[vcpu]!);
  for (let counter = 0; counter < 32; counter += 1) {
    const isKnown = run.world.eventConfigs.some(
      ({ owner, guestCounter }) => owner === vcpu && guestCounter === counter,
    );
    if (!isKnown && wanted & (1 << counter)) {
      placeGuestEvent(run, run.state.events.length, vcpu, counter);
    }
  }
}

/** The slot of a guest counter's event gets the configuration that the guest's registers ask for. */
function placeGuestEvent(run: Run, at: number, vcpu: number, counter: number): void {
  const { world, state } = run;
  const config = guestEventConfig(world.guestCaps[vcpu]!, state.vcpus[vcpu]!, vcpu, counter);
  run.world = placeEvent(world, state, at, config);
}

/** An event that is opened again takes the slot it had, as in a search. */
function freeHostSlot(run: Run, config: PerfEventConfig): number {
  const { events } = run.state;
  const free = [...events.keys()].filter(
    (at) => events[at]!.status === CLOSED && run.world.eventConfigs[at]!.owner === HOST_OWNED,
  );
  const own = free.find((at) => isEqual(run.world.eventConfigs[at]!, config));
  return own ?? free[0] ?? events.length;
}

function isEqual(one: PerfEventConfig, other: PerfEventConfig): boolean {
  const fields = Object.keys(one) as (keyof PerfEventConfig)[];
  return fields.every((field) => one[field] === other[field]);
}
