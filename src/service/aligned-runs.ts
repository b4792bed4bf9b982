/**
 * Runs of one script on several kernels, step beside step, and what differs between them: control (a step that is not on every
 * side), writes, state (a register, what perf wants in it, or what a vCPU loads), verdict.
 */

import type { MsrView } from '../../schemas/msr.js';
import type { RunDifference, RunStep } from '../../schemas/run-comparison.js';
import type { RegistersItem } from '../model/render/frame-items.js';

/** Where a refusal ended a run. */
export interface RunEnd {
  /** The action of the script, from 0. */
  readonly action: number;
  readonly detail: string;
}

/** The registers of a CPU by what they are called. */
export type RegisterValues = ReadonlyMap<
  string,
  { msr: string; field: RegisterField; value: string }
>;
type RegisterField = 'value' | 'desired' | 'vm_entry_load' | 'vm_exit_load';

export interface RunRecord {
  readonly before: readonly RegistersItem[];
  readonly steps: readonly RunStep[];
  /** By step: the registers of its CPU after it. */
  readonly registers: readonly RegisterValues[];
  readonly refused: RunEnd | null;
}

/** By side the number of the step, from 0; null where a side has none. */
export type Row = readonly (number | null)[];

const FIELDS = ['value', 'desired', 'vm_entry_load', 'vm_exit_load'] as const;

export function registerValues(views: readonly MsrView[]): RegisterValues {
  const values = views.flatMap((view) =>
    FIELDS.flatMap((field) => {
      const value = view[field];
      return value === undefined ? [] : [{ msr: view.name, field, value }];
    }),
  );
  return new Map(values.map((one) => [`${one.msr} ${one.field}`, one]));
}

/**
 * Puts the steps side by side: those of the same action by the same actor on the same CPU with the same micro-step belong
 * together, of several the first with the first.
 */
export function aligned(runs: readonly RunRecord[]): Row[] {
  const keys = runs.map(({ steps }) => keysOf(steps));
  const places = keys.map((own) => new Map(own.map((key, at) => [key, at])));
  const next = runs.map(() => 0);
  const rows: Row[] = [];
  /** Whether no other side comes to it later, so that it waits for nobody. */
  const isDue = (key: string): boolean =>
    places.every((own, side) => (own.get(key) ?? -1) <= next[side]!);
  for (;;) {
    const heads = keys.flatMap((own, side) => own[next[side]!] ?? []);
    const head = heads.find(isDue) ?? heads[0];
    if (head === undefined) return rows;
    const row = keys.map((own, side) => (own[next[side]!] === head ? next[side]! : null));
    row.forEach((at, side) => {
      if (at !== null) next[side]! += 1;
    });
    rows.push(row);
  }
}

function keysOf(steps: readonly RunStep[]): string[] {
  const seen = new Map<string, number>();
  return steps.map(({ action, actor, cpu, at }) => {
    const key = `${action} ${actor} ${cpu} ${at}`;
    const occurrence = (seen.get(key) ?? 0) + 1;
    seen.set(key, occurrence);
    return `${key} ${occurrence}`;
  });
}

/** What differs, in the order of the run. What a difference leaves behind is not told again at every step. */
export function differencesOf(runs: readonly RunRecord[], rows: readonly Row[]): RunDifference[] {
  const differences: RunDifference[] = [];
  const told = { state: new Map<number, string>(), verdict: new Map<number, string>() };
  const stopped = runs.map(() => false);
  for (const row of rows) {
    const steps = row.map((at, side) => (at === null ? null : runs[side]!.steps[at]!));
    const here = steps.find((step) => step !== null)!;
    const place = { action: here.action, actor: here.actor, cpu: here.cpu, at: here.at };
    for (const [side, { refused }] of runs.entries()) {
      if (refused === null || stopped[side] || steps[side] !== null) continue;
      if (here.action < refused.action) continue;
      stopped[side] = true;
      differences.push({
        kind: 'control',
        ...place,
        index: [...row],
        refused: { side, detail: refused.detail },
      });
    }
    if (steps.some((step, side) => step === null && !stopped[side])) {
      differences.push({ kind: 'control', ...place, index: [...row] });
      continue;
    }
    const there = steps.filter((step) => step !== null);
    if (there.length < 2) continue;
    if (!allEqual(there.map(({ writes }) => writes.map(writeKey).join()))) {
      differences.push({ kind: 'write', ...place, index: [...row] });
    }
    const registers = registersApart(runs, row);
    if (isNews(told.state, here.cpu, registers)) {
      differences.push({ kind: 'state', ...place, index: [...row], registers });
    }
    const violated = allEqual(there.map((step) => step.violated.join()))
      ? []
      : steps.map((step) => step?.violated ?? []);
    if (isNews(told.verdict, here.cpu, violated)) {
      differences.push({ kind: 'verdict', ...place, index: [...row], violated });
    }
  }
  // A side that was refused when the others had no more steps to make.
  for (const [side, { refused }] of runs.entries()) {
    if (refused === null || stopped[side]) continue;
    const place = { action: refused.action, actor: null, cpu: null, at: null };
    differences.push({
      kind: 'control',
      ...place,
      index: runs.map(() => null),
      refused: { side, detail: refused.detail },
    });
  }
  return differences;
}

function writeKey({ msr, via, value }: RunStep['writes'][number]): string {
  return `${msr} ${via} ${value}`;
}

/** The registers of the CPU that are not the same on every side that is there. */
function registersApart(
  runs: readonly RunRecord[],
  row: Row,
): NonNullable<RunDifference['registers']> {
  const sides = row.map((at, side) => (at === null ? null : runs[side]!.registers[at]!));
  const names = new Map(sides.flatMap((side) => [...(side ?? [])]));
  return [...names].flatMap(([name, { msr, field }]) => {
    const values = sides.map((side) => side?.get(name)?.value ?? null);
    const there = values.filter((_, side) => sides[side] !== null);
    return allEqual(there) ? [] : [{ msr, field, values }];
  });
}

function allEqual(values: readonly unknown[]): boolean {
  return values.every((value) => value === values[0]);
}

/** Whether it is something else than what was told last of this CPU, and not nothing. */
function isNews(told: Map<number, string>, cpu: number, found: readonly unknown[]): boolean {
  const text = JSON.stringify(found);
  const isOld = (told.get(cpu) ?? '[]') === text;
  told.set(cpu, text);
  return !isOld && found.length > 0;
}

/** The first difference of each kind: the numbers of its step on both sides. */
export function firstOf(
  differences: readonly RunDifference[],
): Record<RunDifference['kind'], (number | null)[] | null> {
  const first = (kind: RunDifference['kind']) =>
    differences.find((difference) => difference.kind === kind)?.index ?? null;
  return {
    control: first('control'),
    write: first('write'),
    state: first('state'),
    verdict: first('verdict'),
  };
}
