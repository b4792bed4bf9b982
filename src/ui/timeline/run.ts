/**
 * A run decoded into columns: what each register holds and what perf wants in it, after every step. A run is a counterexample
 * or the trace of a host; column 0 is what was there before the first step.
 */
import type { Api } from '../api/client.js';

export type Write = Api['TraceWrite'];

export interface Step {
  readonly actor: Api['CounterexampleStep']['actor'];
  readonly cpu: number;
  /** The micro-step, if it is one. */
  readonly at: string | undefined;
  readonly action: string;
  readonly source: string | undefined;
  readonly writes: readonly Write[];
  readonly desired: readonly Api['DesiredValue'][];
  readonly violated: readonly string[];
  readonly changes: readonly Api['FieldChange'][];
  readonly decisions: readonly string[];
  /** It writes and changes nothing. */
  readonly isQuiet: boolean;
  /** Registers that it does not write, or that steps in between have changed. */
  readonly before?: readonly Registers[] | undefined;
}

/** What only counterexamples tell of their steps. */
export const UNTOLD = { source: undefined, desired: [], changes: [], decisions: [] } as const;

type Registers = Pick<Api['RegistersBefore'], 'cpu' | 'msrs'>;

/** The values of one register on one CPU, in halves, because a number has 53 bits. */
export interface Register {
  readonly cpu: number;
  readonly msr: string;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly wantedLow: Uint32Array;
  readonly wantedHigh: Uint32Array;
}

export interface Run {
  readonly steps: readonly Step[];
  readonly registers: readonly Register[];
  /** After which step nothing avoids the violation; undefined if nothing is known of it. */
  readonly pointOfNoReturn: number | undefined;
  /** The first step with a violation that the run is about. */
  readonly firstViolation: number | undefined;
  /** The first step in which two compared runs differ. */
  readonly parting?: number | undefined;
}

export function stepOfCounterexample(step: Api['CounterexampleStep']): Step {
  return {
    actor: step.actor,
    cpu: step.cpu,
    at: step.micro_step,
    action: step.action,
    source: step.source,
    writes: step.msr_writes,
    desired: step.desired,
    violated: step.violated,
    changes: step.changes,
    decisions: step.decisions,
    isQuiet: step.folded,
  };
}

/** `statements` has what each micro-step does, by its name. */
export function stepOfTrace(item: Api['TraceItem'], statements: ReadonlyMap<string, string>): Step {
  return {
    ...UNTOLD,
    actor: item.actor,
    cpu: item.cpu,
    at: item.at,
    action: item.note ?? statements.get(item.at) ?? '',
    writes: item.writes,
    desired: item.desired,
    violated: item.violated,
    isQuiet: item.writes.length === 0 && item.desired.length === 0,
    before: item.registers_before,
  };
}

export function decode(
  before: readonly Registers[],
  steps: readonly Step[],
  property?: string,
  pointOfNoReturn?: number,
): Run {
  const registers = before.flatMap(({ cpu, msrs }) =>
    msrs.map(({ msr, value, desired }) => {
      const register = emptyRegister(cpu, msr, steps.length + 1);
      put(register.low, register.high, 0, value);
      put(register.wantedLow, register.wantedHigh, 0, desired);
      return register;
    }),
  );
  const byName = new Map(registers.map((one) => [`${one.cpu} ${one.msr}`, one]));
  for (const [at, step] of steps.entries()) {
    const column = at + 1;
    for (const one of registers) carry(one, column);
    for (const { cpu, msrs } of step.before ?? []) {
      for (const { msr, value, desired } of msrs) {
        const one = byName.get(`${cpu} ${msr}`);
        if (one === undefined) continue;
        put(one.low, one.high, column, value);
        put(one.wantedLow, one.wantedHigh, column, desired);
      }
    }
    for (const { msr, value } of step.writes) {
      const one = byName.get(`${step.cpu} ${msr}`);
      if (one !== undefined) put(one.low, one.high, column, value);
    }
    for (const { cpu, msr, value } of step.desired) {
      const one = byName.get(`${cpu} ${msr}`);
      if (one !== undefined) put(one.wantedLow, one.wantedHigh, column, value);
    }
  }
  const violating = steps.findIndex(
    ({ violated }) =>
      violated.length > 0 && (property === undefined || violated.includes(property)),
  );
  return {
    steps,
    registers,
    pointOfNoReturn,
    firstViolation: violating < 0 ? undefined : violating + 1,
  };
}

function emptyRegister(cpu: number, msr: string, columns: number): Register {
  return {
    cpu,
    msr,
    low: new Uint32Array(columns),
    high: new Uint32Array(columns),
    wantedLow: new Uint32Array(columns),
    wantedHigh: new Uint32Array(columns),
  };
}

function carry(register: Register, column: number): void {
  for (const values of [register.low, register.high, register.wantedLow, register.wantedHigh]) {
    values[column] = values[column - 1]!;
  }
}

function put(low: Uint32Array, high: Uint32Array, column: number, hex: string): void {
  low[column] = Number.parseInt(hex.slice(-8), 16);
  high[column] = Number.parseInt(hex.slice(2, -8), 16);
}

export function hexOf(high: number, low: number): string {
  const digits = high.toString(16) + low.toString(16).padStart(8, '0');
  return `0x${digits.replace(/^0+(?=.)/, '')}`;
}

/** What a bit of IA32_PEBS_ENABLE and IA32_PERF_GLOBAL_CTRL stands for. */
export function bitName(bit: number): string {
  if (bit < 32) return `PMC${bit}`;
  if (bit < 48) return `FIXED${bit - 32}`;
  return bit === 48 ? 'PERF_METRICS' : `bit ${bit}`;
}
