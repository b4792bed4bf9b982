/**
 * A session: the work of one request on a host, on a copy of its machine. `finish` returns the resulting host; a session that
 * is dropped has changed nothing.
 */
import type { NmiRequest } from '../../../schemas/actor.js';
import type { PerfEventCreate } from '../../../schemas/perf-event.js';
import type {
  Injection as InjectionItem,
  Nmi,
  TransitionRequest,
} from '../../../schemas/transition.js';
import type { VcpuCreate, WrmsrRequest } from '../../../schemas/vcpu.js';
import { COUNTERS, PSEUDO_COUNTERS } from '../../pmu/arch/counter-set.js';
import { msrCode } from '../../pmu/arch/msr.js';
import { DEFAULT_FEATURES } from '../../pmu/kvm/guest-msrs.js';
import * as actions from '../../pmu/machine/actions.js';
import { isIsolatedWith } from '../../pmu/machine/boot.js';
import { D4_PEBS_ENABLE, isInGuest, stepCode } from '../../pmu/machine/micro-step.js';
import { type LogicalCpu, MachineState, SECTION } from '../../pmu/machine/state.js';
import { CLOSED, HOST_OWNED, NO_COUNTER, NO_EVENT } from '../../pmu/perf/perf-event.js';
import { asLeader, cpuAt, openAsked, samplingOf } from '../../pmu/stepping/host-events.js';
import type { Injection } from '../../pmu/stepping/injections.js';
import * as operations from '../../pmu/stepping/operations.js';
import { Refused } from '../../pmu/stepping/refused.js';
import { Run } from '../../pmu/stepping/run.js';
import { Slices } from '../slices.js';
import { parseCounter, parseCounters, parseDataCfg, parseU64, type U64Input } from '../wire.js';
import { EVENTS_MAX, type Host, VCPUS_MAX } from './host.js';
import { guestEventRecord, only } from './host-records.js';
import { withEntries } from './trace-text.js';
import { makeTransitions, type TransitionCounts } from './transitions.js';

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
    this.nameGuestEvents();
    return {
      ...this.draft,
      world: this.run.world,
      version: this.draft.version + 1,
      tally: this.draft.tally.plus(this.run.tally),
      tail: withEntries(this.draft.tail, this.run.trace),
    };
  }

  openEvent(body: PerfEventCreate): number {
    const { draft } = this;
    if (draft.events.filter((event) => event !== undefined).length >= EVENTS_MAX) {
      throw new Refused('limit', `a host can have at most ${EVENTS_MAX} perf events`);
    }
    const cpu = this.cpu(body.cpu ?? 0);
    const at = openAsked(this.run, body, {
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
    });
    draft.events[at] = {
      id: `ev_${this.takeId()}`,
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.counter === undefined ? {} : { requestedCounter: body.counter }),
      sampling: samplingOf(body),
    };
    return at;
  }

  enableEvent(at: number, inject: readonly InjectionItem[] | undefined): void {
    this.injecting(inject, () => operations.enableEvent(this.run, at));
  }

  disableEvent(at: number, inject: readonly InjectionItem[] | undefined): void {
    this.injecting(inject, () => operations.disableEvent(this.run, at));
  }

  closeEvent(at: number, inject: readonly InjectionItem[] | undefined): void {
    if (this.run.world.eventConfigs[at]!.owner !== HOST_OWNED) {
      throw new Refused('rule', "KVM owns this event: the guest's counter enables and disables it");
    }
    this.injecting(inject, () => operations.closeEvent(this.run, at));
    this.draft.events[at] = undefined;
  }

  addVcpu(body: VcpuCreate): number {
    const { draft } = this;
    if (draft.vcpus.length >= VCPUS_MAX) {
      throw new Refused('limit', `a host can have at most ${VCPUS_MAX} vCPUs`);
    }
    const at = operations.addVcpu(this.run, this.cpu(body.cpu ?? 0).index, {
      vpmu: body.vpmu ?? DEFAULT_FEATURES.vpmu,
      pebs: body.pebs ?? DEFAULT_FEATURES.pebs,
      rtm: body.rtm ?? DEFAULT_FEATURES.rtm,
    });
    draft.vcpus.push({
      id: `vcpu_${this.takeId()}`,
      ...(body.name === undefined ? {} : { name: body.name }),
      runs: 0,
      pmis: 0,
      written: new Map(),
    });
    return at;
  }

  /** Returns why the guest takes a #GP, or null. */
  wrmsr(at: number, body: WrmsrRequest, inject?: readonly InjectionItem[]): string | null {
    const code = msrCode(body.msr);
    const value = parseU64(body.value, '/value');
    if (code === undefined) {
      return 'KVM does not emulate this MSR for this vCPU';
    }
    this.run.injections.set(this.parseInjections(inject));
    const fault = operations.guestWrmsr(this.run, at, code, value, (address) => {
      const identity = this.draft.addresses.identify(address);
      if (identity === undefined) {
        throw new Refused('limit', 'the host has used too many different DS areas', '/value');
      }
      return identity;
    });
    this.run.injections.expectLanded();
    if (fault === null) {
      this.draft.vcpus[at]!.written.set(code, value);
    }
    return fault;
  }

  async transition(at: number, body: TransitionRequest): Promise<TransitionCounts> {
    this.run.injections.set(this.parseInjections(body.inject));
    const { entries, sink } = this.run.tally;
    const { guestPmis } = sink;
    const counts = await makeTransitions(this.run, at, body, this.slices);
    this.run.injections.expectLanded();
    this.draft.vcpus[at]!.runs += this.run.tally.entries - entries;
    this.draft.vcpus[at]!.pmis += sink.guestPmis - guestPmis;
    return counts;
  }

  /** The context switch that takes a vCPU's thread off its CPU, or puts it there. */
  contextSwitch(kind: number, at: number, inject: readonly InjectionItem[] | undefined): void {
    const cpu = this.draft.state.cpus[this.draft.state.vcpus[at]!.cpu]!;
    this.injecting(inject, () => this.run.operate(kind, cpu, at));
  }

  migrate(at: number, cpu: number): void {
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

  tick(cpuIndex: number, inject: readonly InjectionItem[] | undefined): LogicalCpu {
    const cpu = this.cpu(cpuIndex);
    this.injecting(inject, () => operations.tick(this.run, cpu));
    return cpu;
  }

  /** perf_pmu_disable(): the PMU stays off until `pmuEnable`. */
  pmuDisable(cpuIndex: number, inject: readonly InjectionItem[] | undefined): LogicalCpu {
    const cpu = this.cpu(cpuIndex);
    this.injecting(inject, () => {
      this.run.act(actions.START_SECTION, cpu.index);
      while (cpu.pc !== D4_PEBS_ENABLE) {
        this.run.advance(cpu);
      }
    });
    return cpu;
  }

  pmuEnable(cpuIndex: number, inject: readonly InjectionItem[] | undefined): LogicalCpu {
    const cpu = this.cpu(cpuIndex);
    if (cpu.operation !== SECTION) {
      throw new Refused('state', 'the PMU of the CPU was not disabled', '/cpu');
    }
    this.injecting(inject, () => this.run.finish(cpu));
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

  private injecting(inject: readonly InjectionItem[] | undefined, act: () => void): void {
    this.run.injections.set(this.parseInjections(inject));
    act();
    this.run.injections.expectLanded();
  }

  private parseInjections(items: readonly InjectionItem[] | undefined): Injection[] {
    const counters = this.run.world.caps.intelCtrl & COUNTERS;
    return (items ?? []).map((item, at) => {
      const step = stepCode(item.at);
      if (step === undefined || step === 0) {
        throw new Refused('rule', `no micro-step ${item.at} exists`, `/inject/${at}/at`);
      }
      const { nmi, overflow, occurrence } = item;
      const where = nmi === undefined ? `/inject/${at}` : `/inject/${at}/nmi`;
      return {
        step,
        occurrence,
        kind: injectedAction(nmi),
        overflow: parseCounters(nmi?.overflow ?? overflow, counters, `${where}/overflow`),
        throttle: parseCounters(nmi?.throttle, counters, `${where}/throttle`),
      };
    });
  }

  private takeId(): string {
    const id = this.draft.nextId;
    this.draft.nextId += 1;
    return id.toString(36);
  }

  /** Adds and removes the records of events that KVM opened and closed for a guest. */
  private nameGuestEvents(): void {
    const { draft } = this;
    draft.state.events.forEach((event, at) => {
      const config = this.run.world.eventConfigs[at]!;
      if (config.owner === HOST_OWNED) {
        return;
      }
      if (event.status === CLOSED) {
        draft.events[at] = undefined;
      } else {
        draft.events[at] ??= guestEventRecord(`ev_${this.takeId()}`, config.guestCounter);
      }
    });
  }
}

/** The machine's action for an injection: an NMI, or an overflow whose NMI comes later. */
function injectedAction(nmi: Nmi | undefined): number {
  if (nmi === undefined) {
    return actions.LATCH;
  }
  if (nmi.bpf_snapshot) {
    return actions.SNAPSHOT;
  }
  return nmi.reset ? actions.NMI_RESET : actions.NMI;
}
