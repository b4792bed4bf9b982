/** A script: a list of actions on one host as one transaction. Counterexamples come in this form. */
import type { ScriptAction, ScriptRequest, ScriptResult } from '../../../schemas/script.js';
import { START_SCHED_IN, START_SCHED_OUT } from '../../pmu/machine/actions.js';
import { refusalsAsProblems } from '../refusals.js';
import type { HostSession } from './host-session.js';

/** Carries out the actions in order. If one is refused, so is the script; the problem names the action. */
export async function runScript(
  session: HostSession,
  request: ScriptRequest,
): Promise<ScriptResult[]> {
  const results: ScriptResult[] = [];
  for (const [at, action] of request.actions.entries()) {
    results.push(await carryOut(session, action, `/actions/${at}`));
  }
  return results;
}

/** One action; if it is refused, the problem names it by the pointer. */
export async function carryOut(
  session: HostSession,
  action: ScriptAction,
  pointer: string,
): Promise<ScriptResult> {
  await session.slices.pause();
  const { tally } = session.run;
  const throttles = tally.sink.throttles;
  const microSteps = tally.microSteps;
  const result = await refusalsAsProblems(pointer, () => runAction(session, action));
  session.nameGuestEvents();
  return {
    action: action.action,
    ...result,
    micro_steps: tally.microSteps - microSteps,
    throttles: tally.sink.throttles - throttles,
  };
}

async function runAction(
  session: HostSession,
  action: ScriptAction,
): Promise<Pick<ScriptResult, 'id' | 'gp' | 'transitions'>> {
  const { draft } = session;
  switch (action.action) {
    case 'open_event':
      return { id: draft.events[session.openEvent(action)]!.id };
    case 'enable_event':
      session.enableEvent(session.eventSlot(action.event, '/event'), action);
      return {};
    case 'disable_event':
      session.disableEvent(session.eventSlot(action.event, '/event'), action);
      return {};
    case 'close_event':
      session.closeEvent(session.eventSlot(action.event, '/event'), action);
      return {};
    case 'add_vcpu':
      return { id: draft.vcpus[session.addVcpu(action)]!.id };
    case 'remove_vcpu':
      session.removeVcpu(session.vcpuIndex(action.vcpu, '/vcpu'), action);
      return {};
    case 'wrmsr': {
      const vcpu = session.vcpuIndex(action.vcpu, '/vcpu');
      return { gp: session.wrmsr(vcpu, action) !== null };
    }
    case 'transition': {
      const vcpu = session.vcpuIndex(action.vcpu, '/vcpu');
      const { transitions } = await session.transition(vcpu, action);
      return { transitions };
    }
    case 'sched_out':
      session.contextSwitch(START_SCHED_OUT, session.vcpuIndex(action.vcpu, '/vcpu'), action);
      return {};
    case 'sched_in':
      session.contextSwitch(START_SCHED_IN, session.vcpuIndex(action.vcpu, '/vcpu'), action);
      return {};
    case 'migrate':
      session.migrate(session.vcpuIndex(action.vcpu, '/vcpu'), action.cpu);
      return {};
    case 'nmi':
      session.nmi(action);
      return {};
    case 'overflow':
      session.overflow(action);
      return {};
    case 'tick':
      session.tick(action);
      return {};
    case 'pmu_disable':
      session.pmuDisable(action);
      return {};
    case 'pmu_enable':
      session.pmuEnable(action);
      return {};
    case 'advance':
      session.advance(action);
      return {};
    case 'bpf_snapshot':
      session.branchSnapshot(action.cpu);
      return {};
    case 'microcode_load':
      session.loadMicrocode(action.microcode);
      return {};
  }
}
