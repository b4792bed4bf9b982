/**
 * The perf events behind a guest's counters, and what KVM does to them.
 *
 * Models: `reprogram_counter`, `pmc_pause_counter`, `pmc_resume_counter`, `kvm_pmu_handle_event`,
 * `pmc_get_pebs_precise_level` (Linux 6.12.117 arch/x86/kvm/pmu.c), semantics.md §1.3 and §2.3. KVM backs each enabled
 * guest counter by a pinned event that excludes the host. Its precise_ip is decided when it is created, so flipping a bit
 * of IA32_PEBS_ENABLE re-creates it. An overflow makes KVM pause and resume it before the vCPU runs again, which also
 * undoes throttling.
 * Leaves out: event codes, and the second try of KVM for an event that perf refused.
 */
import { type CounterSet, FIXED_BIT, generalPurpose } from '../arch/counter-set.js';
import {
  CLOSED,
  INACTIVE,
  NO_EVENT,
  OFF,
  type PerfEvent,
  type PerfEventConfig,
} from '../perf/perf-event.js';
import type { GuestPmuCaps } from './guest-msrs.js';
import type { VcpuPmu } from './vcpu-pmu.js';

/** Bits of MSR_PEBS_DATA_CFG that a plain PEBS event of KVM asks for: general-purpose registers, for the exact IP. */
export const PEBS_DATA_CFG_GP = 2;

/** Event codes are not kept: every guest counter counts cycles. */
export const GUEST_EVENT_CODE = 0x3c;

/** Counters the guest has running: enabled locally and globally. */
export function wantedCounters(vcpu: VcpuPmu): CounterSet {
  return vcpu.globalCtrl & vcpu.counterEnable;
}

/** The precise_ip of the event that backs a guest counter. */
export function guestPreciseIp(caps: GuestPmuCaps, vcpu: VcpuPmu, counter: number): number {
  if ((vcpu.pebsEnable & (1 << counter)) === 0) {
    return 0;
  }
  return caps.precise3 & (1 << counter) ? 3 : 1;
}

/** The configuration of the event behind a guest counter. */
export function guestEventConfig(
  caps: GuestPmuCaps,
  vcpu: VcpuPmu,
  owner: number,
  counter: number,
): PerfEventConfig {
  const isCheckpointed = (vcpu.checkpointed & (1 << counter)) !== 0;
  const anyGeneralPurpose = generalPurpose(caps.generalPurpose);
  const anyCounter = counter >= FIXED_BIT ? anyGeneralPurpose | (1 << counter) : anyGeneralPurpose;
  return {
    cpu: 0,
    owner,
    guestCounter: counter,
    constraint: isCheckpointed ? 1 << counter : anyCounter,
    constraintPrecise3: 1 << counter,
    excludeHost: true,
    excludeGuest: false,
    // Perf samples no event that counts in transactions with checkpoints: KVM gives it no period.
    sampling: !isCheckpointed,
    freq: false,
    largePebs: false,
    auxOutput: false,
    leader: -1,
    eventCode: GUEST_EVENT_CODE,
  };
}

/** What must be done to one of a vCPU's events so that it matches the guest's registers. */
export type Reprogramming = 'none' | 'open' | 'enable' | 'disable' | 'close';

/** The next thing `reprogram_counter` would do for a guest counter's event. */
export function reprogrammingOf(
  caps: GuestPmuCaps,
  vcpu: VcpuPmu,
  event: PerfEvent,
  config: PerfEventConfig,
): Reprogramming {
  const { guestCounter } = config;
  const bit = 1 << guestCounter;
  if ((wantedCounters(vcpu) & bit) === 0) {
    return event.status >= INACTIVE ? 'disable' : 'none';
  }
  const isRefused = (vcpu.inTransaction & vcpu.pebsEnable & bit) !== 0;
  if (event.status === CLOSED) {
    return isRefused ? 'none' : 'open';
  }
  const isOther =
    event.preciseIp !== guestPreciseIp(caps, vcpu, guestCounter) ||
    config.sampling !== ((vcpu.checkpointed & bit) === 0);
  if (isRefused || isOther) {
    return 'close';
  }
  return event.status === OFF ? 'enable' : 'none';
}

/** The next event that KVM pauses and resumes because its counter overflowed, or NO_EVENT. */
export function nextOverflowed(
  vcpu: VcpuPmu,
  owner: number,
  configs: readonly PerfEventConfig[],
): number {
  for (let at = 0; vcpu.reprogram !== 0 && at < configs.length; at += 1) {
    const config = configs[at]!;
    if (config.owner === owner && vcpu.reprogram & (1 << config.guestCounter)) {
      return at;
    }
  }
  return NO_EVENT;
}
