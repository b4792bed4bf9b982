/** The parts of a host as resources that clients read. */
import type { HostMetrics } from '../../../schemas/metrics.js';
import type { MsrWriteCount, Violation } from '../../../schemas/msr.js';
import type { PerfEvent as PerfEventItem } from '../../../schemas/perf-event.js';
import type { GuestPmu, Vcpu as VcpuItem } from '../../../schemas/vcpu.js';
import { GENERAL_PURPOSE_MAX } from '../../pmu/arch/counter-set.js';
import { EVENTSEL, FIXED_CTR_CTRL, msrName, VIA_NAMES } from '../../pmu/arch/msr.js';
import { statusToU64 } from '../../pmu/arch/selector.js';
import { CAUSE_NAMES, ROUND_TRIP } from '../../pmu/arch/write-sink.js';
import { DEFAULT_COST_MODEL, estimateCycles } from '../../pmu/cost-cases/cycle-cost.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import { guestPmuCaps } from '../../pmu/kvm/guest-msrs.js';
import { crossMappedCounters } from '../../pmu/kvm/vcpu-run.js';
import { vcpuOfRun } from '../../pmu/machine/begin.js';
import { GUEST, STEP_NAMES } from '../../pmu/machine/micro-step.js';
import { ADDED, CLOSED, HOST_OWNED, isLeader, statusName } from '../../pmu/perf/perf-event.js';
import type { Tally } from '../../pmu/stepping/tally.js';
import { defined } from '../defined.js';
import { loadAreas } from '../load-areas.js';
import {
  formatCounter,
  formatCounterSet,
  formatDataCfg,
  formatMsrValue,
  formatU64,
} from '../wire.js';
import type { Host } from './host.js';

export function eventItem(host: Host, at: number): PerfEventItem {
  const record = host.events[at]!;
  const event = host.state.events[at]!;
  const config = host.world.eventConfigs[at]!;
  const guestOwned = config.owner !== HOST_OWNED;
  const status = statusName(event);
  return {
    id: record.id,
    ...defined({ name: record.name, requested_counter: record.requestedCounter }),
    cpu: guestOwned ? host.state.vcpus[config.owner]!.cpu : config.cpu,
    counter: event.status >= ADDED ? formatCounter(event.counter) : null,
    precise_ip: event.preciseIp,
    exclude_host: config.excludeHost,
    exclude_guest: config.excludeGuest,
    sampling: record.sampling,
    large_pebs: config.largePebs,
    aux_output: config.auxOutput,
    pebs_data_cfg: formatDataCfg(event.dataCfg),
    ...(isLeader(event, config) ? {} : { group_leader: host.events[config.leader]!.id }),
    owner: guestOwned ? host.vcpus[config.owner]!.id : 'host',
    // An event that is placed but not started does not count yet.
    state: (status === 'added' ? 'inactive' : status) as PerfEventItem['state'],
  };
}

export function vcpuItem(host: Host, at: number): VcpuItem {
  const record = host.vcpus[at]!;
  const vcpu = host.state.vcpus[at]!;
  const caps = guestPmuCaps(host.kernel, host.model, host.world.guests[at]!);
  return {
    id: record.id,
    ...(record.name === undefined ? {} : { name: record.name }),
    cpu: vcpu.cpu,
    vpmu: caps.vpmu,
    pebs: caps.pebs,
    rtm: caps.rtm,
    position: vcpuPosition(host, at),
    runs: record.runs,
    pmis: record.pmis,
    pmu: guestPmu(host, at),
    ...loadAreas(vcpu, (msr, value) => formatMsrValue(msr, value, host.addresses)),
  };
}

/** `host` at rest, `guest` in the guest, otherwise the last micro-step executed. */
export function vcpuPosition(host: Host, at: number): string {
  const cpu = host.state.cpus[host.state.vcpus[at]!.cpu]!;
  if (vcpuOfRun(host.world, cpu) !== at) {
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
    if (config.owner !== at || event.status === CLOSED) return [];
    return {
      counter: formatCounter(config.guestCounter)!,
      host_counter: event.status >= ADDED ? formatCounter(event.counter) : null,
      precise_ip: event.preciseIp,
    };
  });
  const generalPurpose = host.world.guests[at]!.vpmu ? host.model.generalPurpose : 0;
  return {
    global_ctrl: formatCounterSet(vcpu.globalCtrl),
    global_status: formatU64(statusToU64(vcpu.globalStatus)),
    pmi_pending: vcpu.pmi !== 0,
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

/** Counts by MSR and mechanism, of one cause or of all. */
export function msrWriteItems({ sink }: Tally, cause?: number): MsrWriteCount[] {
  return sink
    .counted(cause)
    .map(({ msr, via, count }) => ({ msr: msrName(msr), via: VIA_NAMES[via]!, count }));
}

export function violationItems(host: Host, tally: Tally): Violation[] {
  return INVARIANTS.flatMap(({ id }, at) => {
    const first = tally.firstViolations[at];
    if (first === undefined) return [];
    const vcpu = first.vcpu === undefined ? {} : { vcpu: host.vcpus[first.vcpu]!.id };
    return {
      invariant: id,
      count: tally.violations[at]!,
      first_at: { micro_step_index: first.index, cpu: first.cpu, ...vcpu, at: first.at },
    };
  });
}

export function metricsItem(host: Host): HostMetrics {
  const { tally } = host;
  const { sink } = tally;
  const causes = CAUSE_NAMES.map((name, cause) => [name, sink.byVia(cause)]);
  const byCause = Object.fromEntries(causes) as HostMetrics['writes_by_cause'];
  const writes = byCause.round_trip;
  const cycles = estimateCycles(DEFAULT_COST_MODEL, tally.roundTrips, writes);
  const each = (value: number): number => (tally.roundTrips === 0 ? 0 : value / tally.roundTrips);
  const averages = Object.entries(writes).map(([via, count]) => [via, each(count)]);
  const ofRoundTrips = msrWriteItems(tally, ROUND_TRIP);
  return {
    msr_writes: msrWriteItems(tally),
    writes_by_cause: byCause,
    round_trips: tally.roundTrips,
    nmis: tally.sink.nmis,
    throttles: tally.sink.throttles,
    violations: violationItems(host, tally),
    estimated_cycles: cycles,
    per_round_trip: {
      msr_writes:
        tally.roundTrips === 0
          ? []
          : ofRoundTrips.map((item) => ({ ...item, count: each(item.count) })),
      ...(Object.fromEntries(averages) as typeof writes),
      estimated_cycles: each(cycles),
    },
  };
}
