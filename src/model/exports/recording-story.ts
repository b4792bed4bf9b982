/** What a recording alone can tell as a story: the writes, what perf wants, and what is violated. */
import { stepCode } from '../../pmu/machine/micro-step.js';
import { stepSource } from '../../pmu/machine/step-sources.js';
import { desiredChanges } from '../render/frame-items.js';
import type { RenderedStep } from '../render/rendered-steps.js';
import type { Story } from '../render/text.js';
import { writeItems } from '../values.js';
import { type RecordedStep, type Recording, violationsBegun } from './recording.js';

export function storyOf(recording: Recording): Story {
  const steps = recording.steps.map((step) => told(recording, step));
  return { title: recording.title, paragraph: '', steps, end: [] };
}

function told(recording: Recording, step: RecordedStep): RenderedStep {
  const { number, cpu, actor, at, action, before, after, writes } = step;
  const code = stepCode(at);
  const wanted = before === null || after === null ? [] : desiredChanges(recording, before, after);
  const state_change = [
    ...wanted.map(({ msr, value }) => `perf wants ${msr} = ${value}`),
    ...violationsBegun(step).map((id) => `${id} is violated`),
  ];
  return {
    number,
    cpu,
    actor,
    action,
    title: action,
    ...(code === undefined ? {} : { micro_step: at }),
    source: code === undefined ? '' : stepSource(code),
    msr_writes: writeItems(writes, recording.addresses),
    state_change,
    changes: [],
    decisions: [],
    folded: code !== undefined && writes.length + state_change.length === 0,
  };
}
