/**
 * What the owner of a host does to it, as whole operations: opening and closing events, adding vCPUs, a guest's WRMSR,
 * migration, ticks. Each is a sequence of the machine's actions, run to its end.
 */
import type { U64 } from '../arch/counter-set.js';
import type { CpuModel } from '../arch/cpu-model.js';
import { GUEST, SETUP } from '../arch/write-sink.js';
import {
  guestEventConfig,
  guestPreciseIp,
  PEBS_DATA_CFG_GP,
  type Reprogramming,
  reprogrammingOf,
  wantedCounters,
} from '../kvm/guest-counters.js';
import {
  type GuestFeatures,
  type GuestPmuCaps,
  guestPmuCaps,
  writeGuestMsr,
} from '../kvm/guest-msrs.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import * as actions from '../machine/actions.js';
import { isFirstOfContext } from '../machine/event-work.js';
import { IDLE, type LogicalCpu } from '../machine/state.js';
import type { World } from '../machine/world.js';
import type { OpenPlan } from '../perf/open-rules.js';
import {
  CLOSED,
  ERROR,
  HOST_OWNED,
  INACTIVE,
  OFF,
  PerfEvent,
  type PerfEventConfig,
} from '../perf/perf-event.js';
import { leaderOf } from '../perf/pmi.js';
import { Refused } from './refused.js';
import type { Run } from './run.js';

/** Adds a vCPU to a logical CPU and returns its index. Its PMU is as after a guest's reset. */
export function addVcpu(run: Run, cpu: number, features: GuestFeatures): number {
  const vcpu = new VcpuPmu();
  vcpu.cpu = cpu;
  const caps = guestPmuCaps(run.world.kernel, modelOf(run.world), features);
  vcpu.globalCtrl = caps.globalCtrlAtReset;
  run.world.guests.push({ ...features, vpmu: caps.vpmu });
  return run.state.vcpus.push(vcpu) - 1;
}

/** Opens a host event in a free slot and enables it unless it is to stay off. Returns the slot. */
export function openHostEvent(run: Run, plan: OpenPlan, disabled: boolean): number {
  const at = openIn(
    run,
    freeHostSlot(run),
    plan.config,
    plan.preciseIp,
    plan.dataCfg,
    plan.config.cpu,
  );
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
      'every counter the event may use is taken by events that are already scheduled (all events are pinned)',
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
 * afterwards the perf events behind its counters are what the registers say.
 */
export function guestWrmsr(
  run: Run,
  vcpuIndex: number,
  msr: number,
  value: U64,
  addressOf: (address: U64) => number,
): string | null {
  const vcpu = run.state.vcpus[vcpuIndex]!;
  const cpu = run.state.cpus[vcpu.cpu]!;
  if (cpu.operation !== IDLE) {
    throw new Refused(
      'state',
      'KVM emulates the WRMSR outside the guest: finish the VM-exit first',
    );
  }
  const caps = guestPmuCaps(run.world.kernel, modelOf(run.world), run.world.guests[vcpuIndex]!);
  const fault = writeGuestMsr(caps, vcpu, msr, value, addressOf);
  if (fault === null) {
    run.cause = GUEST;
    reprogram(run, vcpuIndex, caps);
    run.cause = SETUP;
  }
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

/** Opens, closes, enables and disables until every event of the vCPU matches its registers (`reprogram_counter`). */
function reprogram(run: Run, vcpuIndex: number, caps: GuestPmuCaps): void {
  const { world, state } = run;
  const vcpu = state.vcpus[vcpuIndex]!;
  run.switchTo(vcpuIndex);
  // The thread is on its CPU now, whether or not its events were: perf schedules those of the thread that runs.
  state.cpus[vcpu.cpu]!.currentVcpu = vcpuIndex;
  ensureGuestSlots(run, vcpuIndex, caps);
  const todoOf = (at: number): Reprogramming =>
    reprogrammingOf(caps, vcpu, state.events[at]!, world.eventConfigs[at]!);
  for (let at = 0; at < state.events.length; at += 1) {
    const { owner, guestCounter } = world.eventConfigs[at]!;
    if (owner !== vcpuIndex) {
      continue;
    }
    for (let todo = todoOf(at); todo !== 'none'; todo = todoOf(at)) {
      if (todo === 'open') {
        world.eventConfigs[at] = guestEventConfig(caps, vcpu, vcpuIndex, guestCounter);
      }
      reprogramOne(run, at, todo, guestPreciseIp(caps, vcpu, guestCounter));
    }
  }
}

function reprogramOne(
  run: Run,
  at: number,
  todo: 'open' | 'enable' | 'disable' | 'close',
  preciseIp: number,
): void {
  const cpu = cpuOf(run, at);
  switch (todo) {
    case 'open':
      openIn(
        run,
        at,
        run.world.eventConfigs[at]!,
        preciseIp,
        preciseIp === 1 ? PEBS_DATA_CFG_GP : 0,
        cpu.index,
      );
      return;
    case 'enable':
      run.operate(actions.START_ENABLE, cpu, at);
      return;
    case 'disable':
      run.operate(actions.START_DISABLE, cpu, at);
      return;
    case 'close':
      run.operate(actions.START_CLOSE, cpu, at);
  }
}

/** Gives every counter the guest wants a slot of its own, in ascending order. */
function ensureGuestSlots(run: Run, vcpuIndex: number, caps: GuestPmuCaps): void {
  const { eventConfigs } = run.world;
  const vcpu = run.state.vcpus[vcpuIndex]!;
  const wanted = wantedCounters(vcpu);
  for (let counter = 0; counter < 32; counter += 1) {
    const known = eventConfigs.some(
      (config) => config.owner === vcpuIndex && config.guestCounter === counter,
    );
    if (!known && wanted & (1 << counter)) {
      eventConfigs.push(guestEventConfig(caps, vcpu, vcpuIndex, counter));
      run.state.events.push(new PerfEvent());
    }
  }
}

function openIn(
  run: Run,
  at: number,
  config: PerfEventConfig,
  preciseIp: number,
  dataCfg: number,
  cpu: number,
): number {
  run.world.eventConfigs[at] = config;
  run.state.events[at] ??= new PerfEvent();
  run.act(actions.OPEN, cpu, at, preciseIp, dataCfg);
  return at;
}

function freeHostSlot(run: Run): number {
  const { eventConfigs } = run.world;
  const free = run.state.events.findIndex(
    (event, at) => event.status === CLOSED && eventConfigs[at]!.owner === HOST_OWNED,
  );
  return free < 0 ? run.state.events.length : free;
}

function modelOf(world: World): CpuModel {
  if (world.model === null) {
    throw new RangeError('a machine made from raw capabilities has no vCPUs of its own');
  }
  return world.model;
}

/** Whether an event is enabled, on a counter or not. */
export function isEnabled(event: PerfEvent): boolean {
  return event.status >= INACTIVE && event.status !== ERROR;
}

/** Whether an event is open and off. */
export function isOff(event: PerfEvent): boolean {
  return event.status === OFF;
}
