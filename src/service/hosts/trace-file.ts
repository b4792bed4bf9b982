/** The trace of a host as a file. */
import type { RecordedStep, Recording } from '../../model/exports/recording.js';
import { storyOf } from '../../model/exports/recording-story.js';
import { toldWrmsr } from '../../model/steps/guests.js';
import { type ExportFile, type ExportFormat, exported } from '../exports.js';
import type { Host } from './host.js';
import { type FramedEntry, frameNow } from './trace-views.js';

export function traceFile(
  host: Host,
  entries: readonly FramedEntry[],
  format: ExportFormat,
  all: boolean,
): Promise<ExportFile> {
  const steps = entries.map(recorded);
  const [first, last] = [steps[0]?.number ?? 0, steps.at(-1)?.number ?? 0];
  const { world, addresses, vcpus, kernel, model } = host;
  const recording: Recording = {
    title: `${host.name ?? host.id} on ${kernel.id}, ${model.id}: steps ${first} to ${last}`,
    world,
    addresses,
    vcpus: vcpus.map(({ name, id }) => name ?? id),
    steps,
    start: entries[0]?.before ?? frameNow(host),
  };
  const source = {
    about: [host.name ?? host.id, kernel.id, model.id, `${first}-${last}`],
    recording: async () => recording,
    story: async () => storyOf(recording),
  };
  return exported(format, source, all);
}

function recorded({ entry, before, after }: FramedEntry): RecordedStep {
  const { index: number, cpu, vcpu, actor, at, writes, guestWrite } = entry;
  const action = guestWrite === undefined ? at : toldWrmsr(guestWrite, guestWrite.refused);
  return { number, cpu, vcpu, actor, at, action, writes, guestWrite, before, after };
}
