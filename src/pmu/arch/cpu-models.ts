/**
 * The CPU models the service knows: rows of data, each with its source. What a kernel makes of a model is in
 * `kernels/pmu-support.ts`.
 *
 * Source: semantics.md §2.1. perf takes counter numbers and the PEBS format from CPUID and IA32_PERF_CAPABILITIES, never
 * from the model, so kernel source cannot tell them: rows say "recalled" or "assumed". Adding a model is adding a row, and
 * one in `kernels/model-cases.ts`.
 */
import { ARCH_PEBS_FORMAT, type CpuModel } from './cpu-model.js';

const CORE_C = 'Linux 6.12.117 arch/x86/events/intel/core.c';
const CASE = `${CORE_C} intel_pmu_init()`;
const COUNTS_RECALLED = 'counter numbers recalled from the Intel SDM, not re-read';

const beforePerfmon5 = {
  family: 6,
  generalPurpose: 4,
  fixed: 3,
  perfMetrics: false,
  loadPerfGlobalCtrl: true,
  hybrid: false,
} as const;

const perfmon5 = {
  family: 6,
  defaultStepping: 0,
  perfmonVersion: 5,
  generalPurpose: 8,
  fixed: 4,
  perfMetrics: true,
  isolationMicrocode: null,
  loadPerfGlobalCtrl: true,
  hybrid: false,
} as const;

export const CPU_MODELS: readonly CpuModel[] = [
  {
    ...beforePerfmon5,
    id: 'haswell-x',
    title: 'Haswell-X (Xeon E5 v3)',
    model: 0x3f,
    defaultStepping: 2,
    perfmonVersion: 3,
    pebs: { format: 2, baseline: false },
    isolationMicrocode: [
      { stepping: 2, revision: 0x37 },
      { stepping: 4, revision: 0x0a },
    ],
    sources: [`${CORE_C} isolation_ucodes[]`, COUNTS_RECALLED],
  },
  {
    ...beforePerfmon5,
    id: 'broadwell-x',
    title: 'Broadwell-X (Xeon E5 v4)',
    model: 0x4f,
    defaultStepping: 1,
    perfmonVersion: 3,
    pebs: { format: 2, baseline: false },
    isolationMicrocode: [{ stepping: 1, revision: 0x0b000014 }],
    sources: [
      `${CORE_C} isolation_ucodes[]`,
      'Linux commit 4b2f1e59229b (stepping corrected in 2021)',
    ],
  },
  {
    ...beforePerfmon5,
    id: 'skylake-sp',
    title: 'Skylake-SP',
    model: 0x55,
    steppings: [0, 1, 2, 3, 4],
    defaultStepping: 4,
    perfmonVersion: 4,
    pebs: { format: 3, baseline: false },
    isolationMicrocode: [
      { stepping: 3, revision: 0x21 },
      { stepping: 4, revision: 0 },
    ],
    sources: [`${CORE_C} isolation_ucodes[]`],
  },
  {
    ...beforePerfmon5,
    id: 'cascade-lake',
    title: 'Cascade Lake and Cooper Lake',
    model: 0x55,
    steppings: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    defaultStepping: 7,
    perfmonVersion: 4,
    pebs: { format: 3, baseline: false },
    isolationMicrocode: [5, 6, 7, 11].map((stepping) => ({ stepping, revision: 0 })),
    sources: [`${CORE_C} isolation_ucodes[]`],
  },
  {
    ...beforePerfmon5,
    id: 'comet-lake',
    title: 'Comet Lake',
    model: 0xa5,
    otherModels: [0xa6],
    defaultStepping: 2,
    perfmonVersion: 4,
    pebs: { format: 3, baseline: false },
    isolationMicrocode: [],
    sources: [
      `${CORE_C} isolation_ucodes[]: the isolation quirk runs and finds no entry, so never isolated`,
    ],
  },
  {
    ...perfmon5,
    id: 'ice-lake-sp',
    title: 'Ice Lake-SP',
    model: 0x6a,
    otherModels: [0x6c],
    defaultStepping: 6,
    pebs: { format: 4, baseline: true },
    sources: [CASE, COUNTS_RECALLED],
  },
  {
    ...perfmon5,
    id: 'ice-lake',
    title: 'Ice Lake client, Tiger Lake, Rocket Lake',
    model: 0x7e,
    otherModels: [0x7d, 0x8c, 0x8d, 0xa7],
    defaultStepping: 5,
    pebs: { format: 4, baseline: true },
    sources: [CASE, COUNTS_RECALLED],
  },
  {
    ...perfmon5,
    id: 'sapphire-rapids',
    title: 'Sapphire Rapids',
    model: 0x8f,
    defaultStepping: 8,
    pebs: { format: 4, baseline: true },
    sources: [CASE, COUNTS_RECALLED, 'PEBS format recalled'],
  },
  {
    ...perfmon5,
    id: 'emerald-rapids',
    title: 'Emerald Rapids',
    model: 0xcf,
    defaultStepping: 2,
    pebs: { format: 4, baseline: true },
    sources: [CASE, COUNTS_RECALLED, 'PEBS format recalled'],
  },
  {
    ...perfmon5,
    id: 'granite-rapids',
    title: 'Granite Rapids',
    model: 0xad,
    otherModels: [0xae],
    defaultStepping: 1,
    pebs: { format: 5, baseline: true },
    sources: [CASE, COUNTS_RECALLED, 'PEBS format at least 4; 5 recalled'],
  },
  {
    ...perfmon5,
    id: 'sierra-forest',
    title: 'Sierra Forest (Crestmont-X)',
    model: 0xaf,
    defaultStepping: 3,
    fixed: 3,
    perfMetrics: false,
    pebs: { format: 4, formatAssumed: true, baseline: true },
    sources: [
      CASE,
      COUNTS_RECALLED,
      'PEBS format not known, 4 assumed: with 5 or 6 guests have PEBS from Linux 6.12 on',
    ],
  },
  {
    ...perfmon5,
    id: 'diamond-rapids',
    title: 'Diamond Rapids (Panther Cove)',
    family: 19,
    model: 0x01,
    perfmonVersion: 6,
    generalPurpose: 10,
    pebs: { format: ARCH_PEBS_FORMAT, baseline: false },
    sources: [
      'Linux 7.3.4 arch/x86/events/intel/core.c intel_pmu_init()',
      'PEBS format 15: architectural PEBS',
      COUNTS_RECALLED,
    ],
  },
  {
    ...perfmon5,
    id: 'alder-lake-p',
    title: 'Alder Lake, P-core',
    model: 0x97,
    otherModels: [0x9a, 0xb7, 0xba, 0xbf],
    defaultStepping: 2,
    pebs: { format: 4, baseline: true },
    hybrid: true,
    sources: [CASE, COUNTS_RECALLED],
  },
];

/** Whether a CPU with these numbers is of the model. What is undefined may be any. */
export function isOfModel(
  row: CpuModel,
  family: number | undefined,
  model: number | undefined,
  stepping: number | undefined,
): boolean {
  const { otherModels = [], steppings } = row;
  return (
    (family === undefined || family === row.family) &&
    (model === undefined || model === row.model || otherModels.includes(model)) &&
    (stepping === undefined || steppings === undefined || steppings.includes(stepping))
  );
}

/** The model with an id, or undefined. */
export function findCpuModel(id: string): CpuModel | undefined {
  return CPU_MODELS.find((model) => model.id === id);
}
