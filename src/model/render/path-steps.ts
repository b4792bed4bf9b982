/** A path replayed: each step with the states before and after it, and the MSR writes between them. */
import { initialState, type Path, replay } from '../../explorer/path.js';
import { type MsrWrite, WriteSink } from '../../pmu/arch/write-sink.js';
import type { MachineState } from '../../pmu/machine/state.js';
import type { MachineModel } from '../machine-model.js';
import { executedStep } from '../steps/told.js';

export interface PathStep {
  /** Its place on the path, from 1. */
  readonly number: number;
  readonly label: number;
  /** The micro-step that it executes, or undefined for what happens at once. */
  readonly executes: number | undefined;
  readonly before: MachineState;
  readonly after: MachineState;
  readonly writes: readonly MsrWrite[];
}

export function stepsOfPath(model: MachineModel, path: Path): PathStep[] {
  let before = initialState(model);
  return replay(model, path).map(({ label, state: after }, at) => {
    const step = pathStep(model, at + 1, label, before, after);
    before = after;
    return step;
  });
}

/** One step, from the packed states on both sides. */
export function pathStep(
  model: MachineModel,
  number: number,
  label: number,
  before: Int32Array,
  after: Int32Array,
): PathStep {
  const { state: from } = model.unpacked(before);
  const { state: acting, spent } = model.unpacked(before);
  const sink = new WriteSink();
  sink.listed = [];
  const executes = executedStep(model.explored, acting, label);
  model.steps.take(acting, spent, label, sink);
  return {
    number,
    label,
    executes,
    before: from,
    after: model.unpacked(after).state,
    writes: sink.take(),
  };
}
