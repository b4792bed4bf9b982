/** A schedule on which two kernels part, told. */
import { type Path, replay } from '../../explorer/path.js';
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import { ProductModel, type ProductModelArgs } from '../pair-model.js';
import { actionOf, executedStep } from '../steps/told.js';

/** The schedule in words, and the first step after which the two machines' registers differ. */
export function tellPair(
  args: ProductModelArgs,
  path: Path,
): { schedule: string[]; msrs_part_at: string | null } {
  const pair = new ProductModel(args);
  const start = new Int32Array(pair.words);
  pair.initial(start);
  let before: Int32Array = start;
  let partAt: string | null = null;
  const schedule = replay(pair, path).map(({ label, state }, at) => {
    pair.load(before, 0);
    const executed = executedStep(pair.first.model.explored, pair.first.state, label);
    const action = actionOf(pair.first.model.explored, pair.first.state, label);
    const what = executed === undefined ? action : `${STEP_NAMES[executed]} (${action})`;
    pair.load(state, 0);
    const differs = pair.first.state.cpus.some((cpu, index) => {
      const other = pair.other.state.cpus[index]!;
      return cpu.pc === other.pc && hasOtherRegisters(cpu.hardware, other.hardware);
    });
    if (differs) {
      partAt ??= `step ${at + 1}: ${what}`;
    }
    before = state;
    return what;
  });
  return { schedule, msrs_part_at: partAt };
}

type Registers = {
  readonly globalCtrl: number;
  readonly pebsEnable: number;
  readonly dsArea: number;
  readonly pebsDataCfg: number;
};

function hasOtherRegisters(a: Registers, b: Registers): boolean {
  return (
    a.globalCtrl !== b.globalCtrl ||
    a.pebsEnable !== b.pebsEnable ||
    a.dsArea !== b.dsArea ||
    a.pebsDataCfg !== b.pebsDataCfg
  );
}
