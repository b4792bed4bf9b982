/** JSON Lines, for jq, pandas and DuckDB: a step a line, each with all registers of its CPU after it. */
import { registersIn, valuesOf, violatedIn } from '../render/frame-items.js';
import { writeItems } from '../values.js';
import { type RecordedStep, type Recording, wrongBits } from './recording.js';

export function toJsonLines(recording: Recording): string {
  return recording.steps.map((step) => `${JSON.stringify(line(recording, step))}\n`).join('');
}

function line(recording: Recording, step: RecordedStep): object {
  const { addresses, vcpus } = recording;
  const { number, cpu, vcpu, actor, at, action, writes, after } = step;
  return {
    step: number,
    cpu,
    vcpu: vcpu === undefined ? null : vcpus[vcpu],
    actor,
    at,
    action,
    writes: writeItems(writes, addresses),
    registers: after === null ? null : registers(recording, after.cpus[cpu]!),
    violated: after === null ? null : violatedIn(after, cpu),
  };
}

function registers(recording: Recording, columns: Int32Array): object {
  return Object.fromEntries(
    registersIn(recording).map((register) => [
      register.name,
      { ...valuesOf(recording, register, columns), ...wrongBits(register, columns) },
    ]),
  );
}
