/**
 * One logical CPU's PMU hardware: the registers, and when a counter runs, fires and overflows.
 *
 * Models: SDM vol. 3, "Performance Monitoring" and "PEBS"; semantics.md §1.1 and §1.5. A counter
 * counts when its bits in IA32_PERF_GLOBAL_CTRL and in its own control register are set. An overflow
 * with its IA32_PEBS_ENABLE bit set writes a PEBS record instead of setting the counter's status bit.
 * Leaves out: counter values, rings, the LBR and PT blocks, and the delay of a PMI (a late one is
 * latched here and handled later).
 */
import { type CounterSet, FIXED, GENERAL_PURPOSE } from './counter-set.js';
import type { FixedCtrl } from './fixed-ctrl.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, PEBS_ENABLE } from './msr.js';

/** The PMU registers of one logical CPU. Addresses are small identities, 0 is the null address. */
export class Hardware {
  /** IA32_PERF_GLOBAL_CTRL. */
  globalCtrl: CounterSet = 0;
  /** IA32_PEBS_ENABLE. */
  pebsEnable: CounterSet = 0;
  /** IA32_DS_AREA, an address identity. */
  dsArea = 0;
  /** MSR_PEBS_DATA_CFG. */
  pebsDataCfg = 0;
  /** Counters whose own control lets them count: IA32_PERFEVTSELk.EN, or a non-zero field of IA32_FIXED_CTR_CTRL. */
  counterEnable: CounterSet = 0;
  /** IA32_FIXED_CTR_CTRL; its enabled counters are in `counterEnable` too. */
  fixedCtrl: FixedCtrl = 0;
  /** IA32_PERF_GLOBAL_STATUS, overflow bits of counters. */
  status: CounterSet = 0;
  /** Counters with a record in the DS buffer that reached its threshold (IA32_PERF_GLOBAL_STATUS bit 62 while not empty). */
  dsRecords: CounterSet = 0;

  copyFrom(from: Hardware): void {
    this.globalCtrl = from.globalCtrl;
    this.pebsEnable = from.pebsEnable;
    this.dsArea = from.dsArea;
    this.pebsDataCfg = from.pebsDataCfg;
    this.counterEnable = from.counterEnable;
    this.fixedCtrl = from.fixedCtrl;
    this.status = from.status;
    this.dsRecords = from.dsRecords;
  }
}

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
