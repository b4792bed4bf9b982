/** I1, I2, I2', I3o, I12, I13, I19: what IA32_PEBS_ENABLE must be in the host, and what it can hold. */
import { COUNTERS } from '../arch/counter-set.js';
import { running } from '../arch/hardware.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import { VMX_ABORT } from '../machine/micro-step.js';
import { hostPebsBits } from '../perf/cpu-hw-events.js';
import {
  HOST,
  type Invariant,
  QUIESCENT,
  RESTING,
  SHUT_DOWN,
  switchesPebsEnable,
  UNSWITCHED,
  VMLAUNCH,
  WINDOW,
} from './invariant.js';

export const pebsEnableInvariants: readonly Invariant[] = [
  {
    id: 'I1',
    statement: 'No bit of IA32_PEBS_ENABLE is stuck: none is set that perf does not want.',
    predicate: 'PE & ~P == 0',
    where: 'at rest in the host; also in the guest where the kernel does not switch the register',
    points: QUIESCENT | UNSWITCHED,
    sources: [
      'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all()',
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (_world, _state, { cpuc, hardware }) => (hardware.pebsEnable & ~cpuc.pebsEnabled) === 0,
  },
  {
    id: 'I2',
    statement:
      'No bit that perf wants in IA32_PEBS_ENABLE is lost; where the kernel switches the register with isolation, bits of guest-only events may be.',
    predicate: 'P & ~PE == 0; K3 with PE switched: P & ~GM & ~PE == 0',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: [
      'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all()',
      'arch/x86/kvm/vmx/vmx.c add_atomic_switch_msr()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (world, state, { cpuc, hardware }) => {
      if (!world.caps.pebsEnableMsr) {
        return true;
      }
      const guestOnly =
        state.noIsolation === 0 && switchesPebsEnable(world, state) ? cpuc.intelCtrlGuestMask : 0;
      return (cpuc.pebsEnabled & ~guestOnly & ~hardware.pebsEnable) === 0;
    },
  },
  {
    id: "I2'",
    statement: 'IA32_PEBS_ENABLE is 0 whenever perf wants no bit in it.',
    predicate: 'P == 0 => PE == 0',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: [
      'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all(), intel_pmu_pebs_disable_all()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (_world, _state, { cpuc, hardware }) =>
      cpuc.pebsEnabled !== 0 || hardware.pebsEnable === 0,
  },
  {
    id: 'I3o',
    statement:
      'On CPUs without isolation no bit of a host PEBS event is set in IA32_PEBS_ENABLE at VMLAUNCH, and none was set again since KVM quiesced the register.',
    predicate:
      'K1: PE & P & ~GM == 0, and no write of PE != 0 since k5_switch (the quiet time itself is not modelled)',
    where: 'at VMLAUNCH',
    points: VMLAUNCH,
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs(), the branch without isolation',
      'src/pmu/semantics.md §7.7 and §1.5',
    ],
    holds: (_world, state, cpu) =>
      state.noIsolation === 0 || (cpu.wroteAfterQuiesce === 0 && hostPebsBits(cpu) === 0),
  },
  {
    id: 'I12',
    statement: 'Once KVM has quiesced IA32_PEBS_ENABLE it stays 0 until the VM-entry load.',
    predicate: 'PE in L => PE == 0',
    where: 'from k5_switch:IA32_PEBS_ENABLE to v1_guest_state',
    points: WINDOW,
    sources: ['arch/x86/kvm/vmx/vmx.c add_atomic_switch_msr()', 'src/pmu/semantics.md §7.7'],
    holds: (_world, _state, { hardware }) => hardware.pebsEnable === 0,
  },
  {
    id: 'I13',
    statement:
      'No counter runs whose next overflow would be lost: PEBS events with their bit clear, other events with it set.',
    predicate: 'for k in active_mask: run(k) => P[k] == PE[k]',
    where: 'in the host, except from k5_switch to v6_exit_load',
    points: HOST,
    sources: [
      'arch/x86/events/intel/core.c __intel_pmu_enable_all()',
      'arch/x86/events/intel/ds.c intel_pmu_pebs_enable()',
      'src/pmu/semantics.md §7.7',
    ],
    holds: (world, _state, { cpuc, hardware }) => {
      const differing = (cpuc.pebsEnabled ^ hardware.pebsEnable) & COUNTERS;
      return !world.caps.pebsEnableMsr || (running(hardware) & cpuc.activeMask & differing) === 0;
    },
  },
  {
    id: 'I19',
    statement:
      'Every register accepts what is written to it: perf wants no reserved bit of IA32_PEBS_ENABLE, and no VM-exit loads one (a VMX abort).',
    predicate: 'P & reserved(PE) == 0; no VMX abort',
    where: 'at rest in the host, and where a VMX abort has shut the CPU down',
    points: RESTING | SHUT_DOWN,
    sources: [
      'arch/x86/events/intel/ds.c intel_pmu_pebs_enable()',
      'SDM vol. 3, VM Exits: VMX Aborts',
      'src/pmu/semantics.md §7.7 and §7.9',
    ],
    holds: ({ caps }, _state, { cpuc, pc }) =>
      pc !== VMX_ABORT &&
      (!caps.pebsEnableMsr || (cpuc.pebsEnabled & caps.reserved[PEBS_ENABLE]!) === 0),
  },
];
