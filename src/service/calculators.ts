/** The two stateless calculators: one switch list, and successive round trips from given perf states. */
import type { RoundTripStep, RoundTrips, RoundTripsRequest } from '../../schemas/round-trip.js';
import type {
  KvmPmu,
  PerfState,
  SwitchListAnswer,
  SwitchListRequest,
  SwitchMsr,
} from '../../schemas/switch-list.js';
import { AddressBook } from '../pmu/arch/address-book.js';
import { type CounterSet, counterNames, fromU64 } from '../pmu/arch/counter-set.js';
import type { PmuCaps } from '../pmu/arch/cpu-model.js';
import type { Hardware } from '../pmu/arch/hardware.js';
import { readMsr } from '../pmu/arch/hardware.js';
import {
  DS_AREA,
  GLOBAL_CTRL,
  msrName,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
  SWITCHED_MSRS,
  switchedIn,
} from '../pmu/arch/msr.js';
import { roundTripWrites } from '../pmu/cost-cases/write-costs.js';
import type { KernelVariant } from '../pmu/kernels/kernel-variant.js';
import { ANY_PRECISE, capsOf, isIsolatedOn } from '../pmu/kernels/pmu-support.js';
import type { PerfInput } from '../pmu/machine/given-state.js';
import { createWorld } from '../pmu/machine/world.js';
import type { GuestPebs } from '../pmu/perf/guest-switch.js';
import type { SwitchList } from '../pmu/perf/switch-list.js';
import {
  type CalculatedRun,
  calculateSwitchList,
  NO_GUEST_PEBS,
  RoundTripCalculator,
} from '../pmu/stepping/calculator.js';
import { symbolsIn } from '../pmu/symbols.js';
import { loadAreas } from './load-areas.js';
import { cpuModelById, kernelById } from './lookups.js';
import { Slices } from './slices.js';
import { formatCounterSet, formatU64, parseCounterSet, parseU64, type U64Input } from './wire.js';

/**
 * The values of one request. Data configurations are kept by identity like addresses, since any 64-bit value may be
 * asked about and the switch functions only compare and copy it.
 */
class Values {
  readonly addresses = new AddressBook();
  readonly dataCfgs = new AddressBook();

  /** The fields of an object in the request. */
  of<Name extends string>(fields: Readonly<Record<Name, U64Input>>, pointer: string) {
    const identified = (book: AddressBook, name: Name): number =>
      // A request has at most 1,000 steps with two values each, fewer than a book holds.
      book.identify(parseU64(fields[name], `${pointer}/${name}`)) ?? 0;
    return {
      set: (name: Name): CounterSet => parseCounterSet(fields[name], `${pointer}/${name}`),
      address: (name: Name): number => identified(this.addresses, name),
      dataCfg: (name: Name): number => identified(this.dataCfgs, name),
    };
  }

  format(msr: number, value: number): string {
    switch (msr) {
      case DS_AREA:
        return formatU64(this.addresses.valueOf(value));
      case PEBS_DATA_CFG:
        return formatU64(this.dataCfgs.valueOf(value));
      default:
        return formatCounterSet(value);
    }
  }
}

/** The switch list of one given state. */
export function switchList(request: SwitchListRequest): SwitchListAnswer {
  const { kernel, caps, noIsolation } = kernelAndCpu(request);
  const values = new Values();
  const perf = perfOf(request.perf, '/perf', values);
  const guest = guestOf(request.kvm_pmu, '/kvm_pmu', values);
  const list = calculateSwitchList(createWorld({ caps, kernel }), noIsolation, perf, guest);
  return {
    kernel: kernel.id,
    list: listItems(list, kernel, values),
    symbols: symbolsOfFormulas(kernel),
  };
}

/** Successive runs; the load areas start empty. */
export async function roundTrips(request: RoundTripsRequest): Promise<RoundTrips> {
  const { kernel, caps, noIsolation } = kernelAndCpu(request);
  const calculator = new RoundTripCalculator({ caps, kernel }, noIsolation);
  const values = new Values();
  const slices = new Slices();
  const steps: RoundTripStep[] = [];
  for (const [at, step] of request.steps.entries()) {
    const perf = perfOf(step.perf, `/steps/${at}/perf`, values);
    const guest = guestOf(step.kvm_pmu, `/steps/${at}/kvm_pmu`, values) ?? NO_GUEST_PEBS;
    const throttle = parseCounterSet(
      step.nmi_throttle_before_entry ?? 0,
      `/steps/${at}/nmi_throttle_before_entry`,
    );
    steps.push(stepItem(calculator.run(perf, guest, throttle), kernel, values));
    await slices.pause();
  }
  return { steps, symbols: symbolsOfFormulas(kernel) };
}

/** The letters in what `why` says of a kernel's list. */
function symbolsOfFormulas({ formulas }: KernelVariant): SwitchListAnswer['symbols'] {
  return symbolsIn(Object.values(formulas).join('; '));
}

/** Any value may be asked about, and data configurations are identities here. */
const NOTHING_RESERVED = { reserved: new Array<number>(SWITCHED_MSRS).fill(0) };

/** The kernel of a request, and the CPU by its model or by its traits. */
function kernelAndCpu(request: Pick<SwitchListRequest, 'kernel' | 'cpu' | 'cpu_model'>) {
  const kernel = kernelById(request.kernel, '/kernel');
  const { cpu } = request;
  if (cpu === undefined) {
    const model = cpuModelById(request.cpu_model ?? '', '/cpu_model');
    const caps = { ...capsOf(kernel, model), ...NOTHING_RESERVED };
    return { kernel, caps, noIsolation: !isIsolatedOn(kernel, model) };
  }
  const caps: PmuCaps = {
    dsPebs: cpu.ds_pebs,
    pebsEnableMsr: true,
    pebsEpt: cpu.pebs_ept,
    pebsBaseline: cpu.pebs_baseline,
    loadPerfGlobalCtrl: cpu.load_perf_global_ctrl ?? true,
    // A capability of a bit that no state can have set changes nothing, so such bits are dropped.
    pebsCapable: fromU64(parseU64(cpu.pebs_capable, '/cpu/pebs_capable')).set,
    intelCtrl: parseCounterSet(cpu.intel_ctrl, '/cpu/intel_ctrl'),
    pebsPseudo: 0,
    ...NOTHING_RESERVED,
    precise: ANY_PRECISE,
  };
  return { kernel, caps, noIsolation: cpu.pebs_no_isolation };
}

function perfOf(perf: PerfState, pointer: string, values: Values): PerfInput {
  const { set, address, dataCfg } = values.of(perf, pointer);
  return {
    guestMask: set('intel_ctrl_guest_mask'),
    hostMask: set('intel_ctrl_host_mask'),
    pebsEnabled: set('pebs_enabled'),
    dataCfg: dataCfg('active_pebs_data_cfg'),
    ds: address('ds'),
  };
}

function guestOf(guest: KvmPmu | undefined, pointer: string, values: Values): GuestPebs | null {
  if (guest === null || guest === undefined) {
    return null;
  }
  const { set, address, dataCfg } = values.of(guest, pointer);
  return {
    pebsEnable: set('pebs_enable'),
    dsArea: address('ds_area'),
    pebsDataCfg: dataCfg('pebs_data_cfg'),
    crossMapped: set('host_cross_mapped_mask'),
  };
}

function listItems(list: SwitchList, kernel: KernelVariant, values: Values): SwitchMsr[] {
  return switchedIn(list.present).map((msr) => {
    const name = msrName(msr) as SwitchMsr['msr'];
    const [host, guest] = [list.host[msr]!, list.guest[msr]!];
    const forced = msr === GLOBAL_CTRL && kernel.options.zeroGlobalCtrl !== 'no';
    const elided = host === guest && !forced;
    const formula = kernel.formulas[name] ?? 'pebs_enabled / 0 (no PEBS isolation)';
    return {
      msr: name,
      host: values.format(msr, host),
      guest: values.format(msr, guest),
      elided,
      why: `${formula}; ${elided ? 'host and guest agree, so KVM clears the entry' : forced ? 'loaded on both sides because KVM zeroed the register' : 'they differ, so KVM loads it at VM-entry and VM-exit'}`,
    };
  });
}

function stepItem(run: CalculatedRun, kernel: KernelVariant, values: Values): RoundTripStep {
  return {
    list: listItems(run.list, kernel, values),
    ...loadAreas(run.vcpu, (msr, value) => values.format(msr, value)),
    in_guest: registers(run.inGuest, values),
    after_exit: registers(run.afterExit, values),
    pebs_enabled_at_entry: formatCounterSet(run.pebsEnabledAtEntry),
    stuck: counterNames(run.afterExit.pebsEnable & ~run.pebsEnabledAtEntry),
    writes: roundTripWrites(run.tally.sink),
  };
}

function registers(hardware: Hardware, values: Values): RoundTripStep['in_guest'] {
  const entries = [GLOBAL_CTRL, PEBS_ENABLE, DS_AREA, PEBS_DATA_CFG].map((msr) => [
    msrName(msr),
    values.format(msr, readMsr(hardware, msr)),
  ]);
  return Object.fromEntries(entries);
}
