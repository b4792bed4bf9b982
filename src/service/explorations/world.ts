/** The world of a request, or a problem that names the field. */
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import { type ExploredWorld, exploredWorld } from '../../model/explored-world.js';
import { cpuModelById, kernelById } from '../lookups.js';
import { problemAt } from '../refusals.js';

/** `pointer` is where the request has the world. */
export function worldOf(spec: ExplorationModel, pointer: string): ExploredWorld {
  cpuModelById(spec.cpu_model, `${pointer}/cpu_model`);
  kernelById(spec.kernel, `${pointer}/kernel`);
  return problemAt(pointer, () => exploredWorld(spec));
}
