/** The registry of kernel variants, released ones first: adding one is a file and a line here. */
import { beforeSeries } from './before-series.js';
import { hostCandidates } from './host-candidates.js';
import type { KernelVariant } from './kernel-variant.js';
import { landed } from './landed.js';
import { pebsV1 } from './pebs-v1.js';
import { pebsV2 } from './pebs-v2.js';
import { proposals } from './proposals.js';
import { publishedBugs } from './published-bugs.js';
import { publishedHostBugs } from './published-host-bugs.js';

export const KERNELS: readonly KernelVariant[] = [
  ...landed,
  ...beforeSeries,
  pebsV1,
  ...pebsV2,
  ...proposals,
  ...publishedBugs,
  ...publishedHostBugs,
  ...hostCandidates,
];

/** The variant with an id or alias, or undefined. */
export function findKernel(id: string): KernelVariant | undefined {
  return KERNELS.find((kernel) => kernel.id === id || kernel.aliases?.includes(id));
}
