/** The registers along a path, with the invariants that fail. */
import { violatedAt } from '../../pmu/invariants/index.js';
import type { MachineState } from '../../pmu/machine/state.js';
import { type Frame, FrameWatch } from '../../pmu/stepping/frame.js';
import type { MachineModel } from '../machine-model.js';
import type { PathStep } from './path-steps.js';

/** The frame before the first step, and the one after each. */
export function framesOfPath({ explored }: MachineModel, steps: readonly PathStep[]): Frame[] {
  const { world, initial } = explored;
  const watch = new FrameWatch();
  const violated = new Int32Array(initial.cpus.length);
  const frameAt = (state: MachineState): Frame => {
    state.cpus.forEach((cpu, at) => {
      violated[at] = violatedAt(world, state, cpu, violated[at]!);
    });
    watch.look(world, state, violated);
    return watch.frame();
  };
  return [frameAt(initial), ...steps.map(({ after }) => frameAt(after))];
}
