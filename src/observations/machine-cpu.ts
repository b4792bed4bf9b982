/** Which CPU models a machine's facts fit, and whether a kernel counts them as isolated. */
import type { CpuModel } from '../pmu/arch/cpu-model.js';
import { CPU_MODELS, isOfModel } from '../pmu/arch/cpu-models.js';
import { OLDER_CPU_MODELS } from '../pmu/arch/older-cpu-models.js';
import { isIsolatedOn, type Supporting } from '../pmu/kernels/pmu-support.js';
import type { FactsBook } from './facts-book.js';

export interface MachineCpu {
  /** Those that the facts fit, in the catalogue or not. */
  readonly models: readonly CpuModel[];
  readonly stepping: number | null;
  /** Of the boot CPU, which alone is asked. */
  readonly microcode: number | null;
}

const BOOT_CPU = 0;
const STEPPINGS = Array.from({ length: 16 }, (_, stepping) => stepping);
const ANY_MICROCODE = [0, 0xffff_ffff];

export function machineCpu(facts: FactsBook): MachineCpu {
  const number = (name: string, text = facts.value(name)): number | null => {
    return text !== null && /^(?:\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : null;
  };
  const family = number('cpu_family');
  const model = number('cpu_model');
  const stepping = number('cpu_stepping');
  const microcode = number('microcode', facts.valueOf(BOOT_CPU, 'microcode'));
  if (family === null || model === null) return { models: [], stepping, microcode };
  const rows = [...CPU_MODELS, ...OLDER_CPU_MODELS].filter((row) =>
    isOfModel(row, family, model, stepping ?? undefined),
  );
  const format = number('pebs_format');
  const models = rows.length > 0 ? rows : unlisted(number('pmu_version'), format);
  return { models: models.flatMap((row) => ofFormat(row, format)), stepping, microcode };
}

/** Where the format of a model is a guess, any of 4 to 6, unless the machine says which. */
function ofFormat(row: CpuModel, said: number | null): CpuModel[] {
  if (row.pebs.formatAssumed !== true) return [row];
  const formats = said === null ? [4, 5, 6] : [said];
  return formats.map((format) => ({ ...row, pebs: { ...row.pebs, format } }));
}

/** A model that no kernel names: perf goes by its version and PEBS format. */
function unlisted(perfmonVersion: number | null, format: number | null): CpuModel[] {
  if (perfmonVersion === null || format === null) return [];
  const [like] = CPU_MODELS;
  if (like === undefined) return [];
  const baseline = perfmonVersion >= 5 && format >= 4;
  return [
    {
      ...like,
      id: '',
      title: 'a model that is not known',
      perfmonVersion,
      pebs: { format, baseline },
      isolationMicrocode: null,
    },
  ];
}

/** What a kernel may find: true, false, or either where the stepping or the microcode is not known. */
export function isolations(
  kernel: Supporting,
  model: CpuModel,
  { stepping, microcode }: MachineCpu,
): boolean[] {
  const steppings = stepping === null ? (model.steppings ?? STEPPINGS) : [stepping];
  const revisions = microcode === null ? ANY_MICROCODE : [microcode];
  const found = steppings.flatMap((one) =>
    revisions.map((revision) => isIsolatedOn(kernel, model, one, revision)),
  );
  return [...new Set(found)];
}
