/**
 * The MSRs the engine writes, and the ways in which a write happens.
 *
 * Models: names and indices as the Intel SDM vol. 4 prints them (Linux asm/msr-index.h).
 * The four that KVM switches have small codes in the order in which `perf_guest_get_msrs()`
 * returns them, so that ascending code order is list order.
 * Leaves out: MSRs that neither perf nor KVM writes on these paths (LBR, PT, DEBUGCTL).
 */

export const GLOBAL_CTRL = 0;
export const DS_AREA = 1;
export const PEBS_DATA_CFG = 2;
export const PEBS_ENABLE = 3;
/** How many MSRs a switch list can name. */
export const SWITCHED_MSRS = 4;
const SWITCHED: readonly number[] = [...Array(SWITCHED_MSRS).keys()];

export const GLOBAL_STATUS_RESET = 4;
export const FIXED_CTR_CTRL = 5;
export const GLOBAL_STATUS = 6;
/** IA32_PERFEVTSELk is `EVENTSEL + k`. */
export const EVENTSEL = 16;
/** IA32_PMCk is `COUNTER + k`, IA32_FIXED_CTRi is `COUNTER + 16 + i`: the counter's set bit added. */
export const COUNTER = 32;
export const MSR_CODES = 64;

export { VIA_NAMES, type ViaName } from '../vocabulary.js';

/** How a write reaches the register: places in VIA_NAMES. */
export const KVM_WRMSR = 0;
export const PERF_WRMSR = 1;
export const VM_ENTRY_LOAD = 2;
export const VM_EXIT_LOAD = 3;
export const VMCS_FIELD = 4;
export const VIA_CODES = 5;

interface MsrRow {
  readonly name: string;
  readonly index: number;
}

const ROWS: readonly (MsrRow | undefined)[] = Array.from({ length: MSR_CODES }, (_, code) =>
  row(code),
);

function row(code: number): MsrRow | undefined {
  switch (code) {
    case GLOBAL_CTRL:
      return { name: 'IA32_PERF_GLOBAL_CTRL', index: 0x38f };
    case DS_AREA:
      return { name: 'IA32_DS_AREA', index: 0x600 };
    case PEBS_DATA_CFG:
      return { name: 'MSR_PEBS_DATA_CFG', index: 0x3f2 };
    case PEBS_ENABLE:
      return { name: 'IA32_PEBS_ENABLE', index: 0x3f1 };
    case GLOBAL_STATUS_RESET:
      return { name: 'IA32_PERF_GLOBAL_STATUS_RESET', index: 0x390 };
    case FIXED_CTR_CTRL:
      return { name: 'IA32_FIXED_CTR_CTRL', index: 0x38d };
    case GLOBAL_STATUS:
      return { name: 'IA32_PERF_GLOBAL_STATUS', index: 0x38e };
  }
  if (code >= EVENTSEL && code < EVENTSEL + 16) {
    return { name: `IA32_PERFEVTSEL${code - EVENTSEL}`, index: 0x186 + code - EVENTSEL };
  }
  if (code >= COUNTER && code < COUNTER + 16) {
    return { name: `IA32_PMC${code - COUNTER}`, index: 0xc1 + code - COUNTER };
  }
  if (code >= COUNTER + 16 && code < COUNTER + 28) {
    return { name: `IA32_FIXED_CTR${code - COUNTER - 16}`, index: 0x309 + code - COUNTER - 16 };
  }
  return undefined;
}

/** The switched MSRs with a bit in a mask, in ascending order; all of them by default. */
export function switchedIn(mask = ~0): number[] {
  return SWITCHED.filter((msr) => mask & (1 << msr));
}

/** Whether an MSR's value is a set of counters, so that its bits have names. */
export function isCounterMsr(msr: number): boolean {
  return msr === GLOBAL_CTRL || msr === PEBS_ENABLE;
}

/** The SDM's name of an MSR code. */
export function msrName(code: number): string {
  return known(code).name;
}

/** The MSR's index, e.g. 0x3f1. */
export function msrIndex(code: number): number {
  return known(code).index;
}

/** The code of an MSR by its SDM name or by its index, e.g. 0x3f1; undefined where the engine has no such MSR. */
export function msrCode(name: string): number | undefined {
  const index = /^0x[0-9a-f]+$/i.test(name) ? Number(name) : undefined;
  const code = ROWS.findIndex(
    (entry) => entry !== undefined && (entry.name === name || entry.index === index),
  );
  return code < 0 ? undefined : code;
}

function known(code: number): MsrRow {
  const entry = ROWS[code];
  if (entry === undefined) {
    throw new RangeError(`no MSR has code ${code}`);
  }
  return entry;
}
