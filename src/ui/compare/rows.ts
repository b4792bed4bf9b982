/** The two runs step beside step: a step that only one side makes leaves a gap on the other. */
import type { Api } from '../api/client.js';
import type { Comparison } from './source.js';

export type Difference = Api['RunDifference'];
export type RunStep = Api['RunStep'];

export interface Row {
  /** The step on each side, from 0; undefined is a gap. */
  readonly at: readonly [number | undefined, number | undefined];
  readonly steps: readonly [RunStep | undefined, RunStep | undefined];
  readonly differences: readonly Difference[];
}

export function rowsOf({ sides, differences }: Comparison): Row[] {
  const [a = [], b = []] = sides.map(({ steps }) => steps);
  const byStep = new Map<string, Difference[]>();
  for (const difference of differences) {
    const key = difference.index.slice(0, 2).join();
    byStep.set(key, [...(byStep.get(key) ?? []), difference]);
  }
  const gapIn = (side: 0 | 1, at: number): boolean => {
    const key = side === 0 ? `,${at}` : `${at},`;
    return byStep.get(key)?.some(({ kind }) => kind === 'control') ?? false;
  };
  const rows: Row[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const isOnlyA = i < a.length && (j >= b.length || gapIn(1, i));
    const isOnlyB = !isOnlyA && (i >= a.length || gapIn(0, j));
    const at = [isOnlyB ? undefined : i, isOnlyA ? undefined : j] as const;
    rows.push({
      at,
      steps: [isOnlyB ? undefined : a[i], isOnlyA ? undefined : b[j]],
      differences: byStep.get(`${at[0] ?? ''},${at[1] ?? ''}`) ?? [],
    });
    if (!isOnlyB) i += 1;
    if (!isOnlyA) j += 1;
  }
  return rows;
}

export const KINDS = ['control', 'write', 'state', 'verdict'] as const;
export type Kind = (typeof KINDS)[number];

/** What a kind of difference looks like in the gutter; told apart without colour. */
export const MARKS: Readonly<Record<Kind, string>> = {
  control: '▌',
  write: '≠',
  state: '◑',
  verdict: '▲',
};

export function kindsOf({ differences }: Row): Kind[] {
  return KINDS.filter((kind) => differences.some((one) => one.kind === kind));
}

/** The row of the first difference of a kind. */
export function firstRow(rows: readonly Row[], kind: Kind): number | undefined {
  const at = rows.findIndex((row) => kindsOf(row).includes(kind));
  return at < 0 ? undefined : at;
}

export function writesOf(step: RunStep): string {
  return step.writes.map(({ msr, value }) => `${msr}=${plain(value)}`).join(' ');
}

export function plain(hex: string): string {
  return hex.replace(/^0x0+(?=.)/, '0x');
}
