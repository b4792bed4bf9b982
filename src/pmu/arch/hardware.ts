/**
 * One logical CPU's PMU hardware: the registers, and when a counter runs, fires and overflows.
 *
 * Models: SDM vol. 3, "Performance Monitoring" and "PEBS"; semantics.md §1.1 and §1.5. A counter
 * counts when its bits in IA32_PERF_GLOBAL_CTRL and in its own control register are set. An overflow
 * with its IA32_PEBS_ENABLE bit set writes a PEBS record instead of setting the counter's status bit.
 * Leaves out: counter values, rings, the LBR and PT blocks, and the delay of a PMI (a late one is
 * latched here and handled later).
 */
import { recordOf } from '../fields/record.js';
import { type CounterSet, FIXED, GENERAL_PURPOSE } from './counter-set.js';
import type { FixedCtrl } from './fixed-ctrl.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, PEBS_ENABLE } from './msr.js';

/** The PMU registers of one logical CPU. Addresses are small identities, 0 is the null address. */
export class Hardware extends recordOf({
  globalCtrl: { kind: 'global_ctrl', name: 'IA32_PERF_GLOBAL_CTRL' },
  pebsEnable: { kind: 'counters', name: 'IA32_PEBS_ENABLE' },
  dsArea: { kind: 'address', name: 'IA32_DS_AREA' },
  pebsDataCfg: { kind: 'data_cfg', name: 'MSR_PEBS_DATA_CFG' },
  /** Counters whose own control lets them count: IA32_PERFEVTSELk.EN, or a non-zero field of IA32_FIXED_CTR_CTRL. */
  counterEnable: {
    kind: 'counters',
    name: 'counter enable bits',
    kept: 'strays',
  },
  /** Its enabled counters are in `counterEnable` too. */
  fixedCtrl: { kind: 'fixed_ctrl', name: 'IA32_FIXED_CTR_CTRL' },
  /** The overflow bits of counters. */
  status: { kind: 'counters', name: 'IA32_PERF_GLOBAL_STATUS', kept: 'overflows' },
  /** Counters with a record in the DS buffer that reached its threshold (IA32_PERF_GLOBAL_STATUS bit 62 while not empty). */
  dsRecords: { kind: 'counters', name: 'PEBS records not drained', kept: 'overflows' },
}) {}

/** WRMSR of IA32_FIXED_CTR_CTRL. */
export function writeFixedCtrCtrl(hardware: Hardware, value: FixedCtrl): void {
  hardware.fixedCtrl = value;
  hardware.counterEnable = (hardware.counterEnable & GENERAL_PURPOSE) | (value & FIXED);
}

/** Counters that count now. */
export function running(hardware: Hardware): CounterSet {
  return hardware.globalCtrl & hardware.counterEnable;
}

/** Counters that count now and would write a PEBS record on overflow. */
export function firing(hardware: Hardware): CounterSet {
  return hardware.globalCtrl & hardware.counterEnable & hardware.pebsEnable;
}

/** The value of one of the four switched MSRs. */
export function readMsr(hardware: Hardware, msr: number): number {
  switch (msr) {
    case GLOBAL_CTRL:
      return hardware.globalCtrl;
    case DS_AREA:
      return hardware.dsArea;
    case PEBS_DATA_CFG:
      return hardware.pebsDataCfg;
    case PEBS_ENABLE:
      return hardware.pebsEnable;
    default:
      throw new RangeError(`MSR code ${msr} is not switched`);
  }
}

/** Puts a value into one of the four switched MSRs. */
export function loadMsr(hardware: Hardware, msr: number, value: number): void {
  switch (msr) {
    case GLOBAL_CTRL:
      hardware.globalCtrl = value;
      return;
    case DS_AREA:
      hardware.dsArea = value;
      return;
    case PEBS_DATA_CFG:
      hardware.pebsDataCfg = value;
      return;
    case PEBS_ENABLE:
      hardware.pebsEnable = value;
      return;
    default:
      throw new RangeError(`MSR code ${msr} is not switched`);
  }
}
