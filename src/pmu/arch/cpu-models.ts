/**
 * The CPU models the service knows: rows of data, each with its source.
 *
 * Source: semantics sheet §2, read there from Linux 6.12.117 arch/x86/events/intel/{core,ds}.c unless a row
 * says "recalled" or "not read". Adding a model is adding a row.
 */

import { fromU64 } from './counter-set.js';
import type { CpuModel } from './cpu-model.js';
import { intelCtrl, type PmuCaps } from './cpu-model.js';

const ALL = { hi: 0xffffffff, lo: 0xffffffff };
/** Before perfmon 5, bits above 31 are load latency and precise store, not counters. */
const LOW_32 = { hi: 0, lo: 0xffffffff };

const CORE_C = 'Linux 6.12.117 arch/x86/events/intel/core.c';
const DS_C = 'Linux 6.12.117 arch/x86/events/intel/ds.c';
const COUNTS_RECALLED = 'counter numbers recalled from the Intel SDM, not re-read';

const pebsDs3 = { kind: 'ds', baseline: false, ept: false, capable: LOW_32 } as const;
const adaptive = { kind: 'ds', baseline: true, capable: ALL } as const;

const beforePerfmon5 = {
  family: 6,
  generalPurpose: 4,
  fixed: 3,
  perfMetrics: false,
  loadPerfGlobalCtrl: true,
  hybrid: false,
  guestPdist: false,
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
  guestPdist: false,
} as const;

export const CPU_MODELS: readonly CpuModel[] = [
  {
    ...beforePerfmon5,
    id: 'haswell-x',
    title: 'Haswell-X (Xeon E5 v3)',
    model: 0x3f,
    defaultStepping: 2,
    perfmonVersion: 3,
    pebs: { ...pebsDs3, format: 2 },
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
    pebs: { ...pebsDs3, format: 2 },
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
    defaultStepping: 4,
    perfmonVersion: 4,
    pebs: { ...pebsDs3, format: 3 },
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
    defaultStepping: 7,
    perfmonVersion: 4,
    pebs: { ...pebsDs3, format: 3 },
    isolationMicrocode: [5, 6, 7, 11].map((stepping) => ({ stepping, revision: 0 })),
    sources: [`${CORE_C} isolation_ucodes[]`],
  },
  {
    ...beforePerfmon5,
    id: 'comet-lake',
    title: 'Comet Lake',
    model: 0xa5,
    defaultStepping: 2,
    perfmonVersion: 4,
    pebs: { ...pebsDs3, format: 3 },
    isolationMicrocode: [],
    sources: [
      `${CORE_C}: runs the isolation quirk and has no entry in isolation_ucodes[], so never isolated`,
    ],
  },
  {
    ...perfmon5,
    id: 'ice-lake-sp',
    title: 'Ice Lake-SP',
    model: 0x6a,
    defaultStepping: 6,
    pebs: { ...adaptive, format: 4, ept: true },
    sources: [`${CORE_C} (pebs_ept set by model)`, DS_C],
  },
  {
    ...perfmon5,
    id: 'ice-lake',
    title: 'Ice Lake client, Tiger Lake, Rocket Lake',
    model: 0x7e,
    defaultStepping: 5,
    pebs: { ...adaptive, format: 4, ept: false },
    sources: [CORE_C, DS_C],
  },
  {
    ...perfmon5,
    id: 'sapphire-rapids',
    title: 'Sapphire Rapids',
    model: 0x8f,
    defaultStepping: 8,
    pebs: { ...adaptive, format: 4, ept: true },
    guestPdist: true,
    sources: [
      `${CORE_C} (pebs_ept set by model)`,
      'PEBS format recalled',
      'arch/x86/kvm/pmu.c vmx_pebs_pdist_cpu',
    ],
  },
  {
    ...perfmon5,
    id: 'emerald-rapids',
    title: 'Emerald Rapids',
    model: 0xcf,
    defaultStepping: 2,
    pebs: { ...adaptive, format: 4, ept: true },
    sources: [`${CORE_C} (same case as Sapphire Rapids)`, 'PEBS format recalled'],
  },
  {
    ...perfmon5,
    id: 'granite-rapids',
    title: 'Granite Rapids',
    model: 0xad,
    defaultStepping: 1,
    pebs: { ...adaptive, format: 5, ept: true },
    sources: [`${CORE_C} (pebs_ept set by model)`, 'PEBS format at least 4; 5 recalled'],
  },
  {
    ...perfmon5,
    id: 'sierra-forest',
    title: 'Sierra Forest (Crestmont-X)',
    model: 0xaf,
    defaultStepping: 3,
    fixed: 3,
    perfMetrics: false,
    pebs: { ...adaptive, format: 4, ept: false },
    sources: [
      `${DS_C}: only a PEBS format of 5 or more sets pebs_ept here; the format was not read, 4 assumed`,
      COUNTS_RECALLED,
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
    pebs: { format: 6, kind: 'arch', baseline: false, ept: true, capable: ALL },
    sources: [
      'mid-2026 mainline arch/x86/events/intel/core.c: arch-PEBS, ds_pebs 0',
      COUNTS_RECALLED,
    ],
  },
  {
    ...perfmon5,
    id: 'alder-lake-p',
    title: 'Alder Lake, P-core',
    model: 0x97,
    defaultStepping: 2,
    pebs: { ...adaptive, format: 4, ept: false },
    hybrid: true,
    sources: [`${DS_C}: format 4 leaves pebs_ept 0`, COUNTS_RECALLED],
  },
];

/** The model with an id, or undefined. */
export function findCpuModel(id: string): CpuModel | undefined {
  return CPU_MODELS.find((model) => model.id === id);
}

/** What perf and VMX make of a model. */
export function modelCaps(model: CpuModel): PmuCaps {
  return {
    dsPebs: model.pebs.kind === 'ds',
    pebsEnableMsr: model.pebs.kind !== 'arch',
    pebsEpt: model.pebs.ept,
    pebsBaseline: model.pebs.baseline,
    loadPerfGlobalCtrl: model.loadPerfGlobalCtrl,
    pebsCapable: fromU64(model.pebs.capable).set,
    intelCtrl: intelCtrl(model),
  };
}
