/**
 * Many transitions of one vCPU in one request. They yield to the event loop, so that other requests are answered meanwhile.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Transition, TransitionRequest } from '../../../schemas/transition.js';
import * as actions from '../../pmu/machine/actions.js';
import { vcpuOfRun } from '../../pmu/machine/begin.js';
import { GUEST, K8_PREPARE, K12_FASTPATH, VMX_ABORT } from '../../pmu/machine/micro-step.js';
import {
  EXIT_ENTRY_FAILURE,
  EXIT_NAMES,
  EXIT_REENTER,
  EXIT_VMFAIL,
  MachineState,
} from '../../pmu/machine/state.js';
import { Refused } from '../../pmu/stepping/refused.js';
import type { Run } from '../../pmu/stepping/run.js';
import type { Slices } from '../slices.js';

/** Transitions between two reads of the clock. */
const SLICE_TRANSITIONS = 256;
/** A machine reaches a steady state within a few transitions or not at all; each check costs as much as some transitions. */
const SETTLING_TRANSITIONS = 4;
/** The trace has only the last transitions of a long request. */
const TRACED_TRANSITIONS = 64;

export type TransitionCounts = Pick<Transition, 'transitions' | 'micro_steps'>;

export async function makeTransitions(
  run: Run,
  vcpu: number,
  request: TransitionRequest,
  slices: Slices,
): Promise<TransitionCounts> {
  const { kind, count } = request;
  const exitReason = EXIT_NAMES.indexOf(request.exit_reason);
  const before = run.tally.microSteps;
  let made = 0;
  const cpu = run.state.cpus[run.state.vcpus[vcpu]!.cpu]!;
  const begins = (): boolean => made < count && (made === 0 || cpu.pc !== VMX_ABORT);
  while (begins()) {
    if (made % SLICE_TRANSITIONS === 0) {
      await slices.pause();
    }
    const untraced = count - made - TRACED_TRANSITIONS;
    run.tracing = untraced <= 0;
    if (
      untraced > 1 &&
      made % SLICE_TRANSITIONS < SETTLING_TRANSITIONS &&
      !run.injections.waiting
    ) {
      made += transitionsToFixpoint(run, untraced, () =>
        transitionOnce(run, vcpu, kind, exitReason),
      );
    } else {
      transitionOnce(run, vcpu, kind, exitReason);
      made += 1;
    }
  }
  run.tracing = true;
  return { transitions: made, micro_steps: run.tally.microSteps - before };
}

/**
 * Makes one transition. If it leaves the machine and its failed invariants unchanged, every further one does the same, so those
 * are counted without being made. Returns the number of transitions counted, at most `count`.
 */
function transitionsToFixpoint(run: Run, count: number, transition: () => void): number {
  const state = new MachineState();
  state.copyFrom(run.state);
  const violated = run.violated.slice();
  const snapshot = run.tally.snapshot();
  transition();
  if (!isDeepStrictEqual(violated, run.violated) || !isDeepStrictEqual(state, run.state)) {
    return 1;
  }
  run.tally.repeatSince(snapshot, count - 1);
  return count;
}

function transitionOnce(
  run: Run,
  vcpu: number,
  kind: TransitionRequest['kind'],
  exitReason: number,
): void {
  const cpu = run.state.cpus[run.state.vcpus[vcpu]!.cpu]!;
  const runs = vcpuOfRun(run.world, cpu) === vcpu;
  const reenters = runs && cpu.pc === K12_FASTPATH && cpu.exitReason === EXIT_REENTER;
  const entered = runs && cpu.pc >= GUEST && !reenters && cpu.pc !== VMX_ABORT;
  if (entered && (kind === 'vm_entry' || kind === 'round_trip')) {
    throw new Refused('state', 'the vCPU is already past VM-entry', '/kind');
  }
  switch (kind) {
    case 'vm_entry':
      if (reenters) {
        run.advance(cpu);
      }
      run.enter(vcpu, exitReason);
      return;
    case 'vm_exit':
      if (!entered) {
        throw new Refused('state', 'the vCPU is not in the guest', '/kind');
      }
      run.leave(cpu, exitReason);
      return;
    case 'round_trip':
      run.roundTrip(vcpu, exitReason);
      return;
    case 'micro_step':
      microStep(run, vcpu, exitReason);
  }
}

function microStep(run: Run, vcpu: number, exitReason: number): void {
  const cpu = run.startRun(vcpu);
  const fails = exitReason === EXIT_VMFAIL || exitReason === EXIT_ENTRY_FAILURE;
  if (cpu.pc === GUEST && cpu.exitReason === 0) {
    run.act(actions.SET_EXIT, cpu.index, 0, exitReason);
  } else if (cpu.pc === K8_PREPARE && fails) {
    run.act(actions.SET_ENTRY_FAILURE, cpu.index, 0, exitReason);
  }
  run.advance(cpu);
}
