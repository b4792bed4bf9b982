/**
 * Older CPU models, which the catalogue leaves out: they can be identified and not simulated. None has PEBS for guests, so all
 * that matters of them is whether the microcode isolates PEBS.
 *
 * Source: semantics.md §2.1 (the table of microcode); model numbers as in Linux asm/intel-family.h.
 */
import type { CpuModel, IsolationMicrocode } from './cpu-model.js';

const older = {
  family: 6,
  defaultStepping: 0,
  generalPurpose: 4,
  fixed: 3,
  perfMetrics: false,
  loadPerfGlobalCtrl: true,
  hybrid: false,
  sources: ['Linux 6.12.117 arch/x86/events/intel/core.c isolation_ucodes[]'],
} as const;
const haswell = { ...older, perfmonVersion: 3, pebs: { format: 2, baseline: false } } as const;
const skylake = { ...older, perfmonVersion: 4, pebs: { format: 3, baseline: false } } as const;
/** Below version 5 and without the microcode quirk. */
const neverIsolated = { ...older, perfmonVersion: 3, isolationMicrocode: null } as const;

const from = (revision: number, ...steppings: number[]): IsolationMicrocode[] =>
  steppings.map((stepping) => ({ stepping, revision }));

export const OLDER_CPU_MODELS: readonly CpuModel[] = [
  {
    ...haswell,
    id: 'haswell',
    title: 'Haswell client',
    model: 0x3c,
    isolationMicrocode: from(0x1f, 3),
  },
  {
    ...haswell,
    id: 'haswell-ult',
    title: 'Haswell ULT',
    model: 0x45,
    isolationMicrocode: from(0x1e, 1),
  },
  {
    ...haswell,
    id: 'haswell-gt3e',
    title: 'Haswell GT3e',
    model: 0x46,
    isolationMicrocode: from(0x15, 1),
  },
  {
    ...haswell,
    id: 'broadwell',
    title: 'Broadwell client',
    model: 0x3d,
    isolationMicrocode: from(0x23, 4),
  },
  {
    ...haswell,
    id: 'broadwell-gt3e',
    title: 'Broadwell GT3e',
    model: 0x47,
    isolationMicrocode: from(0x14, 1),
  },
  {
    ...haswell,
    id: 'broadwell-d',
    title: 'Broadwell-D',
    model: 0x56,
    isolationMicrocode: [
      { stepping: 2, revision: 0x10 },
      { stepping: 3, revision: 0x0700_0009 },
      { stepping: 4, revision: 0x0f00_0009 },
      { stepping: 5, revision: 0x0e00_0002 },
    ],
  },
  {
    ...skylake,
    id: 'skylake',
    title: 'Skylake client and mobile',
    model: 0x5e,
    otherModels: [0x4e],
    isolationMicrocode: from(0x7c, 3),
  },
  {
    ...skylake,
    id: 'kaby-lake',
    title: 'Kaby Lake, Coffee Lake',
    model: 0x9e,
    isolationMicrocode: from(0x4e, 9, 10, 11, 12, 13),
  },
  {
    ...skylake,
    id: 'kaby-lake-mobile',
    title: 'Kaby Lake mobile',
    model: 0x8e,
    isolationMicrocode: from(0x4e, 9, 10, 11, 12),
  },
  {
    ...neverIsolated,
    id: 'nehalem',
    title: 'Nehalem, Westmere',
    model: 0x1a,
    otherModels: [0x1e, 0x1f, 0x25, 0x2c, 0x2e, 0x2f],
    loadPerfGlobalCtrl: false,
    pebs: { format: 1, baseline: false },
  },
  {
    ...neverIsolated,
    id: 'sandy-bridge',
    title: 'Sandy Bridge, Ivy Bridge',
    model: 0x2a,
    otherModels: [0x2d, 0x3a, 0x3e],
    pebs: { format: 1, baseline: false },
  },
  {
    ...neverIsolated,
    id: 'knights-landing',
    title: 'Knights Landing, Knights Mill',
    model: 0x57,
    otherModels: [0x85],
    pebs: { format: 2, baseline: false },
  },
  {
    ...neverIsolated,
    id: 'goldmont',
    title: 'Goldmont, Goldmont Plus',
    model: 0x5c,
    otherModels: [0x5f, 0x7a],
    perfmonVersion: 4,
    pebs: { format: 3, baseline: false },
  },
];
