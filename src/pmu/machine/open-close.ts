/**
 * What opening and closing perf events does apart from scheduling: their order, and the DS areas of the CPUs.
 *
 * Models: `perf_group_detach` (Linux kernel/events/core.c) and `reserve_ds_buffers` (arch/x86/events/intel/ds.c); semantics.md
 * §1.2, §3.4.
 */
import { DS_AREA, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import { CLOSED, HOST_OWNED, NO_COUNTER, NO_TAG, OFF } from '../perf/perf-event.js';
import { detachSiblings, rankNew } from './event-order.js';
import type { LogicalCpu, MachineState } from './state.js';
import type { World } from './world.js';

/** The handle of a CPU's DS area: addresses are small numbers inside, 0 is null. */
function dsAreaOf(cpu: LogicalCpu): number {
  return cpu.index + 1;
}

/** Whether an event is the only open one of its CPU's context; its opening runs a section even if it stays off. */
export function isFirstOfContext(world: World, state: MachineState, at: number): boolean {
  const { cpu } = world.eventConfigs[at]!;
  return state.events.every(
    (event, other) =>
      other === at ||
      event.status === CLOSED ||
      world.eventConfigs[other]!.owner !== HOST_OWNED ||
      world.eventConfigs[other]!.cpu !== cpu,
  );
}

/** Opens a slot as an event that is off. The first event of the machine reserves the DS areas of every CPU. */
export function openEvent(
  world: World,
  state: MachineState,
  at: number,
  preciseIp: number,
  dataCfg: number,
  sink: WriteSink,
): void {
  const isFirst = state.events.every((event) => event.status === CLOSED);
  const event = state.events[at]!;
  event.status = OFF;
  event.preciseIp = preciseIp;
  event.dataCfg = dataCfg;
  event.counter = NO_COUNTER;
  event.tag = NO_TAG;
  event.detached = 0;
  rankNew(world, state, at);
  if (world.eventConfigs[at]!.owner === HOST_OWNED) {
    event.cpu = world.eventConfigs[at]!.cpu;
  }
  if (isFirst && world.caps.dsPebs) {
    for (const cpu of state.cpus) {
      cpu.cpuc.ds = dsAreaOf(cpu);
      cpu.hardware.dsArea = cpu.cpuc.ds;
      sink.write(DS_AREA, PERF_WRMSR, cpu.cpuc.ds, 'reserve');
    }
  }
}

/** The event is gone: closes it, once it holds no counter. */
export function closeIdleEvent(world: World, state: MachineState, at: number): void {
  const event = state.events[at]!;
  event.status = CLOSED;
  event.counter = NO_COUNTER;
  event.tag = NO_TAG;
  event.detached = 0;
  event.mark = 0;
  event.stray = 0;
  detachSiblings(world, state, at);
  releaseIfLast(state);
}

/**
 * The last event's release forgets the DS areas. IA32_DS_AREA keeps its old value: the routine that would clear it
 * returns early once `ds` is NULL.
 */
function releaseIfLast(state: MachineState): void {
  if (state.events.every((event) => event.status === CLOSED)) {
    for (const cpu of state.cpus) {
      cpu.cpuc.ds = 0;
    }
  }
}
