/** The rows of the timeline: the interesting bits and values of registers, and what the load areas hold. */
import { type BitState, bitState } from '../widgets/bit.js';
import { bitName, hexOf, type Register, type Run } from './run.js';

export interface BitLane {
  readonly kind: 'bit';
  readonly id: string;
  readonly group: string;
  readonly label: string;
  readonly register: Register;
  readonly bit: number;
}

export interface ValueLane {
  readonly kind: 'value';
  readonly id: string;
  readonly group: string;
  readonly label: string;
  readonly register: Register;
}

/** Text that is there from a step on; what KVM put into a load area. */
export interface TextLane {
  readonly kind: 'text';
  readonly id: string;
  readonly group: string;
  readonly label: string;
  readonly msr: string;
  /** The column from which each text is there. */
  readonly spans: readonly { readonly from: number; readonly text: string }[];
}

export type Lane = BitLane | ValueLane | TextLane;

/** The registers in which every bit is a counter. */
const BITWISE = ['IA32_PEBS_ENABLE', 'IA32_PERF_GLOBAL_CTRL'];
/** With more, the value says it better. */
const BITS_MAX = 4;
const AREA = /^(VM-entry|VM-exit) MSR-load area, (\w+)$/;

export function lanesOf(run: Run): Lane[] {
  const areas = areaLanes(run);
  const order = [...run.registers].sort((a, b) => rank(a) - rank(b) || a.cpu - b.cpu);
  return order.flatMap((register) => {
    const own = registerLanes(
      register,
      run.registers.some(({ cpu }) => cpu > 0),
    );
    const lists = areas.filter(({ msr }) => msr === register.msr);
    // The areas belong to a vCPU, so they stand once, under the first CPU.
    return register.cpu === 0 ? [...own, ...lists] : own;
  });
}

function rank({ msr }: Register): number {
  const at = BITWISE.indexOf(msr);
  return at < 0 ? BITWISE.length : at;
}

function registerLanes(register: Register, hasMoreCpus: boolean): Lane[] {
  const group = hasMoreCpus ? `${register.msr}, CPU ${register.cpu}` : register.msr;
  const id = `${register.cpu}.${register.msr}`;
  const bits = BITWISE.includes(register.msr) ? interestingBits(register) : [];
  if (bits.length > 0 && bits.length <= BITS_MAX) {
    return bits.map((bit) => ({
      kind: 'bit',
      id: `${id}.${bitName(bit)}`,
      group,
      label: bitName(bit),
      register,
      bit,
    }));
  }
  if (!changes(register)) return [];
  return [{ kind: 'value', id, group, label: 'value', register }];
}

/** Those that ever change or are not what perf wants. */
function interestingBits(register: Register): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < 64; bit += 1) {
    const first = hasBit(register.low, register.high, bit, 0);
    for (let column = 0; column < register.low.length; column += 1) {
      const hardware = hasBit(register.low, register.high, bit, column);
      const wanted = hasBit(register.wantedLow, register.wantedHigh, bit, column);
      if (hardware !== first || wanted !== first) {
        bits.push(bit);
        break;
      }
    }
  }
  return bits;
}

export function hasBit(low: Uint32Array, high: Uint32Array, bit: number, column: number): boolean {
  const half = bit < 32 ? low[column]! : high[column]!;
  return ((half >>> (bit & 31)) & 1) === 1;
}

function changes({ low, high, wantedLow, wantedHigh }: Register): boolean {
  return low.some(
    (value, at) =>
      value !== low[0] ||
      high[at] !== high[0] ||
      wantedLow[at] !== low[0] ||
      wantedHigh[at] !== high[0],
  );
}

function areaLanes({ steps }: Run): TextLane[] {
  const lanes = new Map<string, { from: number; text: string }[]>();
  for (const [at, { changes }] of steps.entries()) {
    for (const { of, field, before, after } of changes) {
      if (!AREA.test(field)) continue;
      const id = `${of}.${field}`;
      const spans = lanes.get(id) ?? [{ from: 0, text: before }];
      spans.push({ from: at + 1, text: after });
      lanes.set(id, spans);
    }
  }
  return [...lanes].map(([id, spans]) => {
    const [, which = '', msr = ''] = AREA.exec(id.slice(id.indexOf('.') + 1)) ?? [];
    return {
      kind: 'text',
      id,
      group: msr,
      label: which === 'VM-exit' ? 'exit area' : 'entry area',
      msr,
      spans,
    };
  });
}

export function stateAt({ register, bit }: BitLane, column: number): BitState {
  return bitState(
    hasBit(register.low, register.high, bit, column),
    hasBit(register.wantedLow, register.wantedHigh, bit, column),
  );
}

/** Whether a value is what perf wants. */
export function isWanted({ register }: ValueLane, column: number): boolean {
  const { low, high, wantedLow, wantedHigh } = register;
  return low[column] === wantedLow[column] && high[column] === wantedHigh[column];
}

export function textAt(lane: ValueLane | TextLane, column: number): string {
  if (lane.kind === 'value') return hexOf(lane.register.high[column]!, lane.register.low[column]!);
  return lane.spans.findLast(({ from }) => from <= column)?.text ?? '';
}

/** What a lane says at a column, in words. */
export function wordsAt(lane: Lane, column: number): string {
  if (lane.kind === 'bit') return stateAt(lane, column);
  const text = textAt(lane, column);
  if (lane.kind === 'text' || isWanted(lane, column)) return text;
  const { wantedHigh, wantedLow } = lane.register;
  return `${text}, wanted ${hexOf(wantedHigh[column]!, wantedLow[column]!)}`;
}
