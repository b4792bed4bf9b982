/**
 * Chrome Trace JSON, for ui.perfetto.dev, speedscope and chrome://tracing: a process a CPU, a thread an actor, a slice of a
 * microsecond a step, a counter a bit; arrows lead from where KVM puts a value to where VM-entry or VM-exit loads it.
 */
import {
  GLOBAL_CTRL,
  msrName,
  VIA_NAMES,
  VM_ENTRY_LOAD,
  VM_EXIT_LOAD,
  VMCS_FIELD,
} from '../../pmu/arch/msr.js';
import type { MsrWrite } from '../../pmu/arch/write-sink.js';
import { K5_SWITCH, STEP_NAMES } from '../../pmu/machine/micro-step.js';
import type { Frame } from '../../pmu/stepping/frame.js';
import { registersIn, violatedIn } from '../render/frame-items.js';
import { formatMsrValue } from '../values.js';
import { STORY_ACTORS, type StoryActor } from '../vocabulary.js';
import {
  bitsOf,
  isNmi,
  type RecordedStep,
  type Recording,
  tellingBits,
  violationsBegun,
} from './recording.js';

interface TraceEvent {
  readonly ph: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts: number;
  readonly name: string;
  readonly [field: string]: unknown;
}

/** A value put into a load area or a VMCS field, and loaded from there. */
interface Flow {
  readonly id: number;
  readonly name: string;
  readonly from: RecordedStep;
  readonly to: RecordedStep;
}

export function* toChromeTrace(recording: Recording): Generator<string> {
  const { steps } = recording;
  const flows = flowsOf(steps);
  const counters = new Counters(recording);
  const first = steps[0];
  const about = JSON.stringify({ title: recording.title, time: 'one step is one microsecond' });
  const before = [
    ...labels(recording),
    ...counters.changes(
      (first?.number ?? 1) - 1,
      first === undefined ? recording.start : first.before,
    ),
  ];
  yield `{"displayTimeUnit":"ns","otherData":${about},"traceEvents":[\n${linesOf(before)}`;
  for (const step of steps) {
    const events = [
      slice(recording, step),
      ...(isNmi(step) ? [instant(step, 'NMI', 'p')] : []),
      ...flows.filter(({ from }) => from === step).map((flow) => arrow(flow, 's', step)),
      ...flows.filter(({ to }) => to === step).map((flow) => arrow(flow, 'f', step)),
      ...violationsBegun(step).map((id) => instant(step, `${id} violated`, 'g')),
      ...counters.changes(step.number, step.after),
    ];
    yield `,\n${linesOf(events)}`;
  }
  yield '\n]}\n';
}

function linesOf(events: readonly TraceEvent[]): string {
  return events.map((event) => JSON.stringify(event)).join(',\n');
}

/** Process 0 is the idle task to some viewers. */
function pidOf(cpu: number): number {
  return cpu + 1;
}

/** Thread numbers differ across processes, as they do on Linux. */
function tidOf(cpu: number, actor: StoryActor): number {
  return pidOf(cpu) * 10 + STORY_ACTORS.indexOf(actor);
}

function labels({ start, steps }: Recording): TraceEvent[] {
  return start.cpus.flatMap((_, cpu) => {
    const label = (name: string, args: object, tid?: number): TraceEvent => ({
      ph: 'M',
      pid: pidOf(cpu),
      ...(tid === undefined ? {} : { tid }),
      ts: 0,
      name,
      args,
    });
    const used = STORY_ACTORS.filter((actor) =>
      steps.some((step) => step.cpu === cpu && step.actor === actor),
    );
    return [
      label('process_name', { name: `cpu${cpu}` }),
      label('process_sort_index', { sort_index: cpu }),
      ...used.map((actor) => label('thread_name', { name: actor }, tidOf(cpu, actor))),
    ];
  });
}

function slice({ addresses, vcpus }: Recording, step: RecordedStep): TraceEvent {
  const { number, cpu, vcpu, actor, at, action, writes, after } = step;
  return {
    ph: 'X',
    pid: pidOf(cpu),
    tid: tidOf(cpu, actor),
    ts: number,
    dur: 1,
    name: at,
    cat: actor,
    args: {
      action,
      ...(vcpu === undefined ? {} : { vcpu: vcpus[vcpu] }),
      writes: writes.map(
        ({ msr, via, value }) =>
          `${msrName(msr)} := ${formatMsrValue(msr, value, addresses)} by ${VIA_NAMES[via]}`,
      ),
      violated: after === null ? [] : violatedIn(after, cpu),
    },
  };
}

function instant({ number, cpu, actor }: RecordedStep, name: string, scope: string): TraceEvent {
  return { ph: 'i', pid: pidOf(cpu), tid: tidOf(cpu, actor), ts: number, name, s: scope };
}

function arrow({ id, name }: Flow, ph: 's' | 'f', step: RecordedStep): TraceEvent {
  const { number, cpu, actor } = step;
  const binding = ph === 'f' ? { bp: 'e' } : {};
  const place = { pid: pidOf(cpu), tid: tidOf(cpu, actor), ts: number };
  return { ph, ...place, name, cat: 'load', id, ...binding };
}

/** Each load with the k5 step of its vCPU and MSR before it, as far as the recording has it. */
function flowsOf(steps: readonly RecordedStep[]): Flow[] {
  const put = new Map<string, RecordedStep>();
  const flows: Flow[] = [];
  for (const step of steps) {
    const { vcpu, at } = step;
    const switched = STEP_NAMES.indexOf(at) - K5_SWITCH;
    if (at.startsWith('k5_switch:')) {
      put.set(`${vcpu} ${switched}`, step);
    }
    for (const { msr } of step.writes.filter(isLoad)) {
      const from = put.get(`${vcpu} ${msr}`);
      if (from !== undefined) {
        flows.push({ id: flows.length + 1, name: msrName(msr), from, to: step });
      }
    }
  }
  return flows;
}

function isLoad({ msr, via }: MsrWrite): boolean {
  const isField = via === VMCS_FIELD && msr === GLOBAL_CTRL;
  return via === VM_ENTRY_LOAD || via === VM_EXIT_LOAD || isField;
}

/** A counter for each bit that ever changes or is not as wanted, on every CPU. */
class Counters {
  private readonly bits: { name: string; read: (columns: Int32Array) => object }[];
  private readonly seen: string[] = [];
  /** By CPU: what was read last. */
  private readonly columns: Int32Array[] = [];

  constructor(recording: Recording) {
    this.bits = registersIn(recording).flatMap((register) =>
      tellingBits(recording, register).map((bit) => ({
        name: `${register.name}.${bit}`,
        read: (columns: Int32Array) => ({
          hardware: Number(bitsOf(register.msr, columns[register.value]!).includes(bit)),
          desired: Number(bitsOf(register.msr, columns[register.desired]!).includes(bit)),
        }),
      })),
    );
  }

  changes(ts: number, frame: Frame | null): TraceEvent[] {
    if (frame === null) {
      return [];
    }
    return frame.cpus.flatMap((columns, cpu) => {
      if (this.columns[cpu] === columns) {
        return [];
      }
      this.columns[cpu] = columns;
      return this.bits.flatMap(({ name, read }, at): TraceEvent[] => {
        const args = read(columns);
        const place = cpu * this.bits.length + at;
        const value = JSON.stringify(args);
        if (this.seen[place] === value) {
          return [];
        }
        this.seen[place] = value;
        return [{ ph: 'C', pid: pidOf(cpu), ts, name, args }];
      });
    });
  }
}
