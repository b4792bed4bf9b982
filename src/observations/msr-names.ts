/**
 * Names of MSRs: as the Intel SDM prints them, and as Linux does (asm/msr-index.h), where they differ. A name alone may be
 * either's: IA32_PMC0 is 0xc1 in the SDM, MSR_IA32_PMC0 in Linux is what the SDM calls IA32_A_PMC0. perf trace prints Linux's
 * names without their MSR_.
 */
import { msrCode, msrIndex } from '../pmu/arch/msr.js';

/** Index, the SDM's name, Linux's names where they are not the SDM's with MSR_ before it. */
type Row = readonly [number, string, ...string[]];

const ROWS: readonly Row[] = [
  ...engineRows(),
  ...counted(8, (k) => [0x4c1 + k, `IA32_A_PMC${k}`, `MSR_IA32_PMC${k}`]),
  ...counted(12, (k) => [0x1309 + k, `IA32_RELOAD_FIXED_CTR${k}`, `MSR_RELOAD_FIXED_CTR${k}`]),
  ...counted(8, (k) => [0x14c1 + k, `IA32_RELOAD_PMC${k}`, `MSR_RELOAD_PMC${k}`]),
  [0x10, 'IA32_TIME_STAMP_COUNTER', 'MSR_IA32_TSC'],
  [0x1b, 'IA32_APIC_BASE', 'MSR_IA32_APICBASE'],
  [0x34, 'MSR_SMI_COUNT'],
  [0x3b, 'IA32_TSC_ADJUST'],
  [0x48, 'IA32_SPEC_CTRL'],
  [0x49, 'IA32_PRED_CMD'],
  [0xce, 'MSR_PLATFORM_INFO'],
  [0xe1, 'IA32_UMWAIT_CONTROL'],
  [0xe7, 'IA32_MPERF'],
  [0xe8, 'IA32_APERF'],
  [0x10a, 'IA32_ARCH_CAPABILITIES'],
  [0x10b, 'IA32_FLUSH_CMD'],
  [0x10f, 'MSR_TSX_FORCE_ABORT'],
  [0x122, 'IA32_TSX_CTRL'],
  [0x174, 'IA32_SYSENTER_CS'],
  [0x175, 'IA32_SYSENTER_ESP'],
  [0x176, 'IA32_SYSENTER_EIP'],
  [0x198, 'IA32_PERF_STATUS'],
  [0x199, 'IA32_PERF_CTL'],
  [0x19c, 'IA32_THERM_STATUS'],
  [0x1a0, 'IA32_MISC_ENABLE'],
  [0x1a6, 'MSR_OFFCORE_RSP_0'],
  [0x1a7, 'MSR_OFFCORE_RSP_1'],
  [0x1b0, 'IA32_ENERGY_PERF_BIAS'],
  [0x1c8, 'MSR_LBR_SELECT'],
  [0x1c9, 'MSR_LASTBRANCH_TOS', 'MSR_LBR_TOS'],
  [0x1d9, 'IA32_DEBUGCTL', 'MSR_IA32_DEBUGCTLMSR'],
  [0x329, 'MSR_PERF_METRICS'],
  [0x345, 'IA32_PERF_CAPABILITIES'],
  [0x391, 'IA32_PERF_GLOBAL_STATUS_SET', 'MSR_CORE_PERF_GLOBAL_STATUS_SET'],
  [0x3f6, 'MSR_PEBS_LD_LAT', 'MSR_PEBS_LD_LAT_THRESHOLD'],
  [0x3f7, 'MSR_PEBS_FRONTEND'],
  [0x6e0, 'IA32_TSC_DEADLINE'],
  [0x774, 'IA32_HWP_REQUEST', 'MSR_HWP_REQUEST'],
  [0x80b, 'IA32_X2APIC_EOI'],
  [0x830, 'IA32_X2APIC_ICR'],
  [0x834, 'IA32_X2APIC_LVT_PMI'],
  [0x838, 'IA32_X2APIC_INIT_COUNT'],
  [0xda0, 'IA32_XSS'],
  [0x14ce, 'IA32_LBR_CTL', 'MSR_ARCH_LBR_CTL'],
  [0x14cf, 'IA32_LBR_DEPTH', 'MSR_ARCH_LBR_DEPTH'],
  [0xc000_0080, 'IA32_EFER', 'MSR_EFER'],
  [0xc000_0081, 'IA32_STAR', 'MSR_STAR'],
  [0xc000_0082, 'IA32_LSTAR', 'MSR_LSTAR'],
  [0xc000_0084, 'IA32_FMASK', 'MSR_SYSCALL_MASK'],
  [0xc000_0100, 'IA32_FS_BASE', 'MSR_FS_BASE'],
  [0xc000_0101, 'IA32_GS_BASE', 'MSR_GS_BASE'],
  [0xc000_0102, 'IA32_KERNEL_GS_BASE', 'MSR_KERNEL_GS_BASE'],
  [0xc000_0103, 'IA32_TSC_AUX', 'MSR_TSC_AUX'],
];

/** Linux's names of the MSRs that the engine knows. */
function engineRows(): Row[] {
  const row = (name: string, ...linux: string[]): Row => {
    const code = msrCode(name);
    if (code === undefined) throw new RangeError(`the engine has no ${name}`);
    return [msrIndex(code), name, ...linux];
  };
  return [
    row('IA32_PERF_GLOBAL_CTRL', 'MSR_CORE_PERF_GLOBAL_CTRL'),
    row('IA32_PERF_GLOBAL_STATUS', 'MSR_CORE_PERF_GLOBAL_STATUS'),
    row('IA32_PERF_GLOBAL_STATUS_RESET', 'MSR_CORE_PERF_GLOBAL_OVF_CTRL'),
    row('IA32_PEBS_ENABLE'),
    row('MSR_PEBS_DATA_CFG'),
    row('IA32_DS_AREA'),
    row('IA32_FIXED_CTR_CTRL', 'MSR_CORE_PERF_FIXED_CTR_CTRL', 'MSR_ARCH_PERFMON_FIXED_CTR_CTRL'),
    ...counted(12, (k) =>
      row(`IA32_FIXED_CTR${k}`, `MSR_CORE_PERF_FIXED_CTR${k}`, `MSR_ARCH_PERFMON_FIXED_CTR${k}`),
    ),
    ...counted(8, (k) =>
      row(`IA32_PERFEVTSEL${k}`, `MSR_P6_EVNTSEL${k}`, `MSR_ARCH_PERFMON_EVENTSEL${k}`),
    ),
    ...counted(8, (k) =>
      row(
        `IA32_PMC${k}`,
        `MSR_P6_PERFCTR${k}`,
        `MSR_IA32_PERFCTR${k}`,
        `MSR_ARCH_PERFMON_PERFCTR${k}`,
      ),
    ),
  ];
}

function counted(count: number, row: (k: number) => Row): Row[] {
  return Array.from({ length: count }, (_, k) => row(k));
}

const SDM_NAMES = new Map(ROWS.map(([index, name]) => [index, name]));
const SDM_INDICES = new Map(ROWS.map(([index, name]) => [name, index]));
const LINUX_INDICES = new Map(
  ROWS.flatMap(([index, name, ...linux]) => {
    const names = linux.length > 0 ? linux : [name.startsWith('MSR_') ? name : `MSR_${name}`];
    return names.map((each) => [each, index] as const);
  }),
);

/** The SDM's name of the MSR with this index, or null where it is not in our tables. */
export const nameOfIndex = (index: number): string | null => SDM_NAMES.get(index) ?? null;

/** The index of an MSR by the SDM's or Linux's name, or null. */
export const indexOfName = (name: string): number | null =>
  SDM_INDICES.get(name) ?? indexOfLinuxName(name);

/** The index of an MSR by the name that asm/msr-index.h gives it, or null. */
export const indexOfLinuxName = (name: string): number | null => LINUX_INDICES.get(name) ?? null;
