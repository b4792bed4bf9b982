/** JSON Lines, for jq, pandas and DuckDB: a step a line, each with all registers of its CPU after it. */
import { violatedIn } from '../render/frame-items.js';
import { formatMsrValue, writeItems } from '../values.js';
import { type RecordedStep, type Recording, registersIn, wrongBits } from './recording.js';

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
  const { addresses } = recording;
  return Object.fromEntries(
    registersIn(recording).map((register) => {
      const { msr, name, value, desired } = register;
      const shown = {
        value: formatMsrValue(msr, columns[value]!, addresses),
        desired: formatMsrValue(msr, columns[desired]!, addresses),
        ...wrongBits(register, columns),
      };
      return [name, shown];
    }),
  );
}
