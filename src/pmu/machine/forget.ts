/**
 * What of a machine's state a search may forget, since what the machine does does not depend on it, or hardly ever does.
 *
 * What is written anew before anybody reads it: VMCS fields and load areas of a vCPU between its runs, as far as every list of the
 * kernel has the MSR, and IA32_PERF_GLOBAL_CTRL between PMU disable and PMU enable.
 *
 * Which operation PMU enable belongs to, where it ends like a bare section.
 *
 * How often the places of perf's list were used (`cpuc->tags`, `hwc->last_tag`): perf asks only whether an event that runs has used its
 * place last, once another event was added beside it. That is kept. An event that moved up in the list has its tag compared with one
 * of a place that it never had: that is forgotten, and whoever forgets must try both answers where perf asks.
 */
import { SWITCHED_MSRS } from '../arch/msr.js';
import { listedAlways } from '../kernels/listed.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { TAGS } from '../perf/cpu-hw-events.js';
import { ACTIVE, ADDED, HOST_OWNED, NO_EVENT, NO_TAG } from '../perf/perf-event.js';
import {
  D2_GLOBAL_CTRL,
  E2_ENABLED,
  E6_READ_GUEST_MASK,
  K5_SWITCH,
  K11_FIX_UP,
  V5_HOST_STATE,
  V6_EXIT_LOAD,
} from './micro-step.js';
import {
  DISABLE_EVENT,
  ENABLE_EVENT,
  type LogicalCpu,
  type MachineState,
  SECTION,
  TICK,
} from './state.js';
import type { World } from './world.js';

/** What is forgotten besides. */
export interface Forgotten {
  /** How often places were used. */
  readonly uses: boolean;
  /** IA32_PERF_GLOBAL_CTRL in sections, where nobody looks at it. */
  readonly globalCtrl: boolean;
}

export class Forgetting {
  /** With isolation, and without: the MSRs whose entries in the load areas every list writes anew. */
  private readonly rewritten: readonly [number, number];
  /** The micro-step after which the load areas are not read again. */
  private readonly areasEnd: number;
  /** By event: whether it is taken out before any other is added. */
  private readonly leavesForAll: readonly boolean[];

  constructor(
    { kernel, caps, kvmOptions, autoloadCapacity, eventConfigs }: World,
    private readonly what: Forgotten,
  ) {
    // Where there is no room for all of them, it matters what is there.
    const hasRoom = autoloadCapacity >= SWITCHED_MSRS;
    const isolated = hasRoom ? listedAlways(kernel, caps, false) : 0;
    // A late microcode load may come before the next run.
    const both = hasRoom ? isolated & listedAlways(kernel, caps, true) : 0;
    this.rewritten = [isolated, both];
    // A vCPU's events stay only for those that follow them, and these have lost the leader of their group.
    const hasGroups = eventConfigs.some(({ leader }) => leader !== NO_EVENT);
    this.leavesForAll = eventConfigs.map(({ owner }) => !hasGroups && owner !== HOST_OWNED);
    this.areasEnd = kvmOptions.postExitFixup ? K11_FIX_UP : V6_EXIT_LOAD;
  }

  /** Of an event that runs it is known whether it has used its place last, or unknown; any other was placed before, or not. */
  forget(state: MachineState): void {
    if (this.what.uses) this.forgetUses(state);
    for (let at = 0; at < state.cpus.length; at += 1) {
      this.forgetSection(state.cpus[at]!);
    }
    for (let at = 0; at < state.vcpus.length; at += 1) {
      const vcpu = state.vcpus[at]!;
      const { currentVcpu, pc } = state.cpus[vcpu.cpu]!;
      const executed = currentVcpu === at ? pc : 0;
      if (executed < K5_SWITCH || executed >= V5_HOST_STATE) {
        vcpu.loadGlobalCtrl = 0;
        vcpu.guestGlobalCtrl = 0;
        vcpu.hostGlobalCtrl = 0;
      }
      this.forgetAreas(vcpu, this.rewritten[state.noIsolation ? 1 : 0], executed);
    }
  }

  /** The same after a step. */
  forgetAfter(before: MachineState, state: MachineState): void {
    const { events, cpus } = state;
    for (let at = 0; this.what.uses && at < events.length; at += 1) {
      const was = before.events[at]!;
      const is = events[at]!;
      const runs = was.status >= ACTIVE && is.status >= ACTIVE;
      if (runs && was.position !== is.position) is.tag = TAGS * cpus.length;
    }
    this.forget(state);
  }

  private forgetUses(state: MachineState): void {
    const { events, cpus } = state;
    forgetUses(state);
    for (let at = 0; at < events.length; at += 1) {
      const event = events[at]!;
      if (event.status >= ACTIVE && isUnasked(events, at, this.leavesForAll[at]!)) {
        event.tag = TAGS * cpus.length;
      }
    }
  }

  private forgetSection(cpu: LogicalCpu): void {
    const { pc, operation, target } = cpu;
    if (pc < D2_GLOBAL_CTRL || pc > E6_READ_GUEST_MASK) return;
    if (this.what.globalCtrl) cpu.hardware.globalCtrl = 0;
    const isOver =
      operation === ENABLE_EVENT ||
      operation === DISABLE_EVENT ||
      (operation === TICK && (target & (target - 1)) === 0);
    if (pc >= E2_ENABLED && isOver) {
      cpu.operation = SECTION;
      cpu.target = 0;
      cpu.cursor = 0;
    }
  }

  private forgetAreas({ autoload }: VcpuPmu, rewritten: number, executed: number): void {
    let forgotten = autoload.present & rewritten;
    // From its own micro-step on.
    if (executed >= K5_SWITCH && executed < this.areasEnd) {
      forgotten &= ~((2 << (executed - K5_SWITCH)) - 1);
      if (executed >= K5_SWITCH + SWITCHED_MSRS) return;
    }
    if (forgotten === 0) return;
    autoload.list(autoload.present & ~forgotten);
    for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
      if ((forgotten & (1 << msr)) === 0) continue;
      autoload.host[msr] = 0;
      autoload.guest[msr] = 0;
    }
  }
}

function forgetUses({ events, cpus }: MachineState): void {
  const unknown = TAGS * cpus.length;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    const { tag, status, position } = event;
    if (tag === NO_TAG) continue;
    const used = cpus[event.cpu]?.cpuc.tags[position];
    const own = TAGS * event.cpu;
    if (status < ACTIVE) event.tag = OLD;
    else if (used === tag - own) event.tag = own;
    else if (tag !== unknown) event.tag = own + OLD;
  }
  for (let at = 0; at < cpus.length; at += 1) cpus[at]!.cpuc.tags.fill(0);
}

/** Whether no event is added beside an event before that leaves its place, or moves up. */
function isUnasked(events: MachineState['events'], at: number, leavesForAll: boolean): boolean {
  const { cpu, position } = events[at]!;
  let allRun = true;
  let isLast = true;
  for (let other = 0; other < events.length; other += 1) {
    const { status, cpu: on, position: place } = events[other]!;
    if (status === ADDED) return false;
    if (status < ACTIVE) allRun = false;
    if (on === cpu && place > position) isLast = false;
  }
  // Another one must leave before any can be added, and then the last one moves up.
  return leavesForAll || (allRun && isLast);
}

/** The events, as a set of bits, of which perf is about to ask what is not known. */
export function askedUses({ events, cpus }: MachineState): number {
  let asked = 0;
  let adding = 0;
  for (let at = 0; at < events.length; at += 1) {
    const { tag, status, cpu } = events[at]!;
    if (status === ADDED) adding |= 1 << cpu;
    else if (status >= ACTIVE && tag === TAGS * cpus.length) asked |= 1 << at;
  }
  if (asked === 0 || adding === 0) return 0;
  for (let at = 0; at < events.length; at += 1) {
    if ((adding & (1 << events[at]!.cpu)) === 0) asked &= ~(1 << at);
  }
  return asked;
}

/** Answers what `asked` asks: those of `latest` have used their places last, the others not. */
export function answerUses({ events }: MachineState, asked: number, latest: number): void {
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (asked & (1 << at)) event.tag = TAGS * event.cpu + (latest & (1 << at) ? 0 : OLD);
  }
}

/** Any number but that of the latest use, which is 0. */
const OLD = 1;
