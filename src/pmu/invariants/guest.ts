/** I3, I3s, I5g, I10, I15, I23: what may run in the guest, and what may be recorded there. */
import type { CounterSet } from '../arch/counter-set.js';
import { firing, running } from '../arch/hardware.js';
import { wantedCounters } from '../kvm/guest-counters.js';
import { completeList, crossMappedCounters } from '../kvm/vcpu-run.js';
import type { World } from '../machine/world.js';
import { readMasks } from '../perf/guest-switch.js';
import { ACTIVE, counterSet, type PerfEvent } from '../perf/perf-event.js';
import { SwitchList } from '../perf/switch-list.js';
import {
  IN_GUEST,
  type Invariant,
  type Seen,
  type SeenCpu,
  type SeenState,
  type SeenVcpu,
} from './invariant.js';

/** The record group of LBR entries in MSR_PEBS_DATA_CFG. */
export const PEBS_DATA_CFG_LBR = 8;
// The list that is built to judge, and what KVM would tell perf for it; reused, so that judging allocates nothing.
const list = new SwitchList();
const told = { pebsEnable: 0, dsArea: 0, pebsDataCfg: 0, crossMapped: 0 };

/** `gp` now: the guest PEBS counters that the kernel would let run if it built the list in this state. */
export function guestPebsNow(
  world: World,
  state: SeenState,
  cpu: SeenCpu,
  vcpu: SeenVcpu,
): CounterSet {
  if (cpu.cpuc.pebsEnabled === 0 || vcpu.pebsEnable === 0) {
    return 0;
  }
  told.pebsEnable = vcpu.pebsEnable;
  told.dsArea = vcpu.dsArea;
  told.pebsDataCfg = vcpu.pebsDataCfg;
  told.crossMapped = crossMappedCounters(world, state.events, vcpu, cpu.target, cpu);
  readMasks(list, cpu.cpuc, world.caps);
  return completeList(world, list, cpu.cpuc, told, state.noIsolation !== 0);
}

export const guestInvariants: readonly Invariant[] = [
  {
    id: 'I3',
    statement:
      'No host PEBS event generates a record in the guest; on CPUs without isolation, no host PEBS event may still be enabled at VMLAUNCH.',
    predicate: 'for k in P & ~GM: !fire(k); K1: I3o held at k9_vmlaunch',
    where: 'in the guest',
    points: IN_GUEST,
    sources: ['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §7.7'],
    holds: (_world, _state, { cpuc, hardware, overshoot }) =>
      overshoot === 0 && (cpuc.pebsEnabled & ~cpuc.intelCtrlGuestMask & firing(hardware)) === 0,
  },
  {
    id: 'I3s',
    statement:
      "Only the guest's own PEBS events generate records in the guest; in particular, no counter with a stuck bit does.",
    predicate: 'for all k: fire(k) => k in gp',
    where: 'in the guest',
    points: IN_GUEST,
    sources: ['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §7.7'],
    holds: (world, state, cpu, vcpu) => {
      const fires = firing(cpu.hardware);
      return (
        fires === 0 || vcpu === undefined || (fires & ~guestPebsNow(world, state, cpu, vcpu)) === 0
      );
    },
  },
  {
    id: 'I5g',
    statement:
      "Where PEBS fires in the guest, the guest's DS area and data configuration are loaded.",
    predicate: '(exists k: fire(k)) => DS == v.ds and CFG == v.cfg',
    where: 'in the guest',
    points: IN_GUEST,
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'arch/x86/kvm/vmx/vmx.c atomic_switch_perf_msrs()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (world, _state, { hardware }, vcpu) =>
      firing(hardware) === 0 ||
      vcpu === undefined ||
      (hardware.dsArea === vcpu.dsArea &&
        (!world.caps.pebsBaseline || hardware.pebsDataCfg === vcpu.pebsDataCfg)),
  },
  {
    id: 'I23',
    statement:
      "No PEBS record in the guest has LBR entries: KVM does not switch the LBRs, so they would be the host's.",
    predicate: '(exists k: fire(k)) => CFG.LBR == 0',
    where: 'in the guest',
    points: IN_GUEST,
    sources: [
      'arch/x86/kvm/vmx/vmx.c vmx_get_perf_capabilities()',
      'Linux commit 9e985cbf2942',
      'src/pmu/semantics.md §7.9',
    ],
    holds: (world, _state, { hardware }) =>
      (hardware.pebsDataCfg & PEBS_DATA_CFG_LBR) === 0 ||
      !world.caps.pebsBaseline ||
      firing(hardware) === 0,
  },
  {
    id: 'I10',
    statement:
      "The guest's IA32_PERF_GLOBAL_CTRL has no bit perf does not own, no host-only counter, and no PEBS counter but the guest's.",
    predicate: 'GC & ~I == 0; GC & HM == 0; GC & pm & ~gp == 0',
    where: 'in the guest',
    points: IN_GUEST,
    sources: ['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §7.7'],
    holds: (world, state, cpu, vcpu) => {
      const { cpuc, hardware } = cpu;
      if ((hardware.globalCtrl & (~world.caps.intelCtrl | cpuc.intelCtrlHostMask)) !== 0) {
        return false;
      }
      const pebs = hardware.globalCtrl & cpuc.pebsEnabled & world.caps.pebsCapable;
      return (
        pebs === 0 || vcpu === undefined || (pebs & ~guestPebsNow(world, state, cpu, vcpu)) === 0
      );
    },
  },
  {
    id: 'I15',
    statement:
      'Every counter that the guest has enabled and KVM has backed with an active event counts in the guest, unless it is guest PEBS that the kernel keeps off by rule.',
    predicate:
      'for guest counters j in v.gc & v.en, event active on k: run(k), or PEBS and k not in gp',
    where: 'in the guest',
    points: IN_GUEST,
    sources: [
      'arch/x86/kvm/vmx/pmu_intel.c intel_pmu_cross_mapped_check()',
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (world, state, cpu, vcpu) => {
      if (vcpu === undefined) {
        return true;
      }
      const wanted = wantedCounters(vcpu);
      for (let at = 0; wanted !== 0 && at < state.events.length; at += 1) {
        const { owner, guestCounter } = world.eventConfigs[at]!;
        const event = state.events[at]!;
        const counts = owner === cpu.target && event.status === ACTIVE;
        const stands = counts && (counterSet(event) & running(cpu.hardware)) === 0;
        if (
          stands &&
          wanted & (1 << guestCounter) &&
          !isForcedOff(world, state, cpu, vcpu, event)
        ) {
          return false;
        }
      }
      return true;
    },
  },
];

/** Whether the kernel keeps an event of the guest off by rule: guest PEBS beside host PEBS, or on another counter's number. */
export function isForcedOff(
  world: World,
  state: SeenState,
  cpu: SeenCpu,
  vcpu: SeenVcpu,
  event: Seen<PerfEvent>,
): boolean {
  return event.preciseIp > 0 && (guestPebsNow(world, state, cpu, vcpu) & counterSet(event)) === 0;
}
