/**
 * A guest's WRMSR of a PMU register: what KVM refuses with #GP, and what it keeps.
 *
 * Models: `intel_is_valid_msr`, `intel_pmu_refresh`, `intel_pmu_set_msr`, `kvm_pmu_set_msr` (Linux 6.1.192, 6.12.117 and
 * 7.3.4 arch/x86/kvm/pmu.c and vmx/pmu_intel.c), semantics.md §1.3.
 * Leaves out: counter values (a write to a counter is taken, and a running one is not reloaded), event codes, and MSRs
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
import { COUNTER, EVENTSEL } from '../arch/msr.js';
import { DS_BUFFER_OVERFLOW } from '../arch/selector.js';
import { capsOf, type Supporting } from '../kernels/pmu-support.js';
import type { VcpuPmu } from './vcpu-pmu.js';

/** Bits of IA32_PERFEVTSELx that KVM reserves: the upper half and ANY-thread. */
const EVENTSEL_RESERVED: U64 = { hi: 0xffffffff, lo: 1 << 21 };
const EVENTSEL_INT = 1 << 20;
const EVENTSEL_ENABLE = 1 << 22;
/** Bits 32 to 34, in the upper half: the first two exist with RTM, IN_TXCP on PMC2 only, the third with adaptive PEBS. */
const EVENTSEL_IN_TX = 1 << 0;
const EVENTSEL_IN_TXCP = 1 << 1;
const EVENTSEL_ADAPTIVE = 1 << 2;
const CHECKPOINTING_COUNTER: CounterSet = 1 << 2;
/** Bits 62 and 63 of IA32_PERF_GLOBAL_STATUS_RESET, in the upper half: the DS buffer's overflow, and CondChgd. */
const STATUS_DS_BUFFER = 1 << 30;
const STATUS_COND_CHGD = 1 << 31;
/** MEMINFO, GP, XMM, LBR and the number of LBR entries. */
const PEBS_DATA_CFG_BITS: U64 = { hi: 0, lo: 0xff00000f };

/** KVM_MAX_NR_INTEL_GP_COUNTERS and KVM_MAX_NR_INTEL_FIXED_COUNTERS. */
const GUEST_GENERAL_PURPOSE_MAX = 8;
const GUEST_FIXED_MAX = 3;

/** What user space puts into a vCPU's CPUID and IA32_PERF_CAPABILITIES. */
export interface GuestFeatures {
  readonly vpmu: boolean;
  /** IA32_PERF_CAPABILITIES shows PEBS, where KVM offers it. */
  readonly pebs: boolean;
  /** CPUID shows RTM. That the host has it as well is taken for granted: microcode and `tsx=` decide it, not the model. */
  readonly rtm: boolean;
}

export const DEFAULT_FEATURES: GuestFeatures = { vpmu: true, pebs: true, rtm: false };

/** What a guest may do with its PMU on a model. */
export interface GuestPmuCaps {
  /** KVM gave the vCPU a vPMU: it was asked for and the host is not hybrid. */
  readonly vpmu: boolean;
  readonly generalPurpose: number;
  readonly fixed: number;
  /** CPUID shows DS, so IA32_DS_AREA exists: the host has DS-based PEBS, and it is EPT-friendly. */
  readonly ds: boolean;
  /** IA32_PERF_CAPABILITIES shows PEBS, so IA32_PEBS_ENABLE exists. */
  readonly pebs: boolean;
  readonly rtm: boolean;
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
  wanted: GuestFeatures,
): GuestPmuCaps {
  const { support } = kernel;
  const caps = capsOf(kernel, model);
  const vpmu = wanted.vpmu && !model.hybrid;
  const counters = Math.min(model.generalPurpose, GUEST_GENERAL_PURPOSE_MAX);
  const ds = vpmu && caps.dsPebs && caps.pebsEpt;
  const pebs = ds && wanted.pebs;
  return {
    vpmu,
    generalPurpose: counters,
    fixed: Math.min(model.fixed, GUEST_FIXED_MAX),
    ds,
    pebs,
    rtm: vpmu && wanted.rtm,
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
      if (hasOther(value, (1 << caps.fixed) - 1, counters)) {
        return 'a reserved bit of IA32_PERF_GLOBAL_CTRL is set';
      }
      vcpu.globalCtrl = (value.lo & counters) | ((value.hi & 0xfff) << FIXED_BIT);
      return null;
    }
    case msr.PEBS_ENABLE:
      if (!caps.pebs) {
        return caps.ds
          ? 'IA32_PEBS_ENABLE does not exist: the IA32_PERF_CAPABILITIES of the vCPU shows no PEBS'
          : 'IA32_PEBS_ENABLE does not exist: KVM offers guest PEBS only on hosts with EPT-friendly PEBS';
      }
      if (hasOther(value, caps.adaptive ? (1 << caps.fixed) - 1 : 0, counters)) {
        return caps.adaptive
          ? 'a reserved bit of IA32_PEBS_ENABLE is set'
          : 'only general-purpose counters may use PEBS in a guest: another bit of IA32_PEBS_ENABLE is set';
      }
      vcpu.pebsEnable = (value.lo & counters) | ((value.hi & 0xfff) << FIXED_BIT);
      return null;
    case msr.DS_AREA:
      if (!caps.ds) {
        return 'IA32_DS_AREA does not exist: the CPUID of the vCPU shows no DS';
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
      if (hasOther(value, PEBS_DATA_CFG_BITS.hi, PEBS_DATA_CFG_BITS.lo)) {
        return 'a reserved bit of MSR_PEBS_DATA_CFG is set';
      }
      vcpu.pebsDataCfg = value.lo | 0;
      return null;
    case msr.FIXED_CTR_CTRL:
      return writeFixedCtrCtrl(caps, vcpu, value);
    case msr.GLOBAL_STATUS:
      return 'IA32_PERF_GLOBAL_STATUS is read-only';
    case msr.GLOBAL_STATUS_RESET: {
      const hi = ((1 << caps.fixed) - 1) | STATUS_DS_BUFFER | STATUS_COND_CHGD;
      if (hasOther(value, hi, counters)) {
        return 'a reserved bit of IA32_PERF_GLOBAL_STATUS_RESET is set';
      }
      vcpu.globalStatus &= ~(
        (value.lo & counters) |
        ((value.hi & 0xfff) << FIXED_BIT) |
        (value.hi & STATUS_DS_BUFFER ? DS_BUFFER_OVERFLOW : 0)
      );
      return null;
    }
    default:
      if (code >= EVENTSEL && code < EVENTSEL + caps.generalPurpose) {
        return writeEventsel(caps, vcpu, 1 << (code - EVENTSEL), value);
      }
      return isCounter(caps, code) ? null : 'KVM emulates no such MSR for this vCPU';
  }
}

/** IA32_PMCx and IA32_FIXED_CTRx, whose values are not kept. */
function isCounter(caps: GuestPmuCaps, code: number): boolean {
  const counter = code - COUNTER;
  return counter >= FIXED_BIT
    ? counter < FIXED_BIT + caps.fixed
    : counter >= 0 && counter < caps.generalPurpose;
}

function writeFixedCtrCtrl(caps: GuestPmuCaps, vcpu: VcpuPmu, value: U64): string | null {
  let enabled: CounterSet = 0;
  let interrupting: CounterSet = 0;
  let allowed = 0;
  let adaptive = 0;
  for (let counter = 0; counter < caps.fixed; counter += 1) {
    allowed |= 0xb << (4 * counter);
    adaptive |= caps.adaptive ? 1 << (4 * counter) : 0;
    if ((value.lo >>> (4 * counter)) & 3) {
      enabled |= 1 << (FIXED_BIT + counter);
    }
    interrupting |= ((value.lo >>> (4 * counter + 3)) & 1) << (FIXED_BIT + counter);
  }
  if (hasOther(value, adaptive, allowed)) {
    return 'a reserved bit of IA32_FIXED_CTR_CTRL is set';
  }
  vcpu.counterEnable = (vcpu.counterEnable & GENERAL_PURPOSE) | enabled;
  vcpu.counterInt = (vcpu.counterInt & GENERAL_PURPOSE) | interrupting;
  return null;
}

function writeEventsel(
  caps: GuestPmuCaps,
  vcpu: VcpuPmu,
  counter: CounterSet,
  value: U64,
): string | null {
  const inTx = caps.rtm ? EVENTSEL_IN_TX : 0;
  const checkpointed = caps.rtm && counter === CHECKPOINTING_COUNTER ? EVENTSEL_IN_TXCP : 0;
  const defined = inTx | checkpointed | (caps.adaptive ? EVENTSEL_ADAPTIVE : 0);
  if ((value.hi & EVENTSEL_RESERVED.hi & ~defined) | (value.lo & EVENTSEL_RESERVED.lo)) {
    return 'a reserved bit of IA32_PERFEVTSELx is set';
  }
  vcpu.counterEnable = withBit(vcpu.counterEnable, counter, value.lo & EVENTSEL_ENABLE);
  vcpu.counterInt = withBit(vcpu.counterInt, counter, value.lo & EVENTSEL_INT);
  vcpu.inTransaction = withBit(vcpu.inTransaction, counter, value.hi & (inTx | checkpointed));
  vcpu.checkpointed = withBit(vcpu.checkpointed, counter, value.hi & checkpointed);
  return null;
}

/** The set with the counter in it if the bits are set, without it if not. */
function withBit(set: CounterSet, counter: CounterSet, bits: number): CounterSet {
  return bits === 0 ? set & ~counter : set | counter;
}

function hasOther(value: U64, allowedHi: number, allowedLo: number): boolean {
  return ((value.lo & ~allowedLo) | (value.hi & ~allowedHi)) !== 0;
}

/** 48-bit canonical: bits 63..47 all equal. */
function isCanonical(value: U64): boolean {
  const top = ((value.hi >>> 15) | 0) & 0x1ffff;
  return top === 0 || top === 0x1ffff;
}
