/** The registers that are told of a CPU: what they hold, and what perf wants in them while the host runs. */
import type { PmuCaps } from '../arch/cpu-model.js';
import { readMsr } from '../arch/hardware.js';
import { DS_AREA, FIXED_CTR_CTRL, GLOBAL_CTRL, PEBS_DATA_CFG, PEBS_ENABLE } from '../arch/msr.js';
import { hostGlobalCtrl } from '../perf/cpu-hw-events.js';
import type { LogicalCpu } from './state.js';
import type { World } from './world.js';

/** The switched MSRs, and IA32_FIXED_CTR_CTRL. */
export const TOLD_MSRS: readonly number[] = [
  GLOBAL_CTRL,
  PEBS_ENABLE,
  DS_AREA,
  PEBS_DATA_CFG,
  FIXED_CTR_CTRL,
];

/** Those that the CPU model has. */
export function toldMsrs(caps: PmuCaps): number[] {
  const missing = [
    ...(caps.pebsEnableMsr ? [] : [PEBS_ENABLE]),
    ...(caps.dsPebs ? [] : [DS_AREA]),
    ...(caps.pebsBaseline ? [] : [PEBS_DATA_CFG]),
  ];
  return TOLD_MSRS.filter((msr) => !missing.includes(msr));
}

export function registerValue({ hardware }: LogicalCpu, msr: number): number {
  return msr === FIXED_CTR_CTRL ? hardware.fixedCtrl : readMsr(hardware, msr);
}

export function desiredValue({ caps }: World, { cpuc, hardware }: LogicalCpu, msr: number): number {
  switch (msr) {
    case GLOBAL_CTRL:
      return hostGlobalCtrl(cpuc, caps.intelCtrl);
    case PEBS_ENABLE:
      return cpuc.pebsEnabled;
    case DS_AREA:
      // Without a reserved DS area perf does not use the register.
      return cpuc.ds === 0 ? hardware.dsArea : cpuc.ds;
    case FIXED_CTR_CTRL:
      return cpuc.fixedCtrl;
    default:
      return cpuc.activePebsDataCfg;
  }
}
