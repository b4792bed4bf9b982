/** The records of an observation that are to be explained: those of one CPU, as a recording. */
import { Symbols } from '../../model/recordings/symbols.js';
import { type RecordedRun, RunRecorder } from '../../observations/explain/recorded-run.js';
import type { KeptRecord } from '../../observations/record.js';
import type { Placed } from '../observations/rereading.js';

interface Wanted {
  readonly cpu: number | undefined;
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface CpuRecording {
  /** Null where the records name none. */
  readonly cpu: number | null;
  readonly run: RecordedRun;
  readonly symbols: Symbols;
}

/** More than can be followed in the time that an explanation has. */
const RECORDS_MAX = 4_000_000;

class Recorder {
  readonly symbols = new Symbols();
  readonly runs = new RunRecorder(this.symbols);
}

/** Undefined where no record of the CPU is compared. */
export async function recordingOf(
  pieces: AsyncIterable<readonly Placed[]>,
  { cpu, firstLine, lastLine }: Wanted,
): Promise<CpuRecording | undefined> {
  const cpus = new Map<number | null, Recorder>();
  /** Where guests were that used their PMUs, by thread. */
  const places = new Map<number | null, number | null>();
  let count = 0;
  for await (const placed of pieces) {
    for (const { record, line } of placed) {
      if (line < firstLine || line > lastLine) continue;
      if (record.kind === 'guest_access') {
        if (places.get(record.pid) !== record.cpu) cpus.get(record.cpu)?.runs.comes(record.pid);
        places.set(record.pid, record.cpu);
      }
      if (cpu !== undefined && record.cpu !== null && record.cpu !== cpu) continue;
      count += 1;
      if (count > RECORDS_MAX) throw new Error(TOO_MANY);
      take(cpus, record, line);
    }
    if ((placed.at(-1)?.line ?? 0) > lastLine) break;
  }
  const found = [...cpus].map(([of, { runs, symbols }]) => ({ cpu: of, run: runs.run, symbols }));
  const [most] = found.sort((a, b) => b.run.symbols.length - a.run.symbols.length);
  return most === undefined || most.run.symbols.length === 0 ? undefined : most;
}

const TOO_MANY = `there are more than ${RECORDS_MAX} records: name a CPU, or a window`;

function take(cpus: Map<number | null, Recorder>, record: KeptRecord, line: number): void {
  // Nobody knows whose records were lost.
  if (record.kind === 'loss' && record.cpu === null) {
    for (const { runs } of cpus.values()) runs.take(record, line);
    return;
  }
  let recorder = cpus.get(record.cpu);
  if (recorder === undefined) {
    recorder = new Recorder();
    cpus.set(record.cpu, recorder);
  }
  recorder.runs.take(record, line);
}
