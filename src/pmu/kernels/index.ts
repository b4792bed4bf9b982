/** The registry of kernel variants: adding one is a file and a line here. */
import type { KernelVariant } from './kernel-variant.js';
import { linux61, linux612 } from './linux-stable.js';
import { pebsV1 } from './pebs-v1.js';
import { pebsV2 } from './pebs-v2.js';
import { proposals } from './proposals.js';
import { upstreamBase } from './upstream-base.js';

export const KERNELS: readonly KernelVariant[] = [
  upstreamBase,
  pebsV1,
  ...pebsV2,
  linux61,
  linux612,
  ...proposals,
];

/** The variant with an id or alias, or undefined. */
export function findKernel(id: string): KernelVariant | undefined {
  return KERNELS.find((kernel) => kernel.id === id || kernel.aliases?.includes(id));
}
