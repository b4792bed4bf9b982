/**
 * What of a machine's state a search may forget, since what the machine does does not depend on it, or hardly ever does.
 *
 * VMCS fields between a vCPU's runs: KVM writes them anew before the next VM-entry loads them.
 *
 * How often the places of perf's list were used (`cpuc->tags`, `hwc->last_tag`): perf asks only whether an event that runs has used its
 * place last, once another event was added beside it. That is kept. An event that moved up in the list has its tag compared with one
 * of a place that it never had: that is forgotten, and whoever forgets must try both answers where perf asks.
 */
import { TAGS } from '../perf/cpu-hw-events.js';
import { ACTIVE, ADDED, NO_TAG } from '../perf/perf-event.js';
import { K5_SWITCH, V5_HOST_STATE } from './micro-step.js';
import type { MachineState } from './state.js';

/** Of an event that runs it is known whether it has used its place last, or unknown; any other was placed before, or not. */
export function forget(state: MachineState): void {
  forgetUses(state);
  for (let at = 0; at < state.vcpus.length; at += 1) {
    const vcpu = state.vcpus[at]!;
    const { currentVcpu, pc } = state.cpus[vcpu.cpu]!;
    if (currentVcpu === at && pc >= K5_SWITCH && pc < V5_HOST_STATE) continue;
    vcpu.loadGlobalCtrl = 0;
    vcpu.guestGlobalCtrl = 0;
    vcpu.hostGlobalCtrl = 0;
  }
}

/** The same after a step. */
export function forgetAfter(before: MachineState, state: MachineState): void {
  const { events, cpus } = state;
  for (let at = 0; at < events.length; at += 1) {
    const was = before.events[at]!;
    const is = events[at]!;
    const runs = was.status >= ACTIVE && is.status >= ACTIVE;
    if (runs && was.position !== is.position) is.tag = TAGS * cpus.length;
  }
  forget(state);
}

function forgetUses({ events, cpus }: MachineState): void {
  const unknown = TAGS * cpus.length;
  for (const event of events) {
    const { tag, status, position } = event;
    if (tag === NO_TAG) continue;
    const used = cpus[event.cpu]?.cpuc.tags[position];
    const own = TAGS * event.cpu;
    if (status < ACTIVE) event.tag = OLD;
    else if (used === tag - own) event.tag = own;
    else if (tag !== unknown) event.tag = own + OLD;
  }
  for (const { cpuc } of cpus) cpuc.tags.fill(0);
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
