/** Both runs over the aligned steps as one, for the timeline: each bit as hardware has it and as perf wants it on A, then on B. */
import { type Lane, lanesOf } from '../timeline/lanes.js';
import { decode, type Run, type Step, UNTOLD } from '../timeline/run.js';
import type { Row, RunStep } from './rows.js';
import type { Comparison } from './source.js';

/** `first` is the row where they part; negative if they never do. */
export function bothRuns({ sides }: Comparison, rows: readonly Row[], first: number) {
  const runs = sides.map(({ registers_before = [] }, side) =>
    decode(
      registers_before,
      rows.map(({ steps }) => stepOf(steps[side])),
    ),
  );
  const all = new Map(runs.flatMap((run) => lanesOf(run).map((lane) => [lane.id, lane])));
  const violations = runs.flatMap(({ firstViolation }) => firstViolation ?? []);
  const run: Run = {
    steps: rows.map(({ steps: [a, b] }) => stepOf(a ?? b)),
    registers: [],
    pointOfNoReturn: undefined,
    firstViolation: violations.length === 0 ? undefined : Math.min(...violations),
    parting: first < 0 ? undefined : first + 1,
  };
  return { run, lanes: [...all.values()].flatMap((lane) => bothOf(lane, runs)) };
}

/** A step that a side does not make changes nothing there. */
function stepOf(step: RunStep | undefined): Step {
  const { actor = 'host', cpu = 0, at, writes = [], violated = [], changed = [] } = step ?? {};
  return {
    ...UNTOLD,
    actor,
    cpu,
    at,
    action: at ?? '',
    writes,
    violated,
    isQuiet: writes.length === 0,
    before: changed.map(({ cpu, ...one }) => ({ cpu, msrs: [one] })),
  };
}

function bothOf(lane: Lane, runs: readonly Run[]): Lane[] {
  if (lane.kind === 'text') return [];
  const group = lane.kind === 'bit' ? `${lane.group} ${lane.label}` : lane.group;
  return runs.flatMap(({ registers }, side) => {
    const register = registers.find(
      ({ cpu, msr }) => cpu === lane.register.cpu && msr === lane.register.msr,
    );
    const label = 'AB'[side]!;
    return register === undefined ? [] : [{ ...lane, id: label + lane.id, group, label, register }];
  });
}
