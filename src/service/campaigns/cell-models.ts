/**
 * The models of cells. A thread keeps those it used last: setting a world up takes little, but its code is compiled for
 * it, and compiled code that is thrown away after each chunk never becomes fast.
 */
import { exploredWorld } from '../../model/explored-world.js';
import { MachineModel } from '../../model/machine-model.js';
import type { PlannedCell } from './plan.js';

const KEPT_MAX = 8;

/** By world and properties, the one used last at the end. */
const kept = new Map<string, MachineModel>();

export function modelOf({ model, properties }: PlannedCell): MachineModel {
  const key = JSON.stringify([model, properties]);
  const made = kept.get(key) ?? new MachineModel(exploredWorld(model), properties);
  kept.delete(key);
  kept.set(key, made);
  const [oldest] = kept.keys();
  if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  return made;
}
