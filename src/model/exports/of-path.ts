/** A path as a recording, and as a story. */
import type { Path } from '../../explorer/path.js';
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import { RUN_VCPU } from '../../pmu/machine/state.js';
import type { MachineModel } from '../machine-model.js';
import { FieldWords } from '../render/field-words.js';
import { framesOfPath } from '../render/path-frames.js';
import { type PathStep, stepsAlongPath } from '../render/path-steps.js';
import { type RenderedStep, renderStep } from '../render/rendered-steps.js';
import { summarise } from '../render/summary.js';
import type { Story } from '../render/text.js';
import { candidateOf, cpuOf, kindOf } from '../steps/index.js';
import { actionOf, actorOf } from '../steps/told.js';
import type { RecordedStep, Recording } from './recording.js';

/** Lets others in; called after each step, since a path may have a thousand. */
export type Pause = () => Promise<void>;

/** What a path is told as. `property` is what it leads to, if it does. */
export interface PathTold {
  readonly path: Path;
  readonly title: string;
  readonly property?: string;
}

export async function recordingOfPath(
  model: MachineModel,
  { path, title }: PathTold,
  pause: Pause,
): Promise<Recording> {
  const { world, host } = model.explored;
  const taken = await stepsOf(model, path, pause);
  const frames = framesOfPath(model, taken);
  const steps = taken.map((step): RecordedStep => {
    const frame = { before: frames[step.number - 1]!, after: frames[step.number]! };
    return { ...recorded(model, step), ...frame };
  });
  const { addresses, vcpuNames: vcpus } = host;
  return { title, world, addresses, vcpus, steps, start: frames[0]! };
}

export async function storyOfPath(
  model: MachineModel,
  { path, title, property }: PathTold,
  pause: Pause,
): Promise<Story> {
  const taken = await stepsOf(model, path, pause);
  const words = new FieldWords(model.explored);
  const steps: RenderedStep[] = [];
  for (const step of taken) {
    steps.push(renderStep(model, words, step));
    await pause();
  }
  if (property === undefined) {
    return { title, paragraph: '', steps, end: [] };
  }
  return { title, ...summarise(model, property, taken), steps };
}

async function stepsOf(model: MachineModel, path: Path, pause: Pause): Promise<PathStep[]> {
  const steps: PathStep[] = [];
  for (const step of stepsAlongPath(model, path)) {
    steps.push(step);
    await pause();
  }
  return steps;
}

function recorded(
  { explored }: MachineModel,
  { number, label, executes, before, after, writes }: PathStep,
): Omit<RecordedStep, 'before' | 'after'> {
  const cpu = cpuOf(label);
  const { actor, by, tracedAs = actor ?? by, guestWrite } = kindOf(label);
  const runs = [before, after].map(({ cpus }) => cpus[cpu]!);
  const write = guestWrite?.(candidateOf(explored, before, label));
  return {
    number,
    cpu,
    vcpu: write?.vcpu ?? runs.find(({ operation }) => operation === RUN_VCPU)?.target,
    actor: actorOf(explored, before, label),
    at: executes === undefined ? tracedAs : STEP_NAMES[executes]!,
    action: actionOf(explored, before, label),
    writes,
    guestWrite: write && { msr: write.msr, value: write.value, refused: false },
  };
}
