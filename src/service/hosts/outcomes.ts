/** The outcome of an action, in the answers of transitions, actors and scripts. */
import type { ActorOutcome } from '../../../schemas/actor.js';
import type { Script, ScriptResult } from '../../../schemas/script.js';
import type { Transition } from '../../../schemas/transition.js';
import type { LogicalCpu } from '../../pmu/machine/state.js';
import { type Run, TRACE_MAX } from '../../pmu/stepping/run.js';
import type { Host } from './host.js';
import { msrWriteItems, vcpuPosition, violationItems } from './host-views.js';
import { msrViews } from './msr-views.js';
import { framed, traceItems } from './trace-views.js';
import type { TransitionCounts } from './transitions.js';

export function transitionItem(
  host: Host,
  run: Run,
  vcpu: number,
  counts: TransitionCounts,
  withTrace: boolean,
): Transition {
  return {
    ...counts,
    position: vcpuPosition(host, vcpu),
    ...outcomeOf(host, run, host.state.vcpus[vcpu]!.cpu),
    ...(withTrace ? { trace: traceItems(host, framed(host, run.trace.slice(-TRACE_MAX))) } : {}),
  };
}

export function actorItem(host: Host, run: Run, { index }: LogicalCpu): ActorOutcome {
  return { cpu: index, ...outcomeOf(host, run, index) };
}

export function scriptItem(host: Host, run: Run, results: ScriptResult[]): Script {
  return {
    results,
    msrs: host.state.cpus.flatMap((_, cpu) => msrViews(host, cpu)),
    violations: violationItems(host, run.tally),
    msr_writes: msrWriteItems(run.tally),
  };
}

function outcomeOf(host: Host, run: Run, cpu: number): Omit<ActorOutcome, 'cpu'> {
  return {
    msrs: msrViews(host, cpu),
    msr_writes: msrWriteItems(run.tally),
    throttles: run.tally.sink.throttles,
    violations: violationItems(host, run.tally),
  };
}
