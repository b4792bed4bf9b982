/**
 * A guest's WRMSR of a PMU register: what KVM refuses with #GP, what it keeps, and which perf events follow from it.
 *
 * Models: `intel_pmu_set_msr`, `reprogram_counter`, `pmc_get_pebs_precise_level` (Linux 6.12.117 arch/x86/kvm/pmu.c and
 * vmx/pmu_intel.c), semantics sheet §1.3. KVM backs each enabled guest counter by a pinned perf event that excludes the
 * host; its precise_ip is decided when it is created, so flipping a bit of IA32_PEBS_ENABLE re-creates it.
 * Leaves out: counter values and event codes (only the enable bits of the control registers matter here), and MSRs
 * without effect on switching.
 */
import {
  type CounterSet,
  FIXED_BIT,
  GENERAL_PURPOSE,
  generalPurpose,
  type U64,
} from '../arch/counter-set.js';
import type { CpuModel } from '../arch/cpu-model.js';
import * as msr from '../arch/msr.js';
import { EVENTSEL } from '../arch/msr.js';
import { capsOf, type Supporting } from '../kernels/pmu-support.js';
import { CLOSED, INACTIVE, OFF, type PerfEvent, type PerfEventConfig } from '../perf/perf-event.js';
import type { VcpuPmu } from './vcpu-pmu.js';

/** Bits of MSR_PEBS_DATA_CFG that a plain PEBS event of KVM asks for: general-purpose registers, for the exact IP. */
export const PEBS_DATA_CFG_GP = 2;

/** Bits of IA32_PERFEVTSELx that KVM reserves: the upper half and ANY-thread. */
const EVENTSEL_RESERVED: U64 = { hi: 0xffffffff, lo: 1 << 21 };
const EVENTSEL_ENABLE = 1 << 22;
/** Bit 34, which exists with adaptive PEBS, in the upper half. */
const EVENTSEL_ADAPTIVE = 1 << 2;
/** MEMINFO, GP, XMM, LBR and the number of LBR entries. */
const PEBS_DATA_CFG_BITS: U64 = { hi: 0, lo: 0xff00000f };

/** KVM_MAX_NR_INTEL_GP_COUNTERS and KVM_MAX_NR_INTEL_FIXED_COUNTERS. */
const GUEST_GENERAL_PURPOSE_MAX = 8;
const GUEST_FIXED_MAX = 3;

/** What a guest may do with its PMU on a model. */
export interface GuestPmuCaps {
  /** KVM gave the vCPU a vPMU: it was asked for and the host is not hybrid. */
  readonly vpmu: boolean;
  readonly generalPurpose: number;
  readonly fixed: number;
  /** The guest has DS-based PEBS: the host has it and its PEBS is EPT-friendly. */
  readonly pebs: boolean;
  /** The guest sees PEBS_BASELINE: MSR_PEBS_DATA_CFG exists, and fixed counters can do PEBS. */
  readonly adaptive: boolean;
  /** Guest counters whose events have precise_ip 3 while they do PEBS. */
  readonly precise3: CounterSet;
  /** IA32_PERF_GLOBAL_CTRL before the guest writes it. */
  readonly globalCtrlAtReset: CounterSet;
}

/** What the kernel's KVM gives a guest on the model. */
export function guestPmuCaps(
  kernel: Supporting,
  model: CpuModel,
  vpmuWanted: boolean,
): GuestPmuCaps {
  const { support } = kernel;
  const caps = capsOf(kernel, model);
  const vpmu = vpmuWanted && !model.hybrid;
  const counters = Math.min(model.generalPurpose, GUEST_GENERAL_PURPOSE_MAX);
  const pebs = vpmu && caps.dsPebs && caps.pebsEpt;
  return {
    vpmu,
    generalPurpose: counters,
    fixed: Math.min(model.fixed, GUEST_FIXED_MAX),
    pebs,
    adaptive: pebs && caps.pebsBaseline && support.guestAdaptivePebs,
    precise3:
      (support.guestPrecise3.pmc0.includes(model.id) ? 1 : 0) |
      (support.guestPrecise3.fixed0.includes(model.id) ? 1 << FIXED_BIT : 0),
    globalCtrlAtReset:
      vpmu && support.guestGlobalCtrl === 'general_purpose' ? generalPurpose(counters) : 0,
  };
}

/** Why the guest takes a #GP, or null when the write is accepted and `vcpu` was changed. */
export function writeGuestMsr(
  caps: GuestPmuCaps,
  vcpu: VcpuPmu,
  code: number,
  value: U64,
  addressOf: (address: U64) => number,
): string | null {
  if (!caps.vpmu) {
    return 'the vCPU has no vPMU';
  }
  const counters = generalPurpose(caps.generalPurpose);
  switch (code) {
    case msr.GLOBAL_CTRL: {
      const allowed = { hi: (1 << caps.fixed) - 1, lo: counters };
      if (hasOther(value, allowed)) {
        return 'a reserved bit of IA32_PERF_GLOBAL_CTRL is set';
      }
      vcpu.globalCtrl = (value.lo & counters) | ((value.hi & 0xfff) << FIXED_BIT);
      return null;
    }
    case msr.PEBS_ENABLE:
      if (!caps.pebs) {
        return 'IA32_PEBS_ENABLE does not exist: KVM offers guest PEBS only on hosts with EPT-friendly PEBS';
      }
      if (hasOther(value, { hi: caps.adaptive ? (1 << caps.fixed) - 1 : 0, lo: counters })) {
        return caps.adaptive
          ? 'a reserved bit of IA32_PEBS_ENABLE is set'
          : 'only general-purpose counters may use PEBS in a guest: another bit of IA32_PEBS_ENABLE is set';
      }
      vcpu.pebsEnable = (value.lo & counters) | ((value.hi & 0xfff) << FIXED_BIT);
      return null;
    case msr.DS_AREA:
      if (!caps.pebs) {
        return 'IA32_DS_AREA does not exist: the guest has no PEBS';
      }
      if (!isCanonical(value)) {
        return 'IA32_DS_AREA takes a canonical address';
      }
      vcpu.dsArea = addressOf(value);
      return null;
    case msr.PEBS_DATA_CFG:
      if (!caps.adaptive) {
        return 'MSR_PEBS_DATA_CFG does not exist: KVM hides PEBS_BASELINE from guests';
      }
      if (hasOther(value, PEBS_DATA_CFG_BITS)) {
        return 'a reserved bit of MSR_PEBS_DATA_CFG is set';
      }
      vcpu.pebsDataCfg = value.lo | 0;
      return null;
    case msr.FIXED_CTR_CTRL:
      return writeFixedCtrCtrl(caps, vcpu, value);
    default:
      if (code >= EVENTSEL && code < EVENTSEL + caps.generalPurpose) {
        return writeEventsel(caps, vcpu, 1 << (code - EVENTSEL), value);
      }
      return 'KVM emulates no such MSR for this vCPU';
  }
}

function writeFixedCtrCtrl(caps: GuestPmuCaps, vcpu: VcpuPmu, value: U64): string | null {
  let enabled: CounterSet = 0;
  let allowed = 0;
  let adaptive = 0;
  for (let counter = 0; counter < caps.fixed; counter += 1) {
    allowed |= 0xb << (4 * counter);
    adaptive |= caps.adaptive ? 1 << (4 * counter) : 0;
    if ((value.lo >>> (4 * counter)) & 3) {
      enabled |= 1 << (FIXED_BIT + counter);
    }
  }
  if (hasOther(value, { hi: adaptive, lo: allowed })) {
    return 'a reserved bit of IA32_FIXED_CTR_CTRL is set';
  }
  vcpu.counterEnable = (vcpu.counterEnable & GENERAL_PURPOSE) | enabled;
  return null;
}

function writeEventsel(
  caps: GuestPmuCaps,
  vcpu: VcpuPmu,
  counter: CounterSet,
  value: U64,
): string | null {
  const reserved = EVENTSEL_RESERVED.hi & ~(caps.adaptive ? EVENTSEL_ADAPTIVE : 0);
  if ((value.hi & reserved) | (value.lo & EVENTSEL_RESERVED.lo)) {
    return 'a reserved bit of IA32_PERFEVTSELx is set';
  }
  vcpu.counterEnable =
    value.lo & EVENTSEL_ENABLE ? vcpu.counterEnable | counter : vcpu.counterEnable & ~counter;
  return null;
}

function hasOther(value: U64, allowed: U64): boolean {
  return ((value.lo & ~allowed.lo) | (value.hi & ~allowed.hi)) !== 0;
}

/** 48-bit canonical: bits 63..47 all equal. */
function isCanonical(value: U64): boolean {
  const top = ((value.hi >>> 15) | 0) & 0x1ffff;
  return top === 0 || top === 0x1ffff;
}

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
  owner: number,
  counter: number,
): PerfEventConfig {
  const anyGeneralPurpose = generalPurpose(caps.generalPurpose);
  return {
    cpu: 0,
    owner,
    guestCounter: counter,
    constraint: counter >= FIXED_BIT ? anyGeneralPurpose | (1 << counter) : anyGeneralPurpose,
    constraintPrecise3: 1 << counter,
    excludeHost: true,
    excludeGuest: false,
    sampling: true,
    freq: false,
    largePebs: false,
    auxOutput: false,
    leader: -1,
  };
}

/** What must be done to one of a vCPU's events so that it matches the guest's registers. */
export type Reprogramming = 'none' | 'open' | 'enable' | 'disable' | 'close';

/** The next thing `reprogram_counter` would do for a guest counter's event. */
export function reprogrammingOf(
  caps: GuestPmuCaps,
  vcpu: VcpuPmu,
  event: PerfEvent,
  counter: number,
): Reprogramming {
  const wanted = (wantedCounters(vcpu) & (1 << counter)) !== 0;
  if (!wanted) {
    return event.status >= INACTIVE ? 'disable' : 'none';
  }
  if (event.status === CLOSED) {
    return 'open';
  }
  if (event.preciseIp !== guestPreciseIp(caps, vcpu, counter)) {
    return 'close';
  }
  return event.status === OFF ? 'enable' : 'none';
}
