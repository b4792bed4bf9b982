/** I8, I9, I11: the switch list and the MSR-load areas. */
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, SWITCHED_MSRS } from '../arch/msr.js';
import type { MsrAutoload } from '../kvm/msr-autoload.js';
import type { World } from '../machine/world.js';
import { hostGlobalCtrl } from '../perf/cpu-hw-events.js';
import {
  EXIT,
  type Invariant,
  LIST_BUILT,
  LISTS_APPLIED,
  type Seen,
  type SeenCpu,
  type SeenState,
} from './invariant.js';

/** The host value perf would return for an MSR now. */
export function freshHostValue(
  world: World,
  state: SeenState,
  { cpuc }: SeenCpu,
  msr: number,
): number {
  switch (msr) {
    case GLOBAL_CTRL:
      return hostGlobalCtrl(cpuc, world.caps.intelCtrl);
    case DS_AREA:
      return cpuc.ds;
    case PEBS_DATA_CFG:
      return cpuc.activePebsDataCfg;
    default:
      return state.noIsolation ? cpuc.pebsEnabled : cpuc.pebsEnabled & ~cpuc.intelCtrlGuestMask;
  }
}

function isFresh(
  world: World,
  state: SeenState,
  cpu: SeenCpu,
  autoload: Seen<MsrAutoload>,
): boolean {
  for (let slot = 0; slot < autoload.count; slot += 1) {
    const msr = autoload.order[slot]!;
    if (autoload.host[msr] !== freshHostValue(world, state, cpu, msr)) {
      return false;
    }
  }
  return true;
}

/** Whether an MSR is in the load areas exactly when the list said host and guest differ. */
export function isListed(
  world: World,
  cpu: SeenCpu,
  autoload: Seen<MsrAutoload>,
  msr: number,
): boolean {
  const list = cpu.cpuc.guestSwitchMsrs;
  const differs = (list.present & (1 << msr)) !== 0 && list.host[msr] !== list.guest[msr];
  const forced = msr === GLOBAL_CTRL && world.kvmOptions.zeroGlobalCtrl !== 'no';
  const byField = msr === GLOBAL_CTRL && world.caps.loadPerfGlobalCtrl;
  return autoload.has(msr) === ((differs || forced) && !byField);
}

export const listInvariants: readonly Invariant[] = [
  {
    id: 'I8',
    statement: 'Every entry of the VM-exit load area is what perf would return for the host now.',
    predicate: 'for e in L: e.host == current (PE: P or P & ~GM; DS: c.ds of this CPU; CFG: cfgA)',
    where: 'at VM-exit, before its loads',
    points: EXIT,
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'arch/x86/kvm/vmx/vmx.c add_atomic_switch_msr()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (world, state, cpu, vcpu) =>
      vcpu === undefined || isFresh(world, state, cpu, vcpu.autoload),
  },
  {
    id: 'I9',
    statement:
      'The load areas hold exactly the MSRs whose host and guest values differ in the list just applied; IA32_PEBS_ENABLE only where the kernel switches it.',
    predicate: 'm in L <=> list.host[m] != list.guest[m]; size <= 8',
    where: 'after the last k5_switch',
    points: LISTS_APPLIED,
    sources: [
      'arch/x86/kvm/vmx/vmx.c atomic_switch_perf_msrs(), clear_atomic_switch_msr()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (world, _state, cpu, vcpu) => {
      if (vcpu === undefined) {
        return true;
      }
      for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
        if (!isListed(world, cpu, vcpu.autoload, msr)) {
          return false;
        }
      }
      return vcpu.autoload.count <= world.autoloadCapacity;
    },
  },
  {
    id: 'I11',
    statement: 'Guest PEBS counters run in the guest only while no host PEBS event is active.',
    predicate: '(pm & ~GM) != 0 => gp == 0',
    where: 'when the list is built',
    points: LIST_BUILT,
    sources: ['arch/x86/events/intel/core.c intel_guest_get_msrs()', 'src/pmu/semantics.md §7.7'],
    holds: (world, _state, { cpuc }) => {
      const list = cpuc.guestSwitchMsrs;
      const hostPebs = cpuc.pebsEnabled & world.caps.pebsCapable & ~cpuc.intelCtrlGuestMask;
      return hostPebs === 0 || (list.guest[GLOBAL_CTRL]! & list.pebsMask) === 0;
    },
  },
];
