/** Engine values as text: 64-bit values in hex, whatever form they have inside. */
import type { AddressBook } from '../../pmu/arch/address-book.js';
import { type CounterSet, toU64, type U64 } from '../../pmu/arch/counter-set.js';
import { fixedCtrlToU64 } from '../../pmu/arch/fixed-ctrl.js';
import {
  COUNTER,
  DS_AREA,
  EVENTSEL,
  FIXED_CTR_CTRL,
  GLOBAL_STATUS_RESET,
  PEBS_DATA_CFG,
} from '../../pmu/arch/msr.js';
import { selectorToU64, statusToU64 } from '../../pmu/arch/selector.js';
import { PEBS_UPDATE_DS_SW } from '../../pmu/perf/data-cfg.js';

/** `0x` and 16 lower-case digits. */
export function formatU64({ hi, lo }: U64): string {
  return `0x${(hi >>> 0).toString(16).padStart(8, '0')}${(lo >>> 0).toString(16).padStart(8, '0')}`;
}

export function formatCounterSet(set: CounterSet): string {
  return formatU64(toU64(set));
}

export function formatDataCfg(value: number): string {
  return formatU64({
    hi: value & PEBS_UPDATE_DS_SW ? 0x80000000 : 0,
    lo: value & ~PEBS_UPDATE_DS_SW,
  });
}

/** The value of an MSR as JSON: each kind of register has its own form inside. */
export function formatMsrValue(msr: number, value: number, addresses: AddressBook): string {
  if (msr === DS_AREA) {
    return formatU64(addresses.valueOf(value));
  }
  if (msr === PEBS_DATA_CFG) {
    return formatDataCfg(value);
  }
  if (msr === FIXED_CTR_CTRL) {
    return formatU64(fixedCtrlToU64(value));
  }
  if (msr === GLOBAL_STATUS_RESET) {
    return formatU64(statusToU64(value));
  }
  if (msr >= EVENTSEL && msr < COUNTER) {
    return formatU64(selectorToU64(value));
  }
  return formatCounterSet(value);
}
