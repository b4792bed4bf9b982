/** The records of a machine state, each with all its fields: what goes through every field of a state begins here. */
import type { PlacedField, Words } from '../fields/record.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { PerfEvent } from '../perf/perf-event.js';
import { LogicalCpu, MachineState } from './state.js';

export interface RecordInState {
  readonly kind: 'machine' | 'cpu' | 'vcpu' | 'event';
  /** Its number among those of its kind. */
  readonly index: number;
  readonly fields: readonly PlacedField[];
  /** Its words in a state of the same shape. */
  of(state: MachineState): Words;
  /** In compiled code: the variable for its words, and the path to it from the state. */
  readonly name: string;
  readonly path: string;
  /** In compiled code: the word of a field, or of a place in an array. */
  word(field: string, nth?: number): string;
}

/** All records of states with as many CPUs, vCPUs and events as this one; the order is that of packed states. */
export function recordsOf(shape: MachineState): RecordInState[] {
  return [
    recordIn('machine', 0, MachineState.fields, '', (state) => state),
    ...shape.events.map((_, at) =>
      recordIn('event', at, PerfEvent.fields, `.events[${at}]`, (state) => state.events[at]!),
    ),
    ...shape.cpus.map((_, at) =>
      recordIn('cpu', at, LogicalCpu.fields, `.cpus[${at}]`, (state) => state.cpus[at]!),
    ),
    ...shape.vcpus.map((_, at) =>
      recordIn('vcpu', at, VcpuPmu.fields, `.vcpus[${at}]`, (state) => state.vcpus[at]!),
    ),
  ];
}

function recordIn(
  kind: RecordInState['kind'],
  index: number,
  fields: readonly PlacedField[],
  path: string,
  of: (state: MachineState) => Words,
): RecordInState {
  const name = `${kind}${index}`;
  const places = new Map(fields.map((field) => [field.path, field.at]));
  return {
    kind,
    index,
    fields,
    of,
    name,
    path,
    word: (field, nth = 0) => `${name}[${places.get(field)! + nth}]`,
  };
}
