/** The engine against what Linux's own code answered (`test/conformance/README.md`). */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { AddressBook } from '../../src/pmu/arch/address-book.js';
import {
  COUNTERS,
  type CounterSet,
  counterName,
  fromU64,
  GENERAL_PURPOSE,
  toU64,
  type U64,
} from '../../src/pmu/arch/counter-set.js';
import { type PmuCaps, platformClass } from '../../src/pmu/arch/cpu-model.js';
import type { Hardware } from '../../src/pmu/arch/hardware.js';
import {
  DS_AREA,
  KVM_WRMSR,
  MSR_CODES,
  msrName,
  PEBS_DATA_CFG,
  SWITCHED_MSRS,
  VM_ENTRY_LOAD,
  VM_EXIT_LOAD,
  VMCS_FIELD,
} from '../../src/pmu/arch/msr.js';
import type { WriteSink } from '../../src/pmu/arch/write-sink.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import type { KernelVariant } from '../../src/pmu/kernels/kernel-variant.js';
import { ANY_PRECISE } from '../../src/pmu/kernels/pmu-support.js';
import { VcpuPmu } from '../../src/pmu/kvm/vcpu-pmu.js';
import { NMI } from '../../src/pmu/machine/actions.js';
import type { PerfInput } from '../../src/pmu/machine/given-state.js';
import { K8_PREPARE } from '../../src/pmu/machine/micro-step.js';
import { EXIT_EXTERNAL_INTERRUPT, EXIT_HLT } from '../../src/pmu/machine/state.js';
import { createState, createWorld } from '../../src/pmu/machine/world.js';
import type { GuestPebs } from '../../src/pmu/perf/guest-switch.js';
import { planOpen } from '../../src/pmu/perf/open-rules.js';
import { CLOSED } from '../../src/pmu/perf/perf-event.js';
import {
  calculateSwitchList,
  NO_GUEST_PEBS,
  RoundTripCalculator,
} from '../../src/pmu/stepping/calculator.js';
import { closeEvent, openHostEvent } from '../../src/pmu/stepping/operations.js';
import { Run } from '../../src/pmu/stepping/run.js';
import { type EventWish, present, requestOf, u64 } from './machine.js';

/** Two drivers made the files; the second one's inputs are wider. */
const FIRST_DRIVER = ['upstream-base', 'linux-6.1.192', 'linux-6.12.117'] as const;
const SECOND_DRIVER = ['linux-6.1.187', 'linux-6.12.107', 'linux-7.2.6', 'linux-7.3.4'] as const;
const KERNELS = [...FIRST_DRIVER, ...SECOND_DRIVER] as const;

interface Cpu {
  readonly dsPebs: boolean;
  readonly pebsNoIsolation: boolean;
  readonly pebsEpt: boolean;
  readonly pebsBaseline: boolean;
  readonly loadPerfGlobalCtrl: boolean;
  readonly pebsCapable: string;
  readonly intelCtrl: string;
}
interface Perf {
  readonly intelCtrlGuestMask: string;
  readonly intelCtrlHostMask: string;
  readonly pebsEnabled: string;
  readonly activePebsDataCfg: string;
  readonly ds: string;
}
interface KvmPmu {
  readonly dsArea: string;
  readonly pebsDataCfg: string;
  readonly pebsEnable: string;
  readonly hostCrossMappedMask: string;
}
interface SwitchListCase {
  readonly cpu: Cpu;
  readonly perf: Perf;
  readonly kvmPmu: KvmPmu | null;
  readonly list: readonly { msr: string; host: string; guest: string }[];
}
interface Step {
  readonly events: readonly {
    readonly counter: number;
    readonly precise: boolean;
    readonly excludeHost: boolean;
    readonly excludeGuest: boolean;
  }[];
  readonly perf: Perf;
  readonly kvmPmu: KvmPmu | null;
  readonly vmEntryMsrLoad: readonly { msr: string; value: string }[];
  readonly vmExitMsrLoad: readonly { msr: string; value: string }[];
  readonly globalCtrlField: { guest: string; host: string } | null;
  readonly nmiThrottleBeforeEntry: string;
}
interface Answers {
  readonly switchLists: readonly SwitchListCase[];
  readonly roundTrips: readonly { readonly cpu: Cpu; readonly steps: readonly Step[] }[];
}

/** What is compared of a round trip: all of a step but what went in. */
function answerOf(step: Step): Record<string, unknown> {
  const { events: _events, perf: _perf, kvmPmu: _kvmPmu, ...answer } = step;
  return answer;
}

const hex = ({ hi, lo }: U64): string => `0x${((BigInt(hi) << 32n) | BigInt(lo)).toString(16)}`;
const setHex = (set: CounterSet): string => hex(toU64(set));

function setOf(text: string): CounterSet {
  return fromU64(u64(BigInt(text))).set;
}

/** What an identity stands for; a live host's own DS area is wherever the file put it. */
class Addresses {
  private readonly book = new AddressBook();
  hostDs = '';

  identify(text: string): number {
    return present(this.book.identify(u64(BigInt(text))), 'a full address book');
  }

  text(identity: number): string {
    return identity === 1 && this.hostDs !== '' ? this.hostDs : hex(this.book.valueOf(identity));
  }
}

function capsOf(cpu: Cpu): PmuCaps {
  return {
    dsPebs: cpu.dsPebs,
    pebsEnableMsr: true,
    pebsEpt: cpu.pebsEpt,
    pebsBaseline: cpu.pebsBaseline,
    loadPerfGlobalCtrl: cpu.loadPerfGlobalCtrl,
    pebsCapable: setOf(cpu.pebsCapable),
    intelCtrl: setOf(cpu.intelCtrl),
    pebsPseudo: 0,
    reserved: [0, 0, 0, 0],
    precise: ANY_PRECISE,
  };
}

function perfOf(perf: Perf, addresses: Addresses): PerfInput {
  return {
    guestMask: setOf(perf.intelCtrlGuestMask),
    hostMask: setOf(perf.intelCtrlHostMask),
    pebsEnabled: setOf(perf.pebsEnabled),
    dataCfg: Number(perf.activePebsDataCfg),
    ds: addresses.identify(perf.ds),
  };
}

function guestOf(kvmPmu: KvmPmu | null, addresses: Addresses): GuestPebs | null {
  return (
    kvmPmu && {
      pebsEnable: setOf(kvmPmu.pebsEnable),
      dsArea: addresses.identify(kvmPmu.dsArea),
      pebsDataCfg: Number(kvmPmu.pebsDataCfg),
      crossMapped: setOf(kvmPmu.hostCrossMappedMask),
    }
  );
}

function valueText(msr: number, value: number, addresses: Addresses): string {
  if (msr === DS_AREA) {
    return addresses.text(value);
  }
  return msr === PEBS_DATA_CFG ? `0x${value.toString(16)}` : setHex(value);
}

function registers(hardware: Hardware, addresses: Addresses): Record<string, string> {
  return {
    IA32_PERF_GLOBAL_CTRL: setHex(hardware.globalCtrl),
    IA32_PEBS_ENABLE: setHex(hardware.pebsEnable),
    IA32_DS_AREA: addresses.text(hardware.dsArea),
    MSR_PEBS_DATA_CFG: `0x${hardware.pebsDataCfg.toString(16)}`,
  };
}

function writesOf(sink: WriteSink): Record<string, number> {
  const total = (via: number): number => {
    let writes = 0;
    for (let msr = 0; msr < MSR_CODES; msr += 1) {
      writes += sink.count(msr, via);
    }
    return writes;
  };
  return {
    explicitWrmsr: total(KVM_WRMSR),
    vmEntryMsrLoad: total(VM_ENTRY_LOAD),
    vmExitMsrLoad: total(VM_EXIT_LOAD),
    vmcsField: total(VMCS_FIELD),
  };
}

function listsOf(vcpu: VcpuPmu, addresses: Addresses): Record<string, unknown> {
  const { autoload } = vcpu;
  const order = [...autoload.order].slice(0, autoload.count);
  const area = (values: Int32Array): unknown =>
    order.map((msr) => ({ msr: msrName(msr), value: valueText(msr, values[msr]!, addresses) }));
  return {
    vmEntryMsrLoad: area(autoload.guest),
    vmExitMsrLoad: area(autoload.host),
    globalCtrlField: vcpu.loadGlobalCtrl
      ? { guest: setHex(vcpu.guestGlobalCtrl), host: setHex(vcpu.hostGlobalCtrl) }
      : null,
  };
}

const answers = new Map<string, Answers>(
  KERNELS.map((id) => {
    const path = new URL(`../../../test/conformance/${id}.json`, import.meta.url);
    return [id, JSON.parse(readFileSync(path, 'utf8')) as Answers];
  }),
);

let checks = 0;

for (const [id, { switchLists, roundTrips }] of answers) {
  const kernel = present(findKernel(id), id);

  t.test(`${id}: the switch list is the kernel's, entry by entry`, async (t) => {
    const addresses = new Addresses();
    for (const { cpu, perf, kvmPmu, list } of switchLists) {
      const world = createWorld({ caps: capsOf(cpu), kernel });
      const guest = guestOf(kvmPmu, addresses);
      const made = calculateSwitchList(world, cpu.pebsNoIsolation, perfOf(perf, addresses), guest);
      const got = [];
      for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
        if (made.present & (1 << msr)) {
          const text = (values: Int32Array): string => valueText(msr, values[msr]!, addresses);
          got.push({ msr: msrName(msr), host: text(made.host), guest: text(made.guest) });
        }
      }
      t.strictSame(got, list, JSON.stringify({ cpu, perf, kvmPmu }));
      checks += 1;
    }
  });

  t.test(
    `${id}: successive round trips leave the areas, the fields and the MSRs as the kernel does`,
    async (t) => {
      const addresses = new Addresses();
      for (const { cpu, steps } of roundTrips) {
        const calculator = new RoundTripCalculator(
          { caps: capsOf(cpu), kernel },
          cpu.pebsNoIsolation,
        );
        for (const step of steps) {
          const guest = guestOf(step.kvmPmu, addresses) ?? NO_GUEST_PEBS;
          const throttle = setOf(step.nmiThrottleBeforeEntry);
          const made = calculator.run(perfOf(step.perf, addresses), guest, throttle);
          const got = {
            ...listsOf(made.vcpu, addresses),
            nmiThrottleBeforeEntry: step.nmiThrottleBeforeEntry,
            pebsEnabledAtEntry: setHex(made.pebsEnabledAtEntry),
            inGuest: registers(made.inGuest, addresses),
            afterExit: registers(made.afterExit, addresses),
            writes: writesOf(made.tally.sink),
          };
          t.strictSame(got, answerOf(step), JSON.stringify({ cpu, events: step.events }));
          checks += 1;
        }
      }
    },
  );
}

t.test('nothing was skipped', async (t) => {
  t.equal(checks, 3 * (250 + 268) + 4 * (250 + 264));
});

/** The random states are wider than what a host and a guest can reach; so many steps are, for these reasons. */
interface Reached {
  readonly driven: number;
  /** Of them, with a throttling NMI. */
  readonly throttled: number;
  readonly leftOut: Readonly<Record<string, number>>;
}
const FIRST_REACHED: Reached = {
  driven: 197,
  throttled: 27,
  leftOut: {
    'MSR_PEBS_DATA_CFG does not exist for a guest': 44,
    'a guest has PEBS on general-purpose counters only': 14,
    'no vCPU event is cross-mapped': 4,
    'perf reserves no DS area without DS-based PEBS': 9,
  },
};
const SECOND_REACHED: Reached = {
  driven: 135,
  throttled: 10,
  leftOut: {
    'no adaptive PEBS, so no data configuration': 63,
    'MSR_PEBS_DATA_CFG does not exist for a guest': 27,
    'a guest has PEBS on general-purpose counters only': 3,
    'no vCPU event is cross-mapped': 7,
    'perf reserves no DS area without DS-based PEBS': 29,
  },
};

/**
 * A machine on which the events of a step are really opened, as far as perf takes them and a guest can set its PMU.
 * Its vCPU and its areas live on from step to step.
 */
class LiveHost {
  readonly addresses = new Addresses();
  readonly run: Run;
  private readonly cpu: Cpu;

  constructor(cpu: Cpu, kernel: KernelVariant) {
    this.cpu = cpu;
    const world = createWorld({ caps: capsOf(cpu), kernel });
    this.run = new Run(world, createState(world, 1, cpu.pebsNoIsolation));
    this.run.state.vcpus.push(new VcpuPmu());
  }

  get vcpu(): VcpuPmu {
    return this.run.state.vcpus[0]!;
  }

  /** Why the step is outside what this host can be brought to, or null. */
  unreachable(step: Step): string | null {
    const { cpu } = this;
    const dataCfg = Number(step.perf.activePebsDataCfg);
    if (step.perf.ds === '0x0') {
      return step.events.length > 0 ? 'events are open and no DS area is reserved' : null;
    }
    if (!cpu.dsPebs) {
      return 'perf reserves no DS area without DS-based PEBS';
    }
    if (dataCfg !== 0 && !cpu.pebsBaseline) {
      return 'no adaptive PEBS, so no data configuration';
    }
    const refused = this.wishes(step).find((wish) => 'errno' in this.plan(wish));
    if (refused !== undefined) {
      return `perf refuses ${JSON.stringify(refused)}`;
    }
    return this.beyondGuest(step);
  }

  /** What of the guest's PMU no guest can set, if the switch function would see it. */
  private beyondGuest(step: Step): string | null {
    const { kvmPmu } = step;
    const isolated = !this.cpu.pebsNoIsolation;
    if (kvmPmu === null || platformClass(this.cpu, isolated) !== 'K3') {
      return null; // The list does not depend on the guest there.
    }
    const pebsEnabled = setOf(step.perf.pebsEnabled);
    const hostPebs = pebsEnabled & ~setOf(step.perf.intelCtrlGuestMask);
    if (kvmPmu.pebsDataCfg !== '0x0') {
      return 'MSR_PEBS_DATA_CFG does not exist for a guest';
    }
    if (setOf(kvmPmu.pebsEnable) & ~GENERAL_PURPOSE & pebsEnabled) {
      return 'a guest has PEBS on general-purpose counters only';
    }
    // The events below are the host's, so none is cross-mapped; with host PEBS active the mask is not looked at.
    return kvmPmu.hostCrossMappedMask !== '0x0' && hostPebs === 0
      ? 'no vCPU event is cross-mapped'
      : null;
  }

  /** Brings the machine to the perf state of the step, and the guest's PMU with it. */
  prepare(step: Step): void {
    const { cpuc, hardware } = this.run.state.cpus[0]!;
    const anchored = step.perf.ds !== '0x0';
    this.closeAll();
    if (anchored) {
      // An event that stays off keeps the DS areas reserved.
      this.open({ sampling: null }, true);
    }
    const wanted = Number(step.perf.activePebsDataCfg);
    if (cpuc.activePebsDataCfg !== wanted || hardware.pebsEnable !== 0) {
      // A short PEBS session leaves its data configuration, and its end takes every bit out of IA32_PEBS_ENABLE.
      const dataCfg = this.cpu.pebsBaseline ? wanted : null;
      closeEvent(this.run, this.open({ preciseIp: 2, dataCfg }, false));
    }
    if (!anchored) {
      this.closeAll();
    }
    for (const wish of this.wishes(step)) {
      this.open(wish, false);
    }
    const guest = guestOf(step.kvmPmu, this.addresses) ?? NO_GUEST_PEBS;
    if (this.cpu.dsPebs && this.cpu.pebsEpt) {
      this.vcpu.pebsEnable = guest.pebsEnable & GENERAL_PURPOSE;
      this.vcpu.dsArea = guest.dsArea;
    }
    this.vcpu.globalCtrl = GENERAL_PURPOSE;
    this.addresses.hostDs = step.perf.ds;
  }

  /** One round trip, with the step's NMI, told as the file tells it. */
  roundTrip(step: Step): Record<string, unknown> {
    const { run, addresses } = this;
    const cpu = run.state.cpus[0]!;
    const counting = new Run(run.world, run.state);
    const throttle = setOf(step.nmiThrottleBeforeEntry) & COUNTERS;
    counting.startRun(0);
    while (cpu.pc !== K8_PREPARE) {
      counting.advance(cpu);
    }
    if (throttle !== 0) {
      counting.interrupt(NMI, cpu, 0, throttle);
    }
    const pebsEnabledAtEntry = setHex(cpu.cpuc.pebsEnabled);
    counting.enter(0, EXIT_HLT);
    const inGuest = registers(cpu.hardware, addresses);
    counting.leave(cpu, EXIT_EXTERNAL_INTERRUPT);
    return {
      ...listsOf(this.vcpu, addresses),
      nmiThrottleBeforeEntry: step.nmiThrottleBeforeEntry,
      pebsEnabledAtEntry,
      inGuest,
      afterExit: registers(cpu.hardware, addresses),
      writes: writesOf(counting.tally.sink),
    };
  }

  /** perf's masks as a step of the file writes them. */
  perf(): Perf {
    const { cpuc } = this.run.state.cpus[0]!;
    return {
      intelCtrlGuestMask: setHex(cpuc.intelCtrlGuestMask),
      intelCtrlHostMask: setHex(cpuc.intelCtrlHostMask),
      pebsEnabled: setHex(cpuc.pebsEnabled),
      activePebsDataCfg: `0x${cpuc.activePebsDataCfg.toString(16)}`,
      ds: this.addresses.text(cpuc.ds),
    };
  }

  /** Takes over the vCPU's areas from a step that was not driven. */
  adopt(step: Step): void {
    const { autoload } = this.vcpu;
    const codes = new Map([...Array(SWITCHED_MSRS).keys()].map((msr) => [msrName(msr), msr]));
    autoload.copyFrom(new VcpuPmu().autoload);
    step.vmEntryMsrLoad.forEach(({ msr, value }, slot) => {
      const code = present(codes.get(msr), msr);
      const identity = (text: string): number => {
        if (code === DS_AREA) {
          return text === step.perf.ds ? 1 : this.addresses.identify(text);
        }
        return code === PEBS_DATA_CFG ? Number(text) : setOf(text);
      };
      autoload.add(code, identity(step.vmExitMsrLoad[slot]!.value), identity(value), 8);
    });
    this.vcpu.loadGlobalCtrl = step.globalCtrlField === null ? 0 : 1;
    this.vcpu.guestGlobalCtrl = setOf(step.globalCtrlField?.guest ?? '0x0');
    this.vcpu.hostGlobalCtrl = setOf(step.globalCtrlField?.host ?? '0x0');
  }

  private wishes(step: Step): EventWish[] {
    const dataCfg = this.cpu.pebsBaseline ? Number(step.perf.activePebsDataCfg) : null;
    return step.events.map(({ counter, precise, excludeHost, excludeGuest }) => ({
      counter: counterName(counter < 32 ? counter : counter - 16),
      preciseIp: precise ? 2 : 0,
      excludeHost,
      excludeGuest,
      ...(precise ? { dataCfg } : {}),
    }));
  }

  private plan(wish: EventWish): ReturnType<typeof planOpen> {
    return planOpen(this.run.world.caps, requestOf(wish));
  }

  private open(wish: EventWish, off: boolean): number {
    const plan = this.plan(wish);
    if ('errno' in plan) {
      throw new Error(`${plan.errno}: ${plan.reason}`);
    }
    return openHostEvent(this.run, plan, off);
  }

  private closeAll(): void {
    this.run.state.events.forEach(({ status }, at) => {
      if (status !== CLOSED) {
        closeEvent(this.run, at);
      }
    });
  }
}

t.test('a live host brought to the same states by opening events does the same', async (t) => {
  for (const [id, { roundTrips }] of answers) {
    const kernel = present(findKernel(id), id);
    const left = new Map<string, number>();
    let driven = 0;
    let throttled = 0;
    for (const { cpu, steps } of roundTrips) {
      const host = new LiveHost(cpu, kernel);
      for (const step of steps) {
        const reason = host.unreachable(step);
        if (reason !== null) {
          left.set(reason, (left.get(reason) ?? 0) + 1);
          host.adopt(step);
          continue;
        }
        driven += 1;
        throttled += step.nmiThrottleBeforeEntry === '0x0' ? 0 : 1;
        host.prepare(step);
        t.strictSame(host.perf(), step.perf, 'perf wants what the file says it wants');
        t.strictSame(
          host.roundTrip(step),
          answerOf(step),
          JSON.stringify({ cpu, events: step.events }),
        );
      }
    }
    const isFirst = FIRST_DRIVER.some((first) => first === id);
    const reached: Reached = { driven, throttled, leftOut: Object.fromEntries(left) };
    t.strictSame(reached, isFirst ? FIRST_REACHED : SECOND_REACHED, `${id}: what was driven`);
  }
});
