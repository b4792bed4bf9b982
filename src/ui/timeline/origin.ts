/**
 * Who wrote this? From a value back to the write that made it; from a load at VM-entry or VM-exit back to what KVM put into the
 * area, and from there to the list that perf had built.
 */
import type { Lane } from './lanes.js';
import type { Run } from './run.js';

/** The step before `column`, or at it, that last did something; 0 if none did. */
function lastStep(run: Run, column: number, does: (at: number) => boolean): number {
  for (let step = Math.min(column, run.steps.length); step > 0; step -= 1) {
    if (does(step - 1)) return step;
  }
  return 0;
}

/** The steps that write what a lane shows. */
export function isWriteOf(run: Run, lane: Lane, step: number): boolean {
  const { cpu, writes, changes } = run.steps[step - 1]!;
  if (lane.kind === 'text') return changes.some(({ of, field }) => `${of}.${field}` === lane.id);
  const { register } = lane;
  return cpu === register.cpu && writes.some(({ msr }) => msr === register.msr);
}

/** The way back from a column of a lane, the nearest step first; empty if it was so before the run. */
export function originOf(run: Run, lane: Lane, column: number): number[] {
  const write = lastStep(run, column, (at) => isWriteOf(run, lane, at + 1));
  if (write === 0) return [];
  const msr = lane.kind === 'text' ? lane.msr : lane.register.msr;
  const { writes, changes } = run.steps[write - 1]!;
  const via = writes.findLast((one) => one.msr === msr)?.via;
  const which =
    via === 'vm_exit_load' ? 'VM-exit' : via === 'vm_entry_load' ? 'VM-entry' : undefined;
  const back = [write];
  // KVM writes the register in the same step in which it puts it into an area.
  const fills = changes.some(({ field }) => field.endsWith(`MSR-load area, ${msr}`));
  let area = fills ? write : 0;
  if (which !== undefined) {
    const field = `${which} MSR-load area, ${msr}`;
    area = lastStep(run, write, (at) => run.steps[at]!.changes.some((one) => one.field === field));
    if (area > 0) back.push(area);
  }
  if (area === 0) return back;
  const list = new RegExp(`^list \\((host|guest)\\), ${msr}$`);
  const built = lastStep(run, area - 1, (at) =>
    run.steps[at]!.changes.some(({ field }) => list.test(field)),
  );
  if (built > 0) back.push(built);
  return back;
}
