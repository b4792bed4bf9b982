/** Entries of the catalogue by id, or a problem that names the field and says what there is. */
import { ruleViolated } from '../errors.js';
import type { CpuModel } from '../pmu/arch/cpu-model.js';
import { CPU_MODELS, findCpuModel } from '../pmu/arch/cpu-models.js';
import { findKernel, KERNELS } from '../pmu/kernels/index.js';
import type { KernelVariant } from '../pmu/kernels/kernel-variant.js';

export function cpuModelById(id: string, pointer: string): CpuModel {
  return findCpuModel(id) ?? unknown('CPU model', id, pointer, CPU_MODELS);
}

export function kernelById(id: string, pointer: string): KernelVariant {
  return findKernel(id) ?? unknown('kernel', id, pointer, KERNELS);
}

function unknown(
  what: string,
  id: string,
  pointer: string,
  known: readonly { readonly id: string }[],
): never {
  const detail = `names no ${what} (${id}); there are ${known.map((entry) => entry.id).join(', ')}`;
  throw ruleViolated(pointer, detail);
}
