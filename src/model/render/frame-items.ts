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

/** A register shown of a CPU, with its columns in a frame. */
export interface Register {
  readonly msr: number;
  readonly name: string;
  readonly value: number;
  readonly desired: number;
}

export function registersIn({ world }: FrameOrigin): Register[] {
  return toldMsrs(world.caps).map((msr) => {
    const at = TOLD_MSRS.indexOf(msr);
    return { msr, name: msrName(msr), value: VALUE + at, desired: DESIRED + at };
  });
}

export function valuesOf(
  { addresses }: FrameOrigin,
  { msr, value, desired }: Register,
  columns: Int32Array,
): { value: string; desired: string } {
  return {
    value: formatMsrValue(msr, columns[value]!, addresses),
    desired: formatMsrValue(msr, columns[desired]!, addresses),
  };
}

/** All registers, CPU by CPU. */
export function registersItem(origin: FrameOrigin, frame: Frame): RegistersItem[] {
  const registers = registersIn(origin);
  return frame.cpus.map((columns, cpu) => ({
    cpu,
    msrs: registers.map((register) => ({
      msr: register.name,
      ...valuesOf(origin, register, columns),
    })),
    violated: violatedIn(frame, cpu),
  }));
}

/** The invariants that fail on a CPU. */
export function violatedIn({ cpus }: Frame, cpu: number): string[] {
  return invariantsIn(cpus[cpu]![VIOLATED]!);
}

/** Registers that hold another value than before, or in which perf wants another. */
export function registerChanges(
  origin: FrameOrigin,
  before: Frame,
  after: Frame,
): { cpu: number; msr: string; value: string; desired: string }[] {
  const registers = registersIn(origin);
  return after.cpus.flatMap((columns, cpu) => {
    const differs = (column: number): boolean => columns[column] !== before.cpus[cpu]![column];
    return registers
      .filter(({ value, desired }) => differs(value) || differs(desired))
      .map((register) => ({ cpu, msr: register.name, ...valuesOf(origin, register, columns) }));
  });
}

/** Registers in which perf wants another value than before. */
export function desiredChanges(
  origin: FrameOrigin,
  before: Frame,
  after: Frame,
): { cpu: number; msr: string; value: string }[] {
  const registers = registersIn(origin);
  return after.cpus.flatMap((columns, cpu) =>
    registers
      .filter(({ desired }) => columns[desired] !== before.cpus[cpu]![desired])
      .map((register) => ({
        cpu,
        msr: register.name,
        value: valuesOf(origin, register, columns).desired,
      })),
  );
}
