/**
 * Informal Trace Format (Apalache ADR-015), for model checkers and their viewers: a state before the first step and one after
 * each. Registers that are sets of bits are sets of names, the others are #bigint, since they have 64 bits.
 */
import { isCounterMsr } from '../../pmu/arch/msr.js';
import type { Frame } from '../../pmu/stepping/frame.js';
import { type Register, registersIn, violatedIn } from '../render/frame-items.js';
import { bitsOf, hexOf, type RecordedStep, type Recording } from './recording.js';

type Value = string | { readonly '#set': readonly string[] } | { readonly '#bigint': string };

interface State {
  readonly '#meta': { readonly index: number };
  readonly [variable: string]: unknown;
}

export function* toItf(recording: Recording): Generator<string> {
  const registers = registersIn(recording);
  // A state must set every variable, so the trace begins where all of them are known.
  const unknown = recording.steps.findLastIndex(({ before }) => before === null);
  const steps = recording.steps.slice(unknown + 1);
  const start = unknown < 0 ? (steps[0]?.before ?? recording.start) : lastKnown(recording, unknown);
  const frames = [start, ...steps.map(({ after }) => after!)];
  const state = (frame: Frame, index: number): State => {
    const step = steps[index - 1];
    return {
      '#meta': { index },
      actor: step?.actor ?? '',
      cpu: step?.cpu ?? 0,
      step: step?.at ?? '',
      ...variables(recording, registers, frame),
    };
  };
  const vars = Object.keys(state(start, 0)).filter((name) => name !== '#meta');
  const meta = {
    format: 'ITF',
    'format-description': 'https://apalache-mc.org/docs/adr/015adr-trace.html',
    description: described(recording, steps),
  };
  yield `{"#meta":${JSON.stringify(meta)},\n"vars":${JSON.stringify(vars)},\n"states":[\n`;
  for (const [index, frame] of frames.entries()) {
    yield `${index === 0 ? '' : ',\n'}${JSON.stringify(state(frame, index))}`;
  }
  yield '\n]}\n';
}

function lastKnown({ steps, start }: Recording, at: number): Frame {
  return steps[at]?.after ?? start;
}

function described({ title, steps }: Recording, shown: readonly RecordedStep[]): string {
  return shown.length === steps.length
    ? title
    : `${title}; without the first ${steps.length - shown.length} steps, whose registers are not known`;
}

function variables(
  recording: Recording,
  registers: readonly Register[],
  frame: Frame,
): Record<string, Value> {
  const pairs = frame.cpus.flatMap((columns, cpu) => [
    ...registers.flatMap(({ msr, name, value, desired }): [string, Value][] => [
      [`cpu${cpu}_${name}`, valueIn(recording, msr, columns[value]!)],
      [`cpu${cpu}_${name}_desired`, valueIn(recording, msr, columns[desired]!)],
    ]),
    [`cpu${cpu}_violated`, { '#set': violatedIn(frame, cpu) }] as [string, Value],
  ]);
  return Object.fromEntries(pairs);
}

function valueIn(recording: Recording, msr: number, value: number): Value {
  return isCounterMsr(msr)
    ? { '#set': bitsOf(msr, value) }
    : { '#bigint': decimal(hexOf(recording, msr, value)) };
}

/** Hex digits as decimal ones, seven at a time. */
function decimal(hex: string): string {
  const parts = [0, 0, 0];
  for (const digit of hex) {
    let carry = Number.parseInt(digit, 16);
    for (let at = 0; at < parts.length; at += 1) {
      const wide = parts[at]! * 16 + carry;
      parts[at] = wide % 10_000_000;
      carry = Math.floor(wide / 10_000_000);
    }
  }
  const digits = parts.toReversed().map((part) => String(part).padStart(7, '0'));
  return digits.join('').replace(/^0+(?=.)/, '');
}
