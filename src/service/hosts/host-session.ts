/**
 * A session: the work of one request on a host, on a copy of its machine. `finish` returns the resulting host; a session that
 * is dropped has changed nothing.
 */
import type { CpuActionRequest, EventActionRequest, NmiRequest } from '../../../schemas/actor.js';
import type { PerfEventCreate } from '../../../schemas/perf-event.js';
import type { TransitionRequest } from '../../../schemas/transition.js';
import type { VcpuCreate, WrmsrRequest } from '../../../schemas/vcpu.js';
import { COUNTERS, PSEUDO_COUNTERS, type U64 } from '../../pmu/arch/counter-set.js';
import { msrCode } from '../../pmu/arch/msr.js';
import { DEFAULT_FEATURES } from '../../pmu/kvm/guest-msrs.js';
import * as actions from '../../pmu/machine/actions.js';
import { isIsolatedWith } from '../../pmu/machine/boot.js';
import { refuseUnlessIdle } from '../../pmu/machine/guards.js';
import { D4_PEBS_ENABLE, isInGuest } from '../../pmu/machine/micro-step.js';
import { nextToReprogram, REPROGRAM_FIRST } from '../../pmu/machine/reprogram.js';
import { IDLE, type LogicalCpu, MachineState, SECTION } from '../../pmu/machine/state.js';
import { CLOSED, HOST_OWNED, NO_COUNTER, NO_EVENT } from '../../pmu/perf/perf-event.js';
import { asLeader, cpuAt, openAsked, samplingOf } from '../../pmu/stepping/host-events.js';
import * as operations from '../../pmu/stepping/operations.js';
import { Refused } from '../../pmu/stepping/refused.js';
import { Run, TRACE_MAX } from '../../pmu/stepping/run.js';
import { Slices } from '../slices.js';
import { parseCounter, parseCounters, parseDataCfg, parseU64, type U64Input } from '../wire.js';
import { EVENTS_MAX, type Host, VCPU_SLOTS_MAX, VCPUS_MAX } from './host.js';
import { guestEventRecord, only, placesIn } from './host-records.js';
import { parseInjections } from './parse-injections.js';
import { withEntries } from './trace-text.js';
import { makeTransitions, type TransitionCounts } from './transitions.js';

/** What is done to an event, as scripts call it. */
const EVENT_ACTIONS = {
  enable_event: operations.enableEvent,
  disable_event: operations.disableEvent,
  close_event: operations.closeEvent,
};

export class HostSession {
  /** The host under construction, with a copy of the machine; the run holds the world. */
  readonly draft: Host;
  readonly run: Run;
  /** One clock for the whole session: many small actions hold the event loop as one large one does. */
  readonly slices = new Slices();

  constructor(host: Host) {
    const state = new MachineState();
    state.copyFrom(host.state);
    this.draft = {
      ...host,
      state,
      addresses: host.addresses.copy(),
      events: [...host.events],
      violated: host.violated.slice(),
      vcpus: host.vcpus.map((vcpu) => ({ ...vcpu, written: new Map(vcpu.written) })),
    };
    this.run = new Run(host.world, state, host.tally.happened, this.draft.violated);
    this.run.tracing = true;
  }

  /** The resulting host, with the next version. */
  finish(): Host {
    this.nameEvents();
    return {
      ...this.draft,
      world: this.run.world,
      version: this.draft.version + 1,
      tally: this.draft.tally.plus(this.run.tally),
      tail: withEntries(this.draft.tail, this.run.trace),
    };
  }

  /** Names the events that KVM opened for a guest, and forgets those that are closed, after each action: ids depend on it. */
  nameEvents(): void {
    const { events, state } = this.draft;
    state.events.forEach(({ status }, at) => {
      const { owner, guestCounter } = this.run.world.eventConfigs[at]!;
      if (status === CLOSED) events[at] = undefined;
      else if (owner !== HOST_OWNED)
        events[at] ??= guestEventRecord(this.takeId('ev'), guestCounter);
    });
  }

  openEvent(body: PerfEventCreate): number {
    const { draft } = this;
    if (placesIn(draft.events).length >= EVENTS_MAX) {
      throw new Refused('limit', `a host can have at most ${EVENTS_MAX} perf events`);
    }
    const cpu = this.cpu(body.cpu ?? 0);
    const busy = refuseUnlessIdle(cpu);
    if (busy !== null) {
      throw new Refused('state', busy);
    }
    const place = {
      cpu: cpu.index,
      counter:
        body.counter === undefined
          ? NO_COUNTER
          : parseCounter(body.counter, this.run.world.caps.intelCtrl | PSEUDO_COUNTERS, '/counter'),
      dataCfg:
        body.pebs_data_cfg === undefined
          ? null
          : parseDataCfg(body.pebs_data_cfg, '/pebs_data_cfg'),
      leader:
        body.group_leader === undefined
          ? NO_EVENT
          : asLeader(this.run, this.eventSlot(body.group_leader, '/group_leader'), cpu),
    };
    const at = this.operate(cpu, body, () => openAsked(this.run, body, place));
    draft.events[at] = {
      id: this.takeId('ev'),
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.counter === undefined ? {} : { requestedCounter: body.counter }),
      sampling: samplingOf(body),
    };
    return at;
  }

  actOnEvent(act: keyof typeof EVENT_ACTIONS, at: number, asked: EventActionRequest): void {
    const { run } = this;
    if (run.world.eventConfigs[at]!.owner !== HOST_OWNED) {
      throw new Refused('rule', "KVM owns this event: the guest's counter enables and disables it");
    }
    this.operate(operations.cpuOf(run, at), asked, () => EVENT_ACTIONS[act](run, at));
  }

  addVcpu(body: VcpuCreate): number {
    const { draft } = this;
    if (placesIn(draft.vcpus).length >= VCPUS_MAX) {
      throw new Refused('limit', `a host can have at most ${VCPUS_MAX} vCPUs`);
    }
    const { vpmu, pebs, rtm } = { ...DEFAULT_FEATURES, ...body };
    const cpu = this.cpu(body.cpu ?? 0).index;
    const at = operations.addVcpu(this.run, cpu, { vpmu, pebs, rtm }, this.vcpuSlot());
    draft.vcpus[at] = {
      id: this.takeId('vcpu'),
      ...(body.name === undefined ? {} : { name: body.name }),
      runs: 0,
      pmis: 0,
      written: new Map(),
    };
    return at;
  }

  removeVcpu(at: number, asked: Pick<EventActionRequest, 'inject'>): void {
    const cpu = this.cpuOf(at);
    // What KVM has not reprogrammed for its own guest goes with it.
    if (cpu.currentVcpu !== at) {
      this.assertReprogrammed(cpu);
    }
    this.underWay(asked, () => operations.removeVcpu(this.run, at));
    this.draft.vcpus[at] = { ...this.draft.vcpus[at]!, gone: this.happened };
  }

  /** Returns why the guest takes a #GP, or null. */
  wrmsr(at: number, body: WrmsrRequest & Pick<EventActionRequest, 'inject'>): string | null {
    const code = msrCode(body.msr);
    const value = parseU64(body.value, '/value');
    if (code === undefined) {
      return 'KVM does not emulate this MSR for this vCPU';
    }
    const identify = (address: U64): number => {
      const identity = this.draft.addresses.identify(address);
      if (identity === undefined) {
        throw new Refused('limit', 'the host has used too many different DS areas', '/value');
      }
      return identity;
    };
    const fault = this.operate(this.cpuOf(at), body, () =>
      operations.guestWrmsr(this.run, at, code, value, identify, body.reprogram),
    );
    if (fault === null) {
      this.draft.vcpus[at]!.written.set(code, value);
    }
    return fault;
  }

  async transition(at: number, body: TransitionRequest): Promise<TransitionCounts> {
    this.assertReprogrammed(this.cpuOf(at));
    this.run.injections.set(parseInjections(this.run.world, body.inject));
    const { entries, sink } = this.run.tally;
    const { guestPmis } = sink;
    const counts = await makeTransitions(this.run, at, body, this.slices);
    this.run.injections.expectLanded();
    this.draft.vcpus[at]!.runs += this.run.tally.entries - entries;
    this.draft.vcpus[at]!.pmis += sink.guestPmis - guestPmis;
    return counts;
  }

  /** The context switch that takes a vCPU's thread off its CPU, or puts it there. */
  contextSwitch(kind: number, at: number, asked: EventActionRequest): void {
    const cpu = this.cpuOf(at);
    this.operate(cpu, asked, () => this.run.operate(kind, cpu, at));
  }

  migrate(at: number, cpu: number): void {
    const from = this.cpuOf(at);
    if (from.currentVcpu === at) {
      this.assertReprogrammed(from);
    }
    operations.migrate(this.run, at, this.cpu(cpu).index);
  }

  nmi(body: NmiRequest): LogicalCpu {
    const cpu = this.cpu(body.cpu);
    if (isInGuest(cpu.pc)) {
      throw new Refused(
        'state',
        'the CPU is in the guest, where an NMI causes a VM-exit: inject it into a transition at `guest`',
        '/cpu',
      );
    }
    const counters = this.run.world.caps.intelCtrl & COUNTERS;
    this.run.interrupt(
      body.reset ? actions.NMI_RESET : actions.NMI,
      cpu,
      parseCounters(body.overflow, counters, '/overflow'),
      parseCounters(body.throttle, counters, '/throttle'),
    );
    return cpu;
  }

  /** Counters overflow; their NMI comes later. */
  overflow({ cpu, counters }: { cpu: number; counters: readonly string[] }): void {
    const known = this.run.world.caps.intelCtrl & COUNTERS;
    const overflow = parseCounters(counters, known, '/counters');
    this.run.interrupt(actions.LATCH, this.cpu(cpu), overflow, 0);
  }

  tick({ cpu: index, ...asked }: CpuActionRequest): LogicalCpu {
    const cpu = this.cpu(index);
    this.operate(cpu, asked, () => operations.tick(this.run, cpu));
    return cpu;
  }

  /** perf_pmu_disable(): the PMU stays off until `pmuEnable`. */
  pmuDisable({ cpu: index, ...asked }: CpuActionRequest): LogicalCpu {
    const cpu = this.cpu(index);
    this.operate(cpu, asked, () => {
      this.run.act(actions.START_SECTION, cpu.index);
      this.run.finish(cpu, D4_PEBS_ENABLE);
    });
    return cpu;
  }

  pmuEnable({ cpu: index, ...asked }: CpuActionRequest): LogicalCpu {
    const cpu = this.cpu(index);
    if (cpu.operation !== SECTION) {
      throw new Refused(
        'state',
        refuseUnlessIdle(cpu) ?? 'the PMU of the CPU was not disabled',
        '/cpu',
      );
    }
    this.underWay(asked, () => this.run.finish(cpu));
    return cpu;
  }

  /** The rest of what a CPU has under way. */
  advance({ cpu: index, ...asked }: CpuActionRequest): LogicalCpu {
    const cpu = this.cpu(index);
    this.underWay(asked, () => operations.goOn(this.run, cpu));
    return cpu;
  }

  branchSnapshot(cpuIndex: number): void {
    this.run.interrupt(actions.SNAPSHOT, this.cpu(cpuIndex), 0, 0);
  }

  /** A late microcode load re-evaluates PEBS isolation. */
  loadMicrocode(value: U64Input): void {
    const { draft } = this;
    const microcode = parseU64(value, '/microcode');
    const { hi, lo } = draft.microcode;
    if (microcode.hi < hi || (microcode.hi === hi && microcode.lo <= lo)) {
      throw new Refused('state', 'only a newer revision can be loaded late', '/microcode');
    }
    draft.microcode = microcode;
    if (draft.state.noIsolation && isIsolatedWith(draft, draft.stepping, microcode)) {
      this.run.instantly(actions.MICROCODE, draft.state.cpus[0]!, 0, 'microcode_load');
    }
  }

  /** The slot of an event by id, or by name if that is unique. */
  eventSlot(reference: string, pointer: string): number {
    return only(this.draft.events, reference, pointer, 'perf event');
  }

  vcpuIndex(reference: string, pointer: string): number {
    return only(this.draft.vcpus, reference, pointer, 'vCPU');
  }

  private cpu(index: number): LogicalCpu {
    return cpuAt(this.run, index);
  }

  private cpuOf(vcpu: number): LogicalCpu {
    return this.cpu(this.draft.state.vcpus[vcpu]!.cpu);
  }

  private assertReprogrammed(cpu: LogicalCpu): void {
    const { world, state } = this.run;
    if (cpu.operation === IDLE && nextToReprogram(world, state, cpu) !== NO_EVENT) {
      throw new Refused('state', `${REPROGRAM_FIRST}: advance the CPU, which does that`);
    }
  }

  /** Starts something on a CPU. */
  private operate<Result>(cpu: LogicalCpu, asked: EventActionRequest, act: () => Result): Result {
    this.assertReprogrammed(cpu);
    return this.underWay(asked, act);
  }

  /** Starts an operation or goes on with one, with what comes in between, and leaves it where it is to be left. */
  private underWay<Result>(
    { inject, micro_steps: microSteps }: EventActionRequest,
    act: () => Result,
  ): Result {
    const { run } = this;
    run.injections.set(parseInjections(run.world, inject));
    run.microStepsLeft = microSteps ?? Number.POSITIVE_INFINITY;
    const result = act();
    run.injections.expectLanded();
    if (microSteps !== undefined && run.microStepsLeft > 0) {
      const made = microSteps - run.microStepsLeft;
      const takes = made === 0 ? 'no micro-step' : `only ${made} micro-step${made > 1 ? 's' : ''}`;
      throw new Refused(
        'state',
        `the operation takes ${takes}; leave out micro_steps to finish it`,
        '/micro_steps',
      );
    }
    run.microStepsLeft = Number.POSITIVE_INFINITY;
    return result;
  }

  private get happened(): number {
    return this.draft.tally.happened + this.run.tally.happened;
  }

  /** The slot of the next vCPU: one of which neither the trace nor a first violation tells any more, or a new one. */
  private vcpuSlot(): number {
    const { vcpus, tally } = this.draft;
    const first = [...tally.firstViolations, ...this.run.tally.firstViolations];
    const free = vcpus.findIndex(
      ({ gone = Number.POSITIVE_INFINITY }, at) =>
        this.happened - gone >= TRACE_MAX && !first.some((violation) => violation?.vcpu === at),
    );
    if (free < 0 && vcpus.length >= VCPU_SLOTS_MAX) {
      throw new Refused(
        'limit',
        `the trace tells of ${VCPU_SLOTS_MAX} vCPUs already, with those that are gone: ${TRACE_MAX} micro-steps make room`,
      );
    }
    return free < 0 ? vcpus.length : free;
  }

  private takeId(prefix: 'ev' | 'vcpu'): string {
    const id = this.draft.nextId;
    this.draft.nextId += 1;
    return `${prefix}_${id.toString(36)}`;
  }
}
