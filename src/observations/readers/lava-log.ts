/** A line of LAVA's YAML log: `- {"dt": "...", "lvl": "target", "msg": "..."}`. */

import { withoutAnsi } from '../lines.js';

/** A result that LAVA's dispatcher reports in its log. */
export interface LavaResult {
  readonly suite: string;
  readonly name: string;
  readonly result: string;
}

export interface LavaLine {
  /** When LAVA received it. */
  readonly at: string | null;
  /** What the machine printed; null in LAVA's own lines. */
  readonly message: string | null;
  readonly result: LavaResult | null;
}

const SHAPE = /^\s*- (\{"dt": ".*\})$/;

/** Levels of what the machine printed. `input` is what LAVA typed. */
const FROM_THE_MACHINE: ReadonlySet<unknown> = new Set(['target', 'feedback']);

export const looksLikeLavaLog = (line: string): boolean => SHAPE.test(line);

/** Null where the line is none. */
export function lavaLine(line: string): LavaLine | null {
  const json = SHAPE.exec(line)?.[1];
  if (json === undefined) return null;
  const { dt, lvl, msg } = fieldsOf(parse(json));
  const spoken = typeof msg === 'string' && FROM_THE_MACHINE.has(lvl);
  return {
    at: typeof dt === 'string' ? dt : null,
    message: spoken ? withoutAnsi(msg).trimEnd() : null,
    result: lvl === 'results' ? resultOf(fieldsOf(msg)) : null,
  };
}

function resultOf({ definition, case: name, result }: Record<string, unknown>): LavaResult | null {
  return typeof definition === 'string' && typeof name === 'string' && typeof result === 'string'
    ? { suite: definition, name, result }
    : null;
}

/** YAML has escapes that JSON does not have. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/\\x([0-9a-fA-F]{2})/g, '\\u00$1').replace(/\\e/g, '\\u001b'));
  } catch {
    return null;
  }
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};
