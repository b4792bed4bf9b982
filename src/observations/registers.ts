/** Indices of the MSRs that readers and rules name themselves. */
import type { U64 } from '../pmu/arch/counter-set.js';
import * as msr from '../pmu/arch/msr.js';

export const PEBS_ENABLE = msr.msrIndex(msr.PEBS_ENABLE);
export const GLOBAL_CTRL = msr.msrIndex(msr.GLOBAL_CTRL);
export const GLOBAL_STATUS = msr.msrIndex(msr.GLOBAL_STATUS);
export const GLOBAL_STATUS_RESET = msr.msrIndex(msr.GLOBAL_STATUS_RESET);
export const FIXED_CTR_CTRL = msr.msrIndex(msr.FIXED_CTR_CTRL);
export const DEBUGCTL = 0x1d9;

const PMU_MSRS: ReadonlySet<number> = new Set([
  PEBS_ENABLE,
  GLOBAL_CTRL,
  GLOBAL_STATUS,
  GLOBAL_STATUS_RESET,
  FIXED_CTR_CTRL,
  DEBUGCTL,
  msr.msrIndex(msr.DS_AREA),
  msr.msrIndex(msr.PEBS_DATA_CFG),
]);

/** An MSR of the PMU; where it is a key, it is no CPU. */
export const isPmuMsr = (index: number): boolean => PMU_MSRS.has(index);

/** The index that hexadecimal digits (with or without 0x) or a name of IA32_PEBS_ENABLE give. */
export function msrOf(text: string): number | null {
  if (/^(?:(?:ia32|msr)_)*pebs_en(?:able)?$/i.test(text)) return PEBS_ENABLE;
  const digits = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(text)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 16);
}

/** Whether IA32_PEBS_ENABLE has these bits: PMC0-7, the fixed counters, and 61-63 (PEBS by PT, and of stores). */
export const mayBePebsEnable = ({ hi, lo }: U64): boolean =>
  lo >>> 8 === 0 && (hi & 0x1fff_0000) === 0;
