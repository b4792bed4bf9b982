/** Recordings as ftrace prints them, and explanations of them. */
import { performance } from 'node:perf_hooks';
import { Symbols } from '../../../src/model/recordings/symbols.js';
import { type Explanation, explain } from '../../../src/observations/explain/explain.js';
import { type RecordedRun, RunRecorder } from '../../../src/observations/explain/recorded-run.js';
import type { GivenWorld } from '../../../src/observations/explain/worlds.js';
import { ObservedRecord, type RecordKind } from '../../../src/observations/record.js';
import { valueOfHex } from '../../../src/observations/value.js';
import { findCpuModel } from '../../../src/pmu/arch/cpu-models.js';
import { msrCode, msrIndex } from '../../../src/pmu/arch/msr.js';
import { findKernel } from '../../../src/pmu/kernels/index.js';
import { present } from '../../pmu/machine.js';

const LINE =
  /^ *(?<comm>.+)-(?<pid>\d+) +\[(?<cpu>\d{3})\] (?<flags>\S+) +(?<at>\d+\.\d+): (?<event>\w+): (?<text>.*)$/;
const LOSS = /^CPU:(?<cpu>\d+) \[LOST (?<count>\d+) EVENTS\]$/;
const KINDS: Readonly<Record<string, RecordKind>> = {
  write_msr: 'write',
  read_msr: 'reading',
  throttle: 'throttle',
  kvm_entry: 'vm_entry',
  kvm_exit: 'vm_exit',
  kvm_msr: 'guest_access',
};

/** The records of a text with nothing else in it. */
export function recordsOf(text: string): ObservedRecord[] {
  return text.split('\n').flatMap((line, nth) => {
    const lost = LOSS.exec(line)?.groups;
    const fields = LINE.exec(line)?.groups;
    const kind = lost === undefined ? KINDS[fields?.event ?? ''] : 'loss';
    if (kind === undefined) return [];
    const record = new ObservedRecord(nth + 1, kind);
    record.cpu = Number((lost ?? fields)!.cpu);
    if (fields === undefined) return [record];
    const { pid, flags, at, text: said } = fields;
    record.pid = Number(pid);
    record.at = at!;
    record.context = /[Z]/.test(flags!) ? 'nmi' : 'task';
    record.vcpu = Number(/vcpu (\d+)/.exec(said!)?.[1] ?? 0);
    record.name = /reason (\S+)/.exec(said!)?.[1] ?? null;
    const write = /^([0-9a-f]+), value ([0-9a-f]+)$/.exec(said!);
    if (write !== null) {
      record.msr = Number.parseInt(write[1]!, 16);
      record.value = valueOfHex(write[2]!);
    }
    const access = /^msr_(read|write) ([0-9a-f]+) = 0x([0-9a-f]+)( \(#GP\))?$/.exec(said!);
    if (access !== null) {
      record.writes = access[1] === 'write';
      record.msr = Number.parseInt(access[2]!, 16);
      record.value = valueOfHex(access[3]!);
      record.refused = access[4] !== undefined;
    }
    return [record];
  });
}

/** As Linux's own code made it. */
export type Write = readonly [msr: string, value: string, by?: 'nmi'];

export function textOfWrites(writes: readonly Write[]): string {
  const lines = writes.flatMap(([msr, value, by]) => {
    const code = msrCode(msr);
    if (code === undefined || msr === 'IA32_DS_AREA') return [];
    const index = msrIndex(code).toString(16);
    const flags = by === 'nmi' ? 'd.Z1.' : 'd..1.';
    return `            perf-2000    [000] ${flags}     1.000000: write_msr: ${index}, value ${value.slice(2)}`;
  });
  return lines.join('\n');
}

export interface Explained extends Explanation {
  readonly run: RecordedRun;
  readonly millis: number;
}

/** Explains the records of CPU 0. */
export function explanationOf(
  records: readonly ObservedRecord[],
  given: GivenWorld,
  millisMax = 60_000,
): Explained {
  const symbols = new Symbols();
  const recorder = new RunRecorder(symbols);
  for (const record of records) if (record.cpu === 0) recorder.take(record);
  const { run } = recorder;
  const begun = performance.now();
  const found = explain(
    given,
    present(findKernel(given.kernel), given.kernel),
    present(findCpuModel(given.cpu_model), given.cpu_model),
    run,
    symbols,
    { limits: { millisMax }, now: () => performance.now() },
  );
  return { ...found, run, millis: performance.now() - begun };
}
