/** Frames as data: what registers hold, what perf wants in them, and which invariants fail. */
import type { AddressBook } from '../../pmu/arch/address-book.js';
import { msrName } from '../../pmu/arch/msr.js';
import { invariantsIn } from '../../pmu/invariants/index.js';
import { TOLD_MSRS, toldMsrs } from '../../pmu/machine/registers.js';
import type { World } from '../../pmu/machine/world.js';
import { DESIRED, type Frame, VALUE, VIOLATED } from '../../pmu/stepping/frame.js';
import { formatMsrValue } from '../values.js';

/** Where frames are from. */
export interface FrameOrigin {
  readonly world: World;
  readonly addresses: AddressBook;
}

export interface RegistersItem {
  readonly cpu: number;
  msrs: { msr: string; value: string; desired: string }[];
  violated: string[];
}

/** All registers, CPU by CPU. */
export function registersItem({ world, addresses }: FrameOrigin, frame: Frame): RegistersItem[] {
  return frame.cpus.map((columns, cpu) => ({
    cpu,
    msrs: toldMsrs(world.caps).map((msr) => {
      const at = TOLD_MSRS.indexOf(msr);
      return {
        msr: msrName(msr),
        value: formatMsrValue(msr, columns[VALUE + at]!, addresses),
        desired: formatMsrValue(msr, columns[DESIRED + at]!, addresses),
      };
    }),
    violated: violatedIn(frame, cpu),
  }));
}

/** The invariants that fail on a CPU. */
export function violatedIn({ cpus }: Frame, cpu: number): string[] {
  return invariantsIn(cpus[cpu]![VIOLATED]!);
}

/** Registers that hold another value than before, or in which perf wants another. */
export function registerChanges(
  { world, addresses }: FrameOrigin,
  before: Frame,
  after: Frame,
): { cpu: number; msr: string; value: string; desired: string }[] {
  return after.cpus.flatMap((columns, cpu) => {
    const known = before.cpus[cpu]!;
    return toldMsrs(world.caps).flatMap((msr) => {
      const at = TOLD_MSRS.indexOf(msr);
      const value = columns[VALUE + at]!;
      const desired = columns[DESIRED + at]!;
      if (value === known[VALUE + at] && desired === known[DESIRED + at]) return [];
      return {
        cpu,
        msr: msrName(msr),
        value: formatMsrValue(msr, value, addresses),
        desired: formatMsrValue(msr, desired, addresses),
      };
    });
  });
}

/** Registers in which perf wants another value than before. */
export function desiredChanges(
  { world, addresses }: FrameOrigin,
  before: Frame,
  after: Frame,
): { cpu: number; msr: string; value: string }[] {
  const told = toldMsrs(world.caps);
  return after.cpus.flatMap((columns, cpu) =>
    TOLD_MSRS.flatMap((msr, at) => {
      const value = columns[DESIRED + at]!;
      return value === before.cpus[cpu]![DESIRED + at] || !told.includes(msr)
        ? []
        : { cpu, msr: msrName(msr), value: formatMsrValue(msr, value, addresses) };
    }),
  );
}
