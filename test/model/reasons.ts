/**
 * What each reason against a step says of a state, read off the state by itself: the second opinion on the guards, which
 * uses none of them.
 */
import type { ExploredWorld } from '../../src/model/explored-world.js';
import { ACTOR_KINDS, type ActorKind } from '../../src/model/vocabulary.js';
import { PEBS_ENABLE } from '../../src/pmu/arch/msr.js';
import {
  E3_READ_PEBS_ENABLED,
  GUEST,
  isInGuest,
  K8_PREPARE,
  K9_VMLAUNCH,
  V3_INJECT,
  V4_SAVE,
  V6_EXIT_LOAD,
  VMX_ABORT,
} from '../../src/pmu/machine/micro-step.js';
import {
  EXIT_NMI,
  IDLE,
  type LogicalCpu,
  type MachineState,
  OPERATION_NAMES,
  RUN_VCPU,
  SECTION,
} from '../../src/pmu/machine/state.js';
import { ACTIVE, ADDED, CLOSED, HOST_OWNED, INACTIVE, OFF } from '../../src/pmu/perf/perf-event.js';

export interface Case {
  readonly explored: ExploredWorld;
  readonly state: MachineState;
  readonly spent: Int32Array;
  readonly cpu: LogicalCpu;
  readonly target: number;
}

type Truth = (of: Case, words: RegExpExecArray) => boolean;

/** Sentences, and whether each is true. */
export const REASONS: readonly (readonly [RegExp, Truth])[] = [
  // The CPU is at something else.
  [/^the CPU has shut down after a VMX abort/, ({ cpu }) => cpu.pc === VMX_ABORT],
  [
    /^CPU (\d) is busy \((\w+)\)$/,
    ({ state }, [, cpu, name]) => OPERATION_NAMES[state.cpus[Number(cpu)]!.operation] === name,
  ],
  [
    /^CPU (\d) is in the guest of v(\d): a VM-exit comes first$/,
    ({ state }, [, cpu, vcpu]) => runs(state, cpu, vcpu) && isInGuest(state.cpus[Number(cpu)]!.pc),
  ],
  [
    /^CPU (\d) is in the middle of a run of v(\d), with interrupts off$/,
    ({ state }, [, cpu, vcpu]) => runs(state, cpu, vcpu) && isOutside(state.cpus[Number(cpu)]!),
  ],
  [
    /^CPU (\d) is between PMU disable and PMU enable: PMU enable comes first$/,
    ({ state }, [, cpu]) => state.cpus[Number(cpu)]!.operation === SECTION,
  ],
  [
    /^KVM waits until no PMI is pending$/,
    ({ cpu }) => (cpu.hardware.status | cpu.hardware.dsRecords) !== 0,
  ],
  [/^the vCPU is not in the guest$/, ({ cpu }) => cpu.pc !== GUEST],
  [/^the vCPU is not about to execute VMLAUNCH$/, ({ cpu }) => cpu.pc !== K8_PREPARE],
  // KVM and the scheduler.
  [
    /^KVM must reprogram a guest counter first$/,
    ({ explored, state, cpu }) => differing(explored, state, cpu.currentVcpu).length > 0,
  ],
  [
    /^KVM reprograms (.*) first$/,
    ({ explored, state, cpu, target }, [, name]) => {
      const [first] = differing(explored, state, cpu.currentVcpu);
      return first !== undefined && first < target && explored.host.eventNames[first] === name;
    },
  ],
  [
    /^its event is as its registers ask for$/,
    ({ explored, state, target }) => !differs(explored, state, target),
  ],
  [
    /^a context switch must bring the vCPU thread and its events to the CPU first$/,
    ({ explored, state, cpu, target }) =>
      cpu.currentVcpu !== target &&
      (count(explored, state, target, ({ status }) => status === INACTIVE) > 0 ||
        countOn(explored, state, cpu.currentVcpu, cpu) > 0),
  ],
  [/^the vCPU thread is on its CPU already$/, ({ cpu, target }) => cpu.currentVcpu === target],
  [
    /^the vCPU thread is not on its CPU$/,
    ({ explored, cpu, target }) =>
      ![target, explored.world.eventConfigs[target]?.owner].every(
        (vcpu) => vcpu === cpu.currentVcpu,
      ),
  ],
  [
    /^the vCPU thread has no event to bring to its CPU$/,
    ({ explored, state, target }) =>
      count(explored, state, target, ({ status }) => status === INACTIVE) === 0,
  ],
  [
    /^the events of another vCPU thread are on the CPU$/,
    ({ explored, state, cpu }) => countOn(explored, state, cpu.currentVcpu, cpu) > 0,
  ],
  [
    /^no event of the vCPU thread is on its CPU$/,
    ({ explored, state, cpu, target }) => countOn(explored, state, target, cpu) === 0,
  ],
  [
    /^no other vCPU wants the CPU, and this one cannot migrate$/,
    ({ explored, state, spent }) =>
      state.vcpus.length === 1 && left(explored, spent, 'migrate') === 0,
  ],
  [
    /^preemption is off from k0 to k13/,
    ({ state, target }) =>
      runs(state, state.vcpus[target]!.cpu, target) &&
      state.cpus[state.vcpus[target]!.cpu]!.pc !== VMX_ABORT,
  ],
  [
    /^the CPU that the vCPU is on has an operation in progress$/,
    ({ state, target }) => state.cpus[state.vcpus[target]!.cpu]!.operation !== IDLE,
  ],
  [
    /^the CPU that the vCPU is to leave has shut down after a VMX abort$/,
    ({ state, target }) => state.cpus[state.vcpus[target]!.cpu]!.pc === VMX_ABORT,
  ],
  [
    /^the vCPU thread must leave its CPU first$/,
    ({ state, target }) => state.cpus[state.vcpus[target]!.cpu]!.currentVcpu === target,
  ],
  // Events.
  [/^the event is not off$/, ({ state, target }) => state.events[target]!.status !== OFF],
  [/^the event is not enabled$/, ({ state, target }) => state.events[target]!.status < INACTIVE],
  [/^the event is closed$/, ({ state, target }) => state.events[target]!.status === CLOSED],
  [/^the event is open$/, ({ state, target }) => state.events[target]!.status !== CLOSED],
  [
    /^the first event reserves the DS areas of every CPU/,
    ({ state }) =>
      state.events.filter(({ status }) => status !== CLOSED).length <= 1 &&
      state.cpus.some(({ operation }) => operation !== IDLE),
  ],
  [
    /^the WRMSR is a #GP: the guest is shown no PEBS/,
    ({ explored, target }) => {
      const { owner, guestCounter } = explored.world.eventConfigs[target]!;
      const { pebs, adaptive } = explored.world.guestCaps[owner]!;
      return !pebs || (guestCounter >= 16 && !adaptive);
    },
  ],
  [
    /^the WRMSR is a #GP: only general-purpose counters may use PEBS/,
    ({ explored, target }) => {
      const { vcpu, msr, value } = explored.guestWrites[target]!;
      const { adaptive, generalPurpose } = explored.world.guestCaps[vcpu]!;
      return (
        msr === PEBS_ENABLE && !adaptive && (value.hi !== 0 || value.lo >>> generalPurpose !== 0)
      );
    },
  ],
  // The host.
  [
    /^nothing was throttled since the last tick, and no event is in frequency mode$/,
    ({ explored, state, cpu }) =>
      cpu.cpuc.throttled === 0 &&
      state.events.every(
        ({ status, cpu: on }, at) =>
          !explored.world.eventConfigs[at]!.freq || status < ADDED || on !== cpu.index,
      ),
  ],
  [
    /^a CPU has shut down after a VMX abort, and a late load waits for all of them$/,
    ({ state }) => state.cpus.some(({ pc }) => pc === VMX_ABORT),
  ],
  [/^PEBS is isolated already$/, ({ state }) => state.noIsolation === 0],
  [
    /^the budget of (\w+) is spent$/,
    ({ explored, spent }, [, actor]) => left(explored, spent, actor as ActorKind) === 0,
  ],
  // Overflows and NMIs.
  [
    /^nmi_in_e3 is false/,
    ({ explored, cpu }) => explored.spec.nmi_in_e3 === false && cpu.pc === E3_READ_PEBS_ENABLED,
  ],
  [/^no NMI can land inside VM-entry$/, ({ cpu }) => cpu.pc >= K9_VMLAUNCH && cpu.pc < V3_INJECT],
  [/^no NMI can land inside VM-exit$/, ({ cpu }) => cpu.pc >= V4_SAVE && cpu.pc <= V6_EXIT_LOAD],
  [
    /^(an NMI is being delivered already|an NMI makes the guest exit already)$/,
    ({ cpu }) => cpu.exitReason === EXIT_NMI && isInGuest(cpu.pc),
  ],
  [/^the CPU is in the guest$/, ({ cpu }) => isInGuest(cpu.pc)],
  [/^the NMI throttles an event$/, ({ target }) => target >> 12 !== 0],
  [/^the NMI throttles no event$/, ({ target }) => target >> 12 === 0],
  [
    /^the counter does not count$/,
    ({ cpu: { hardware }, target }) =>
      !has(hardware.globalCtrl, target) || !has(hardware.counterEnable, target),
  ],
  [
    /^(the counter has no active event|perf throttles active events only, .*)$/,
    ({ state, cpu, target }) => activeOn(state, cpu, target) < 0,
  ],
  [
    /^a counting event is never throttled$/,
    ({ explored, state, cpu, target }) =>
      explored.world.eventConfigs[activeOn(state, cpu, target)]?.sampling === false,
  ],
  [
    /^its bit in IA32_PEBS_ENABLE is clear, so it writes no record$/,
    ({ cpu, target }) => has(cpu.cpuc.pebsEnabled, target) && !has(cpu.hardware.pebsEnable, target),
  ],
  [/^its overflow is latched already$/, ({ cpu, target }) => has(pending(cpu), target)],
  [
    /^no overflow of an active event is latched on the counter$/,
    (of) => !has(latchedActive(of), of.target),
  ],
  [
    /^no overflow of another active event is latched$/,
    (of) => (latchedActive(of) & ~(1 << of.target)) === 0,
  ],
  [/^no overflow is latched: no NMI is on its way$/, ({ cpu }) => pending(cpu) === 0],
  [
    /^no counter whose overflow is latched has an active event$/,
    ({ state, cpu }) =>
      state.events.every((_, at) => {
        const { counter } = state.events[at]!;
        return counter < 0 || !has(pending(cpu), counter) || activeOn(state, cpu, counter) < 0;
      }),
  ],
];

function has(set: number, bit: number): boolean {
  return ((set >>> bit) & 1) === 1;
}

function pending({ hardware }: LogicalCpu): number {
  return hardware.status | hardware.dsRecords;
}

function latchedActive({ state, cpu }: Case): number {
  return (
    state.events.reduce(
      (all, { counter }) =>
        counter >= 0 && activeOn(state, cpu, counter) >= 0 ? all | (1 << counter) : all,
      0,
    ) & pending(cpu)
  );
}

function runs(state: MachineState, cpu: number | string | undefined, vcpu: unknown): boolean {
  const { operation, target } = state.cpus[Number(cpu)]!;
  return operation === RUN_VCPU && target === Number(vcpu);
}

/** Of a CPU that runs a vCPU: it is outside the guest and goes on. */
function isOutside({ pc }: LogicalCpu): boolean {
  return !isInGuest(pc) && pc !== VMX_ABORT;
}

function activeOn({ events }: MachineState, cpu: LogicalCpu, counter: number): number {
  return events.findIndex(
    (event) => event.status === ACTIVE && event.cpu === cpu.index && event.counter === counter,
  );
}

/** How often an actor may still act. */
function left({ spec }: ExploredWorld, spent: Int32Array, actor: ActorKind): number {
  const found = (spec.actors ?? []).find(({ kind }) => kind === actor);
  if (found === undefined) return 0;
  return (found.budget ?? Number.POSITIVE_INFINITY) - spent[ACTOR_KINDS.indexOf(actor)]!;
}

function count(
  { world }: ExploredWorld,
  { events }: MachineState,
  vcpu: number,
  which: (event: MachineState['events'][number]) => boolean,
): number {
  return events.filter(
    (event, at) => vcpu !== HOST_OWNED && world.eventConfigs[at]!.owner === vcpu && which(event),
  ).length;
}

function countOn(
  explored: ExploredWorld,
  state: MachineState,
  vcpu: number,
  cpu: LogicalCpu,
): number {
  return count(explored, state, vcpu, (event) => event.status >= ADDED && event.cpu === cpu.index);
}

/** The events of a vCPU that its guest's registers want otherwise. */
function differing(explored: ExploredWorld, state: MachineState, vcpu: number): number[] {
  return [...state.events.keys()].filter(
    (at) =>
      vcpu !== HOST_OWNED &&
      explored.world.eventConfigs[at]!.owner === vcpu &&
      differs(explored, state, at),
  );
}

/** Whether an event is on, or off, against its guest's registers, or has another precise_ip than they ask for. */
function differs({ world }: ExploredWorld, state: MachineState, at: number): boolean {
  const { owner, guestCounter } = world.eventConfigs[at]!;
  const vcpu = state.vcpus[owner]!;
  const { status, preciseIp } = state.events[at]!;
  const isWanted = has(vcpu.globalCtrl & vcpu.counterEnable, guestCounter);
  if (!isWanted) return status >= INACTIVE;
  const precise = has(world.guestCaps[owner]!.precise3, guestCounter) ? 3 : 1;
  return status <= OFF || preciseIp !== (has(vcpu.pebsEnable, guestCounter) ? precise : 0);
}
