/**
 * Value Change Dump (IEEE 1364), for GTKWave, Surfer and PulseView: a scope a CPU and a vCPU, a step a nanosecond. Registers
 * are there as vectors and bit by bit, each bit beside what perf wants. Unknown values are x, entries that no list has are z.
 *
 * `$var string` is an extension that viewers know; the others skip it.
 */
import { GLOBAL_CTRL, msrName, PEBS_ENABLE, switchedIn } from '../../pmu/arch/msr.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import {
  ENABLED,
  ENTRY_AREA,
  EXIT_AREA,
  FIELDS_USED,
  type Frame,
  GUEST_FIELD,
  HOST_FIELD,
  IN_AREAS,
  LIST_GUEST,
  LIST_HOST,
  LISTED,
  VIOLATED,
} from '../../pmu/stepping/frame.js';
import { type Register, registersIn } from '../render/frame-items.js';
import {
  bitsOf,
  framesOf,
  hexOf,
  identifier,
  isNmi,
  maskOver,
  type RecordedStep,
  type Recording,
  usedBits,
  violatedEver,
  wrongBits,
} from './recording.js';

/** A signal that follows the columns of a CPU or a vCPU. */
interface Signal {
  readonly name: string;
  readonly width: 1 | 64;
  /** Digits; one character where all are alike. */
  readonly read: (columns: Int32Array) => string;
}

interface Scope {
  readonly name: string;
  readonly signals: readonly Signal[];
  readonly scopes: readonly Scope[];
}

/** A signal with its place in the dump. */
interface Placed extends Signal {
  readonly id: string;
  readonly of: (frame: Frame) => Int32Array | undefined;
}

export function* toVcd(recording: Recording): Generator<string> {
  const dump = new Dump(recording);
  const first = recording.steps[0];
  const header = [
    `$comment ${recording.title.replaceAll('$', '')} $end`,
    '$timescale 1 ns $end',
    ...dump.declarations,
    '$enddefinitions $end',
    `#${(first?.number ?? 1) - 1}`,
    '$dumpvars',
    ...dump.changes(first === undefined ? recording.start : first.before),
    '$end',
  ];
  yield `${header.join('\n')}\n`;
  for (const step of recording.steps) yield `${dump.step(step).join('\n')}\n`;
}

class Dump {
  readonly declarations: string[] = [];
  private readonly signals: Placed[] = [];
  /** By signal, the columns it was read from last and what was dumped. */
  private readonly seen: (Int32Array | null | undefined)[] = [];
  private readonly dumped: string[] = [];
  private readonly nmis: string[] = [];
  private readonly microSteps: string[] = [];
  private readonly actors: string[] = [];
  private ids = 0;

  constructor(recording: Recording) {
    const { cpus } = recording.start;
    const scope = cpuScope(recording);
    cpus.forEach((_, at) => {
      this.declare(
        { ...scope, name: `cpu${at}` },
        ({ cpus }) => cpus[at],
        () => {
          this.nmis.push(this.variable('event 1', 'nmi'));
          this.microSteps.push(this.variable('string 1', 'micro_step'));
          this.actors.push(this.variable('string 1', 'actor'));
        },
      );
    });
    recording.vcpus.forEach((name, at) => {
      this.declare(vcpuScope(recording, identifier(name), at), ({ vcpus }) => vcpus[at]);
    });
  }

  /** The lines of a step: its time, what it changed, and who did it. */
  step(step: RecordedStep): string[] {
    const { number, cpu, actor, at, before, after } = step;
    // Nothing, except after a gap in the trace.
    const missed = this.changes(before);
    return [
      ...(missed.length === 0 ? [] : [`#${number - 1}`, ...missed]),
      `#${number}`,
      ...this.changes(after),
      ...(isNmi(step) ? [`1${this.nmis[cpu]}`] : []),
      `s${identifier(at)} ${this.microSteps[cpu]}`,
      `s${actor} ${this.actors[cpu]}`,
    ];
  }

  /** The signals that differ from what was dumped last. */
  changes(frame: Frame | null): string[] {
    const lines: string[] = [];
    this.signals.forEach(({ id, width, of, read }, at) => {
      const columns = frame === null ? null : of(frame);
      if (at in this.seen && columns === this.seen[at]) {
        return;
      }
      this.seen[at] = columns;
      const value = columns === null ? 'x' : columns === undefined ? 'z' : read(columns);
      if (value !== this.dumped[at]) {
        this.dumped[at] = value;
        lines.push(width === 1 ? `${value}${id}` : `b${value} ${id}`);
      }
    });
    return lines;
  }

  private declare(
    { name, signals, scopes }: Scope,
    of: Placed['of'],
    further: () => void = () => {},
  ): void {
    this.declarations.push(`$scope module ${name} $end`);
    for (const signal of signals) {
      const type = signal.width === 1 ? 'wire 1' : 'reg 64';
      const id = this.variable(type, signal.name);
      this.signals.push({ ...signal, id, of });
    }
    further();
    for (const scope of scopes) {
      this.declare(scope, of);
    }
    this.declarations.push('$upscope $end');
  }

  private variable(type: string, name: string): string {
    const id = idOf(this.ids);
    this.ids += 1;
    const range = type === 'reg 64' ? ' [63:0]' : '';
    this.declarations.push(`$var ${type} ${id} ${name}${range} $end`);
    return id;
  }
}

/** Printable ASCII, the shortest first. */
function idOf(number: number): string {
  const digit = String.fromCharCode(33 + (number % 94));
  return number < 94 ? digit : `${idOf(Math.floor(number / 94) - 1)}${digit}`;
}

function cpuScope(recording: Recording): Scope {
  const registers = registersIn(recording);
  const pebs = registers.find(({ msr }) => msr === PEBS_ENABLE);
  const violated = violatedEver(recording);
  return {
    name: '',
    signals: registers.flatMap(({ msr, name, value, desired }) => [
      vector(recording, name, msr, value),
      vector(recording, `${name}_desired`, msr, desired),
    ]),
    scopes: [
      {
        name: 'shadow',
        signals: [
          ...(pebs === undefined
            ? []
            : [vector(recording, 'pebs_enabled', PEBS_ENABLE, pebs.desired)]),
          { name: 'enabled', width: 1, read: (columns) => String(columns[ENABLED]) },
        ],
        scopes: [],
      },
      ...registers.flatMap((register) => bitScope(recording, register)),
      ...listScope(recording),
      ...(violated.length === 0
        ? []
        : [{ name: 'violated', signals: violated.map(violatedSignal), scopes: [] }]),
    ],
  };
}

function vector(recording: Recording, name: string, msr: number, column: number): Signal {
  return { name, width: 64, read: (columns) => digits(recording, msr, columns[column]!) };
}

/** Binary digits without leading zeros. */
function digits(recording: Recording, msr: number, value: number): string {
  const hex = hexOf(recording, msr, value);
  const nibbles = [...hex].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0'));
  return nibbles.join('').replace(/^0+(?=.)/, '');
}

function bitScope(recording: Recording, register: Register): Scope[] {
  const { msr, name, value, desired } = register;
  const signal = (bit: string, of: (columns: Int32Array) => readonly string[]): Signal => ({
    name: bit,
    width: 1,
    read: (columns) =>
      of(columns).includes(bit.replace(/_(desired|stuck|lost)$/, '')) ? '1' : '0',
  });
  const signals = usedBits(recording, register).flatMap((bit) => [
    signal(bit, (columns) => bitsOf(msr, columns[value]!)),
    signal(`${bit}_desired`, (columns) => bitsOf(msr, columns[desired]!)),
    signal(`${bit}_stuck`, (columns) => wrongBits(register, columns).stuck),
    signal(`${bit}_lost`, (columns) => wrongBits(register, columns).lost),
  ]);
  return signals.length === 0 ? [] : [{ name: `${name}_bits`, signals, scopes: [] }];
}

function violatedSignal(id: string): Signal {
  const bit = 1 << INVARIANTS.findIndex((invariant) => invariant.id === id);
  return {
    name: identifier(id),
    width: 1,
    read: (columns) => (columns[VIOLATED]! & bit ? '1' : '0'),
  };
}

/** The list that perf hands KVM: the entries that are ever on it. */
function listScope(recording: Recording): Scope[] {
  const listed = maskOver(framesOf(recording), (cpu) => cpu[LISTED]!);
  const signals = switchedIn(listed).flatMap((msr) => [
    entry(recording, `${msrName(msr)}_host`, msr, LISTED, LIST_HOST),
    entry(recording, `${msrName(msr)}_guest`, msr, LISTED, LIST_GUEST),
  ]);
  return signals.length === 0 ? [] : [{ name: 'guest_switch_msrs', signals, scopes: [] }];
}

/** What VM-entry and VM-exit would load for a vCPU. */
function vcpuScope(recording: Recording, name: string, at: number): Scope {
  const frames = framesOf(recording).flatMap(({ vcpus }) => vcpus[at] ?? []);
  const used = switchedIn(frames.reduce((all, columns) => all | columns[IN_AREAS]!, 0));
  const hasFields = frames.some((columns) => columns[FIELDS_USED] !== 0);
  const side = (area: number, field: number): Signal[] => [
    ...(hasFields
      ? [
          {
            name: `${msrName(GLOBAL_CTRL)}_field`,
            width: 64,
            read: (columns: Int32Array) =>
              columns[FIELDS_USED] === 0 ? 'z' : digits(recording, GLOBAL_CTRL, columns[field]!),
          } as const,
        ]
      : []),
    ...used.map((msr) => entry(recording, msrName(msr), msr, IN_AREAS, area)),
  ];
  return {
    name,
    signals: [],
    scopes: [
      { name: 'vm_entry_load', signals: side(ENTRY_AREA, GUEST_FIELD), scopes: [] },
      { name: 'vm_exit_load', signals: side(EXIT_AREA, HOST_FIELD), scopes: [] },
    ],
  };
}

function entry(
  recording: Recording,
  name: string,
  msr: number,
  present: number,
  values: number,
): Signal {
  return {
    name,
    width: 64,
    read: (columns) =>
      columns[present]! & (1 << msr) ? digits(recording, msr, columns[values + msr]!) : 'z',
  };
}
