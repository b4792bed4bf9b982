/** Two kernels on one schedule: what each step is, where the registers part, and why the one fails. */
import type { Path } from '../../explorer/path.js';
import { initialState, stepsAlong } from '../../explorer/path.js';
import { FIXED_CTR_CTRL, msrName, switchedIn } from '../../pmu/arch/msr.js';
import { registerValue } from '../../pmu/machine/registers.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import type { MachineModel } from '../machine-model.js';
import { createModel, type ProductModelArgs } from '../pair-model.js';
import { formatMsrValue } from '../values.js';
import { type PathStep, pathStep } from './path-steps.js';
import { titleOf } from './rendered-steps.js';
import { faultsAt, summarise } from './summary.js';

/** Where the registers of a CPU differ for the first time, with both values. */
export interface MsrParting {
  readonly step: number;
  readonly cpu: number;
  registers: { msr: string; kernel: string; other: string }[];
}

/** The run of one of the two kernels. */
export interface PairRun {
  readonly model: MachineModel;
  readonly steps: readonly PathStep[];
}

export type PairStory = ReturnType<typeof pairStory>;

/** One of the two machines along the path. */
interface Side {
  readonly model: MachineModel;
  /** Where its words begin in a state of the pair. */
  readonly at: number;
  readonly steps: PathStep[];
  state: MachineState;
}

/** `fails` says which of the two is the one that fails, the first or the other. */
export function pairStory(args: ProductModelArgs, path: Path, fails: 'first' | 'other') {
  const pair = createModel(args);
  const first = sideOf(pair.first, 0);
  const other = sideOf(pair.other, pair.first.words);
  const [failing, holding]: [Side, Side] = fails === 'first' ? [first, other] : [other, first];
  let before = initialState(pair);
  let parting: MsrParting | null = null;
  /** By step of the schedule: the number of each kernel's step, from 0; null where it stands still. */
  const rows: (number | null)[][] = [];
  const schedule: string[] = [];
  for (const { label, state } of stepsAlong(pair, path)) {
    const number = rows.length + 1;
    const taken = [failing, holding].map((side) => take(side, number, label, before, state));
    before = state;
    rows.push([failing, holding].map(({ steps }, at) => (taken[at] ? steps.length - 1 : null)));
    parting ??= partingAt(number, failing, holding);
    const { model } = taken[0] ? failing : holding;
    const title = titleOf(model, (taken[0] ?? taken[1])!);
    const isBoth = !taken.includes(undefined);
    schedule.push(isBoth ? title : `${title}, on ${model.explored.spec.kernel} alone`);
  }
  const { model, steps, state } = failing;
  const property = args.properties.find((id) => faultsAt(model, id, state).length > 0)!;
  const { paragraph, end } = summarise(model, property, steps);
  return {
    /** The kernel that fails, and the other. */
    runs: [failing, holding] satisfies PairRun[],
    rows,
    property,
    summary: paragraph,
    schedule,
    msrs_part_at: parting && `step ${parting.step}: ${schedule[parting.step - 1]}`,
    msrs_part: parting,
    end: [...end],
  };
}

function sideOf(model: MachineModel, at: number): Side {
  return { model, at, steps: [], state: model.explored.initial };
}

/** The step of one of the two; undefined where it stands still while the other catches up. */
function take(
  side: Side,
  number: number,
  label: number,
  before: Int32Array,
  after: Int32Array,
): PathStep | undefined {
  const { model, at } = side;
  const own = (words: Int32Array): Int32Array => words.slice(at, at + model.words);
  const [from, to] = [own(before), own(after)];
  if (from.every((word, nth) => word === to[nth])) {
    return undefined;
  }
  const step = pathStep(model, number, label, from, to);
  side.steps.push(step);
  side.state = step.after;
  return step;
}

/** The registers in which the two differ, on a CPU that is at the same micro-step on both. */
function partingAt(step: number, failing: Side, holding: Side): MsrParting | null {
  for (const [index, cpu] of failing.state.cpus.entries()) {
    const same = holding.state.cpus[index]!;
    const registers = cpu.pc === same.pc ? differing(cpu, same, failing, holding) : [];
    if (registers.length > 0) {
      return { step, cpu: index, registers };
    }
  }
  return null;
}

function differing(
  cpu: LogicalCpu,
  same: LogicalCpu,
  failing: Side,
  holding: Side,
): MsrParting['registers'] {
  const msrs = [...switchedIn(), FIXED_CTR_CTRL];
  return msrs
    .filter((msr) => registerValue(cpu, msr) !== registerValue(same, msr))
    .map((msr) => ({
      msr: msrName(msr),
      kernel: formatMsrValue(msr, registerValue(cpu, msr), failing.model.explored.host.addresses),
      other: formatMsrValue(msr, registerValue(same, msr), holding.model.explored.host.addresses),
    }));
}
