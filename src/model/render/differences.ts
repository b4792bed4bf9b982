/** What differs between two states of a machine: every field but bookkeeping, told by its kind. */
import type { Field } from '../../pmu/fields/field.js';
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import type { RecordInState } from '../../pmu/machine/records.js';
import type { MachineState } from '../../pmu/machine/state.js';
import { bitsChanged, type FieldWords, type Item, isThere } from './field-words.js';

/** A field that has another value than before. */
export interface Change {
  /** Whose field it is: a CPU, a vCPU, an event; empty for the machine itself. */
  readonly of: string;
  readonly field: string;
  readonly before: string;
  readonly after: string;
  /** The bits that came and went, as `+PMC1 -PMC0`; null for a field that is no set. */
  readonly bits: string | null;
}

export function differences(
  words: FieldWords,
  before: MachineState,
  after: MachineState,
): Change[] {
  return words.parts.flatMap(({ record, items }) => {
    const from = record.of(before).words;
    const to = record.of(after).words;
    return items
      .filter((item) => differs(item, from, to) && isTold(item.field, record, after))
      .map((item) => ({
        of: words.partName(record),
        field: item.name,
        before: words.item(item, from),
        after: words.item(item, to),
        bits: bitsChanged(item, from, to),
      }));
  });
}

function differs(item: Item, from: Int32Array, to: Int32Array): boolean {
  return from[item.at] !== to[item.at] || isThere(item, from) !== isThere(item, to);
}

/** Bookkeeping is not, nor is what a CPU forgets because it no longer matters. */
function isTold(
  { bookkeeping, during }: Field,
  { kind, index }: RecordInState,
  after: MachineState,
): boolean {
  if (bookkeeping === true) {
    return false;
  }
  if (during === undefined || kind !== 'cpu') {
    return true;
  }
  const at = STEP_NAMES[after.cpus[index]!.pc]!;
  return during.some((beginning) => at.startsWith(beginning));
}

/** A change as a line; the CPU is left out where there is only one. */
export function changeLine({ of, field, before, after, bits }: Change, cpus: number): string {
  const owner = of === '' || (cpus === 1 && of === 'cpu0') ? '' : `${of} `;
  return `${owner}${field}: ${bits ?? `${before} -> ${after}`}`;
}
