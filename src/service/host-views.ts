/** The parts of a host as resources: what clients read. */
import type { HostMetrics } from '../../schemas/metrics.js';
import type { MsrView, MsrWriteCount, Violation } from '../../schemas/msr.js';
import type { PerfEvent as PerfEventItem } from '../../schemas/perf-event.js';
import type { TraceItem } from '../../schemas/trace.js';
import type { GuestPmu, Vcpu as VcpuItem } from '../../schemas/vcpu.js';
import { GENERAL_PURPOSE_MAX } from '../pmu/arch/counter-set.js';
import {
  EVENTSEL,
  FIXED_CTR_CTRL,
  KVM_WRMSR,
  MSR_CODES,
  msrName,
  PERF_WRMSR,
  VIA_CODES,
  VIA_NAMES,
  VM_ENTRY_LOAD,
  VM_EXIT_LOAD,
  VMCS_FIELD,
} from '../pmu/arch/msr.js';
import { INVARIANTS } from '../pmu/invariants/index.js';
import { crossMappedCounters } from '../pmu/kvm/vcpu-run.js';
import type { TraceEntry } from '../pmu/live/run.js';
import type { Tally } from '../pmu/live/tally.js';
import { GUEST, STEP_NAMES } from '../pmu/machine/micro-step.js';
import { RUN_VCPU } from '../pmu/machine/state.js';
import { ADDED, CLOSED, HOST_OWNED, NO_EVENT, STATUS_NAMES } from '../pmu/perf/perf-event.js';
import { DEFAULT_COST_MODEL, estimateCycles } from '../pmu/scenarios/cycle-cost.js';
import type { Host } from './host.js';
import {
  formatCounter,
  formatCounterSet,
  formatDataCfg,
  formatMsrValue,
  formatU64,
} from './wire.js';

export function eventItem(host: Host, at: number): PerfEventItem {
  const record = host.events[at]!;
  const event = host.state.events[at]!;
  const config = host.world.eventConfigs[at]!;
  const guestOwned = config.owner !== HOST_OWNED;
  const status = STATUS_NAMES[event.status]!;
  return {
    id: record.id,
    ...(record.name === undefined ? {} : { name: record.name }),
    cpu: guestOwned ? host.state.vcpus[config.owner]!.cpu : config.cpu,
    counter: event.status >= ADDED ? formatCounter(event.counter) : null,
    ...(record.requestedCounter === undefined
      ? {}
      : { requested_counter: record.requestedCounter }),
    precise_ip: event.preciseIp,
    exclude_host: config.excludeHost,
    exclude_guest: config.excludeGuest,
    sampling: record.sampling,
    large_pebs: config.largePebs,
    aux_output: config.auxOutput,
    pebs_data_cfg: formatDataCfg(event.dataCfg),
    ...(config.leader === NO_EVENT ? {} : { group_leader: host.events[config.leader]!.id }),
    owner: guestOwned ? host.vcpus[config.owner]!.id : 'host',
    // An event that is placed but not started is, to the outside, not yet counting.
    state: (status === 'added' ? 'inactive' : status) as PerfEventItem['state'],
  };
}

export function vcpuItem(host: Host, at: number): VcpuItem {
  const record = host.vcpus[at]!;
  const vcpu = host.state.vcpus[at]!;
  const { autoload } = vcpu;
  const area = (side: Int32Array) =>
    autoload.listed().map((msr) => ({
      msr: msrName(msr) as MsrView['name'],
      value: formatMsrValue(msr, side[msr]!, host.addresses),
    }));
  return {
    id: record.id,
    ...(record.name === undefined ? {} : { name: record.name }),
    cpu: vcpu.cpu,
    vpmu: host.world.vpmu[at]!,
    position: vcpuPosition(host, at),
    runs: record.runs,
    pmu: guestPmu(host, at),
    vm_entry_msr_load: area(autoload.guest),
    vm_exit_msr_load: area(autoload.host),
    global_ctrl_field: vcpu.loadGlobalCtrl
      ? {
          guest: formatCounterSet(vcpu.guestGlobalCtrl),
          host: formatCounterSet(vcpu.hostGlobalCtrl),
        }
      : null,
  };
}

/** `host` at rest, `guest` in the guest, else the micro-step executed last. */
export function vcpuPosition(host: Host, at: number): string {
  const cpu = host.state.cpus[host.state.vcpus[at]!.cpu]!;
  if (cpu.operation !== RUN_VCPU || cpu.target !== at) {
    return 'host';
  }
  return cpu.pc === GUEST ? 'guest' : STEP_NAMES[cpu.pc]!;
}

/** What the guest sees of its PMU. */
export function guestPmu(host: Host, at: number): GuestPmu {
  const vcpu = host.state.vcpus[at]!;
  const { written } = host.vcpus[at]!;
  const raw = (msr: number): string => formatU64(written.get(msr) ?? { hi: 0, lo: 0 });
  const cpu = host.state.cpus[vcpu.cpu]!;
  const counters = host.state.events.flatMap((event, slot) => {
    const config = host.world.eventConfigs[slot]!;
    const used = config.owner === at && event.status !== CLOSED;
    return used
      ? [
          {
            counter: formatCounter(config.guestCounter)!,
            host_counter: event.status >= ADDED ? formatCounter(event.counter) : null,
            precise_ip: event.preciseIp,
          },
        ]
      : [];
  });
  const generalPurpose = host.world.vpmu[at] ? host.model.generalPurpose : 0;
  return {
    global_ctrl: formatCounterSet(vcpu.globalCtrl),
    pebs_enable: formatCounterSet(vcpu.pebsEnable),
    ds_area: formatU64(host.addresses.valueOf(vcpu.dsArea)),
    pebs_data_cfg: formatDataCfg(vcpu.pebsDataCfg),
    fixed_ctr_ctrl: raw(FIXED_CTR_CTRL),
    eventsel: Array.from({ length: Math.min(generalPurpose, GENERAL_PURPOSE_MAX) }, (_, k) =>
      raw(EVENTSEL + k),
    ),
    host_cross_mapped_mask: formatCounterSet(
      crossMappedCounters(host.world, host.state.events, vcpu, at, cpu),
    ),
    counters,
  };
}

/** The counts of a tally that are not 0, by MSR and mechanism. */
export function msrWriteItems(tally: Tally): MsrWriteCount[] {
  const items: MsrWriteCount[] = [];
  for (let msr = 0; msr < MSR_CODES; msr += 1) {
    for (let via = 0; via < VIA_CODES; via += 1) {
      const count = tally.sink.count(msr, via);
      if (count > 0) {
        items.push({ msr: msrName(msr), via: VIA_NAMES[via]!, count });
      }
    }
  }
  return items;
}

export function violationItems(host: Host, tally: Tally): Violation[] {
  return INVARIANTS.flatMap(({ id }, at) => {
    const first = tally.firstViolations[at];
    return first === undefined
      ? []
      : [
          {
            invariant: id,
            count: tally.violations[at]!,
            first_at: {
              micro_step_index: first.index,
              cpu: first.cpu,
              ...(first.vcpu === undefined ? {} : { vcpu: host.vcpus[first.vcpu]!.id }),
              at: first.at,
            },
          },
        ];
  });
}

export function metricsItem(host: Host): HostMetrics {
  const { tally } = host;
  const writes = {
    kvmWrmsr: tally.sink.total(KVM_WRMSR),
    vmEntryLoad: tally.sink.total(VM_ENTRY_LOAD),
    vmExitLoad: tally.sink.total(VM_EXIT_LOAD),
    vmcsField: tally.sink.total(VMCS_FIELD),
  };
  const cycles = estimateCycles(DEFAULT_COST_MODEL, tally.roundTrips, writes);
  const each = (value: number): number => (tally.roundTrips === 0 ? 0 : value / tally.roundTrips);
  const msrWrites = msrWriteItems(tally);
  return {
    msr_writes: msrWrites,
    round_trips: tally.roundTrips,
    nmis: tally.sink.nmis,
    throttles: tally.sink.throttles,
    violations: violationItems(host, tally),
    estimated_cycles: cycles,
    per_round_trip: {
      msr_writes:
        tally.roundTrips === 0
          ? []
          : msrWrites.map((item) => ({ ...item, count: each(item.count) })),
      kvm_wrmsr: each(writes.kvmWrmsr),
      perf_wrmsr: each(tally.sink.total(PERF_WRMSR)),
      vm_entry_load: each(writes.vmEntryLoad),
      vm_exit_load: each(writes.vmExitLoad),
      vmcs_field: each(writes.vmcsField),
      estimated_cycles: each(cycles),
    },
  };
}

export function traceItem(host: Host, entry: TraceEntry): TraceItem {
  return {
    index: entry.index,
    cpu: entry.cpu,
    ...(entry.vcpu === undefined ? {} : { vcpu: host.vcpus[entry.vcpu]!.id }),
    actor: entry.actor,
    at: entry.at,
    writes: entry.writes.map(({ msr, via, value, row }) => ({
      msr: msrName(msr),
      via: VIA_NAMES[via]!,
      value: formatMsrValue(msr, value, host.addresses),
      row,
    })),
  };
}
