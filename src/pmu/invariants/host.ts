/** I4, I5h, I6, I7, I7e, I16 to I18, I20 to I22: what the other registers and the events must be in the host. */
import { COUNTERS, FIXED } from '../arch/counter-set.js';
import { running } from '../arch/hardware.js';
import { isRestartedByTick } from '../machine/tick-work.js';
import { hostGlobalCtrl } from '../perf/cpu-hw-events.js';
import { ACTIVE, ADDED, counterSet, isScheduled, STOPPED } from '../perf/perf-event.js';
import { EXIT_LOADED, HOST, type Invariant, QUIESCENT, RESTING } from './invariant.js';

export const hostInvariants: readonly Invariant[] = [
  {
    id: 'I4',
    statement: 'No guest-only counter runs in the host.',
    predicate: 'for k in GM: !run(k)',
    where: 'at every host point outside VM-entry and VM-exit',
    points: HOST,
    sources: ['arch/x86/events/intel/core.c __intel_pmu_enable_all()', 'src/pmu/semantics.md §7.7'],
    holds: (_world, _state, { cpuc, hardware }) =>
      (cpuc.intelCtrlGuestMask & running(hardware)) === 0,
  },
  {
    id: 'I5h',
    statement: "IA32_DS_AREA is this CPU's own DS area.",
    predicate: 'c.ds != 0 => DS == c.ds',
    where: 'at rest in the host, and right after the VM-exit loads',
    points: QUIESCENT | EXIT_LOADED,
    sources: [
      'arch/x86/events/intel/ds.c init_debug_store_on_cpu()',
      'src/pmu/semantics.md §7.7 and §1.2',
    ],
    holds: (_world, _state, { cpuc, hardware }) => cpuc.ds === 0 || hardware.dsArea === cpuc.ds,
  },
  {
    id: 'I6',
    statement: 'While a PEBS event is scheduled, MSR_PEBS_DATA_CFG is what perf last wrote.',
    predicate: 'n_pebs > 0 => CFG == cfgA',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: ['arch/x86/events/intel/ds.c intel_pmu_pebs_enable()', 'src/pmu/semantics.md §7.7'],
    holds: (world, state, cpu) => {
      if (!world.caps.pebsBaseline || cpu.hardware.pebsDataCfg === cpu.cpuc.activePebsDataCfg) {
        return true;
      }
      return !state.events.some((event) => event.preciseIp > 0 && isScheduled(event, cpu));
    },
  },
  {
    id: 'I7',
    statement:
      'IA32_PERF_GLOBAL_CTRL has the value perf wants (an NMI during entry can make it differ without effect).',
    predicate: 'GC == I & ~GM',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: [
      'arch/x86/events/intel/core.c __intel_pmu_enable_all()',
      'src/pmu/semantics.md §7.7 and §7.5',
    ],
    holds: (world, _state, { cpuc, hardware }) =>
      hardware.globalCtrl === hostGlobalCtrl(cpuc, world.caps.intelCtrl),
  },
  {
    id: 'I7e',
    statement: 'Every enabled counter has the IA32_PERF_GLOBAL_CTRL bit that perf wants for it.',
    predicate: 'for all k: EN(k) => GC[k] == (I & ~GM)[k]',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: [
      'arch/x86/events/intel/core.c __intel_pmu_enable_all()',
      'src/pmu/semantics.md §7.7 and §7.5',
    ],
    holds: (world, _state, { cpuc, hardware }) =>
      ((hardware.globalCtrl ^ hostGlobalCtrl(cpuc, world.caps.intelCtrl)) &
        hardware.counterEnable) ===
      0,
  },
  {
    id: 'I16',
    statement:
      'No enable bit of IA32_FIXED_CTR_CTRL is stuck: none is set that perf does not want.',
    predicate: 'for fixed i: FX[i] != 0 => fixed_ctrl_val[i] != 0',
    where: 'at rest in the host',
    points: RESTING,
    sources: [
      'arch/x86/events/intel/core.c __intel_pmu_enable_all()',
      'src/pmu/semantics.md §7.6, H11',
    ],
    holds: (_world, _state, { cpuc, hardware }) =>
      (hardware.fixedCtrl & ~cpuc.fixedCtrl & FIXED) === 0,
  },
  {
    id: 'I17',
    statement:
      'An event that perf counts as active, and not as throttled, has its counter running.',
    predicate:
      'for events e: e.state == ACTIVE and e.interrupts != MAX => not stopped, and EN(k) of its counter k',
    where: 'at rest in the host',
    points: RESTING,
    sources: [
      'kernel/events/core.c __perf_event_account_interrupt()',
      'arch/x86/events/intel/core.c intel_pmu_reset()',
      'src/pmu/semantics.md §7.6, H12, and §3.3',
    ],
    holds: (_world, { events }, cpu) => {
      for (let at = 0; at < events.length; at += 1) {
        const event = events[at]!;
        if (event.cpu !== cpu.index) {
          continue;
        }
        const disabled =
          event.status === ACTIVE &&
          (counterSet(event) & COUNTERS & ~cpu.hardware.counterEnable) !== 0;
        if (disabled || (event.status === STOPPED && event.mark === 0)) {
          return false;
        }
      }
      return true;
    },
  },
  {
    id: 'I18',
    statement: 'An event whose counter throttling has stopped is one that the next tick restarts.',
    predicate: 'for stopped events e: the tick restarts e, or the group that e is in',
    where: 'at rest in the host',
    points: RESTING,
    sources: [
      'kernel/events/core.c perf_adjust_freq_unthr_events()',
      'src/pmu/semantics.md §7.6, H12',
    ],
    holds: (world, state, cpu) => {
      for (let at = 0; at < state.events.length; at += 1) {
        const event = state.events[at]!;
        const stands = event.status === STOPPED && event.cpu === cpu.index;
        if (stands && !isRestartedByTick(world, state.events, at)) {
          return false;
        }
      }
      return true;
    },
  },
  {
    id: 'I20',
    statement:
      'MSR_PEBS_DATA_CFG has every record group that an active PEBS event asked for: no record is too small.',
    predicate: 'for active PEBS events e: e.cfg & ~CFG == 0',
    where: 'at rest in the host',
    points: RESTING,
    sources: [
      'arch/x86/events/intel/ds.c pebs_update_state()',
      'Linux commit 312be9fc2234',
      'src/pmu/semantics.md §7.9',
    ],
    holds: (world, { events }, cpu) => {
      for (let at = 0; world.caps.pebsBaseline && at < events.length; at += 1) {
        const event = events[at]!;
        const counts = event.status === ACTIVE && event.preciseIp > 0 && event.cpu === cpu.index;
        if (counts && (event.dataCfg & ~cpu.hardware.pebsDataCfg) !== 0) {
          return false;
        }
      }
      return true;
    },
  },
  {
    id: 'I21',
    statement: 'Only an event that holds a counter is throttled, or started again.',
    predicate: 'for events e: e not on event_list => e.interrupts != MAX and e stopped',
    where: 'at rest in the host',
    points: RESTING,
    sources: [
      'kernel/events/core.c perf_event_throttle_group()',
      'Linux commit b64fdd422a85',
      'src/pmu/semantics.md §7.9',
    ],
    holds: (_world, { events }, cpu) => {
      for (let at = 0; at < events.length; at += 1) {
        const event = events[at]!;
        if (event.status < ADDED && event.cpu === cpu.index && (event.mark | event.stray) !== 0) {
          return false;
        }
      }
      return true;
    },
  },
  {
    id: 'I22',
    statement: 'The NMI handler finds every active event by its counter.',
    predicate: 'for k in active_mask: events[k] != NULL',
    where: 'at rest in the host',
    points: RESTING,
    sources: [
      'arch/x86/events/core.c x86_pmu_enable()',
      'Linux commit 8d5fae601126',
      'src/pmu/semantics.md §7.9',
    ],
    holds: (_world, { events }, cpu) => {
      for (let at = 0; at < events.length; at += 1) {
        const event = events[at]!;
        if (event.status === ACTIVE && event.unseen !== 0 && event.cpu === cpu.index) {
          return false;
        }
      }
      return true;
    },
  },
];
