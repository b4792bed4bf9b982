/** Entries of the catalogue by id, or a problem that says what may have been meant and what there is. */

import type { CpuModel } from '../pmu/arch/cpu-model.js';
import { CPU_MODELS, findCpuModel } from '../pmu/arch/cpu-models.js';
import { findKernel, KERNELS } from '../pmu/kernels/index.js';
import type { KernelVariant } from '../pmu/kernels/kernel-variant.js';
import { fieldRefused, ProblemError } from './problem-error.js';
import { likely } from './spelling.js';

export function cpuModelById(id: string, pointer: string): CpuModel {
  return findCpuModel(id) ?? unknownName('CPU model', id, pointer, CPU_MODEL_IDS);
}

export function kernelById(id: string, pointer: string): KernelVariant {
  return findKernel(id) ?? unknownName('kernel', id, pointer, KERNEL_NAMES);
}

/** All names of a kernel, of which requests may have taken any. */
export function namesOfKernel(name: string, pointer: string): string[] {
  const { id, aliases = [] } = kernelById(name, pointer);
  return [id, ...aliases];
}

const CPU_MODEL_IDS = CPU_MODELS.map(({ id }) => id);

/** Their ids and aliases. */
export const KERNEL_NAMES: readonly string[] = KERNELS.flatMap(({ id, aliases = [] }) => [
  id,
  ...aliases,
]);

interface Hints {
  /** Where the known names are listed, if they are too many for the answer. */
  readonly listed?: string;
  /** The name with aliases in it resolved, to find what is near it. */
  readonly canonical?: string;
}

/** A field that names something which does not exist. */
export function unknownName(
  what: string,
  name: string,
  pointer: string,
  known: readonly string[],
  hints: Hints = {},
): never {
  const detail = `names no ${what} (${name})${suggestion(name, known, hints)}`;
  throw fieldRefused('unknown_name', pointer, detail);
}

/** The same for an address. */
export function notInCatalogue(
  what: string,
  name: string,
  known: readonly string[],
  hints: Hints = {},
): never {
  const detail = `There is no ${what} ${name}${suggestion(name, known, hints)}.`;
  throw new ProblemError('not_found', detail);
}

/** More would hide what was meant. */
const LISTED_MAX = 40;

function suggestion(name: string, known: readonly string[], { listed, canonical }: Hints): string {
  const meant = likely(canonical ?? name, known).map((one) => `"${one}"`);
  const guess = meant.length === 0 ? '' : `, did you mean ${meant.join(' or ')}?`;
  if (listed !== undefined) return `${guess === '' ? '; ' : `${guess} `}${listed}`;
  const more = known.length > LISTED_MAX ? ', …' : '';
  const all = `${known.slice(0, LISTED_MAX).join(', ')}${more}`;
  return guess === '' ? `; there are ${all}` : `${guess} There are ${all}`;
}
