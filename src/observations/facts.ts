/** What a text can say of the machine that it comes from. The list is closed: rules and identification know these names only. */

export const FACTS = {
  cpu_vendor: 'vendor as CPUID gives it, e.g. GenuineIntel',
  cpu_name: 'brand string',
  cpu_family: 'family, decimal',
  cpu_model: 'model, decimal',
  cpu_stepping: 'stepping, decimal',
  microcode: 'revision of the microcode, hexadecimal with 0x',
  cpus: 'number of CPUs that are online',
  hybrid: '"yes" where there are CPUs of several kinds',
  hypervisor: 'the hypervisor that the machine runs under, or "yes"',
  kernel_release: 'release of the kernel, as uname -r prints it',
  kernel_version: 'what the kernel says of its build, as uname -v prints it',
  boot_id: 'what tells one boot from another',
  nmi_watchdog: '"on" where the NMI watchdog uses a counter',
  pmu_driver: "perf's driver: Intel, AMD, other or none",
  pmu_events: 'the event list that perf has chosen, e.g. Sapphire Rapids',
  pmu_version: 'version of architectural performance monitoring',
  general_counters: 'number of general-purpose counters',
  fixed_counters: 'number of fixed-function counters',
  fixed_mask: 'mask of fixed-function counters in CPUID leaf 0xa, hexadecimal with 0x',
  counter_width: 'bits of a general-purpose counter',
  counter_mask: 'bits of IA32_PERF_GLOBAL_CTRL that the kernel uses, 16 digits',
  pebs: 'yes, no, or disabled (an erratum)',
  pebs_format: 'version of the PEBS record format',
  pebs_baseline: '"yes" where PEBS is adaptive and all counters have it',
} as const;
export type FactName = keyof typeof FACTS;

/** The kinds of CPU of a hybrid machine, as the kernel calls their PMUs. A fact of one of them is named `cpu_core.pmu_version`. */
export const CORE_TYPES = ['cpu_core', 'cpu_atom', 'cpu_lowpower'] as const;

export const isFact = (name: string): boolean =>
  Object.hasOwn(FACTS, name.replace(new RegExp(`^(?:${CORE_TYPES.join('|')})\\.`), ''));

export interface Fact {
  readonly name: string;
  readonly value: string;
  /** The CPU, where the text says it of one only. */
  readonly cpu: number | null;
}

/** Family, model and stepping of a signature as CPUID leaf 1 gives it in EAX, e.g. 0xc06f2: 6, 207, 2. */
export function factsOfSignature(signature: number): readonly (readonly [FactName, string])[] {
  const base = (signature >>> 8) & 0xf;
  const family = base === 0xf ? base + ((signature >>> 20) & 0xff) : base;
  const extended = base === 6 || base === 0xf ? (signature >>> 12) & 0xf0 : 0;
  return [
    ['cpu_family', String(family)],
    ['cpu_model', String(extended | ((signature >>> 4) & 0xf))],
    ['cpu_stepping', String(signature & 0xf)],
  ];
}
