/** A path replayed: each step with the states before and after it, and the MSR writes between them. */
import { initialState, type Path, stepsAlong } from '../../explorer/path.js';
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
  return [...stepsAlongPath(model, path)];
}

/** The same step by step, for those who let others in between. */
export function* stepsAlongPath(model: MachineModel, path: Path): Generator<PathStep> {
  let before = initialState(model);
  let number = 0;
  for (const { label, state: after } of stepsAlong(model, path)) {
    number += 1;
    yield pathStep(model, number, label, before, after);
    before = after;
  }
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
