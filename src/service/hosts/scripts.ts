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
  const act = ACTS[action.action] as Act<ScriptAction>;
  const result = await refusalsAsProblems(pointer, () => act(session, action));
  session.nameEvents();
  return {
    action: action.action,
    ...result,
    micro_steps: tally.microSteps - microSteps,
    throttles: tally.sink.throttles - throttles,
  };
}

type Asked<Name> = Extract<ScriptAction, { action: Name }>;
type Told = Pick<ScriptResult, 'id' | 'gp' | 'transitions'>;
type Act<Action> = (on: HostSession, asked: Action) => Promise<Told> | Told | undefined;

const vcpuOf = (on: HostSession, { vcpu }: { vcpu: string }): number => on.vcpuIndex(vcpu, '/vcpu');

const actOnEvent: Act<Asked<'enable_event' | 'disable_event' | 'close_event'>> = (on, asked) =>
  void on.actOnEvent(asked.action, on.eventSlot(asked.event, '/event'), asked);

/** Performs each kind of action, and answers what its result says besides the counts, which for most is nothing. */
const ACTS: { readonly [Name in ScriptAction['action']]: Act<Asked<Name>> } = {
  open_event: (on, asked) => ({ id: on.draft.events[on.openEvent(asked)]!.id }),
  enable_event: actOnEvent,
  disable_event: actOnEvent,
  close_event: actOnEvent,
  add_vcpu: (on, asked) => ({ id: on.draft.vcpus[on.addVcpu(asked)]!.id }),
  remove_vcpu: (on, asked) => void on.removeVcpu(vcpuOf(on, asked), asked),
  wrmsr: (on, asked) => ({ gp: on.wrmsr(vcpuOf(on, asked), asked) !== null }),
  transition: async (on, asked) => {
    const { transitions } = await on.transition(vcpuOf(on, asked), asked);
    return { transitions };
  },
  sched_out: (on, asked) => void on.contextSwitch(START_SCHED_OUT, vcpuOf(on, asked), asked),
  sched_in: (on, asked) => void on.contextSwitch(START_SCHED_IN, vcpuOf(on, asked), asked),
  migrate: (on, asked) => void on.migrate(vcpuOf(on, asked), asked.cpu),
  nmi: (on, asked) => void on.nmi(asked),
  overflow: (on, asked) => void on.overflow(asked),
  tick: (on, asked) => void on.tick(asked),
  pmu_disable: (on, asked) => void on.pmuDisable(asked),
  pmu_enable: (on, asked) => void on.pmuEnable(asked),
  advance: (on, asked) => void on.advance(asked),
  bpf_snapshot: (on, { cpu }) => void on.branchSnapshot(cpu),
  microcode_load: (on, { microcode }) => void on.loadMicrocode(microcode),
};
