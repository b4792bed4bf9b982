/** I4, I5h, I6, I7, I7e: what the other registers must be in the host. */
import { running } from '../arch/hardware.js';
import { hostGlobalCtrl } from '../perf/cpu-hw-events.js';
import { isScheduled } from '../perf/perf-event.js';
import { EXIT_LOADED, HOST, type Invariant, QUIESCENT } from './invariant.js';

const SHEET = ['semantics sheet §7.7'];

export const hostInvariants: readonly Invariant[] = [
  {
    id: 'I4',
    statement: 'No guest-only counter runs in the host.',
    predicate: 'for k in GM: !run(k)',
    where: 'at every host point outside VM-entry and VM-exit',
    points: HOST,
    sources: SHEET,
    holds: (_world, _state, { cpuc, hardware }) =>
      (cpuc.intelCtrlGuestMask & running(hardware)) === 0,
  },
  {
    id: 'I5h',
    statement: "IA32_DS_AREA is this CPU's own DS area.",
    predicate: 'c.ds != 0 => DS == c.ds',
    where: 'at rest in the host, and right after the VM-exit loads',
    points: QUIESCENT | EXIT_LOADED,
    sources: SHEET,
    holds: (_world, _state, { cpuc, hardware }) => cpuc.ds === 0 || hardware.dsArea === cpuc.ds,
  },
  {
    id: 'I6',
    statement: 'While a PEBS event is scheduled, MSR_PEBS_DATA_CFG is what perf last wrote.',
    predicate: 'n_pebs > 0 => CFG == cfgA',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: SHEET,
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
    sources: [...SHEET, 'semantics sheet §7.5'],
    holds: (world, _state, { cpuc, hardware }) =>
      hardware.globalCtrl === hostGlobalCtrl(cpuc, world.caps.intelCtrl),
  },
  {
    id: 'I7e',
    statement: 'Every enabled counter has the IA32_PERF_GLOBAL_CTRL bit that perf wants for it.',
    predicate: 'for all k: EN(k) => GC[k] == (I & ~GM)[k]',
    where: 'at rest in the host',
    points: QUIESCENT,
    sources: [...SHEET, 'semantics sheet §7.5'],
    holds: (world, _state, { cpuc, hardware }) =>
      ((hardware.globalCtrl ^ hostGlobalCtrl(cpuc, world.caps.intelCtrl)) &
        hardware.counterEnable) ===
      0,
  },
];
