/** Tests and their results, for the formats in which test systems exchange results. */
import { gravest, type Status } from './status.js';

/** What a test ran on. */
export interface Environment {
  /** One word for the hardware, and what it is compatible with, as device trees say it. */
  readonly platform: string;
  readonly compatible: readonly string[];
  /** The lab, or what else ran it. */
  readonly lab: string;
  readonly machine?: string | undefined;
  /** The release of the kernel; null: not known. */
  readonly kernel: string | null;
  /** The kernel is one of the catalogue's, and so is all that ran on it. */
  readonly simulated?: true;
}

export interface ReportedTest {
  /** Its groups from the outermost on, and its own name. */
  readonly path: readonly string[];
  readonly status: Status;
  /** Why, in a sentence. */
  readonly reason?: string | undefined;
  /** Lines for people. */
  readonly excerpt?: string | undefined;
  readonly duration_seconds?: number | undefined;
  readonly environment: Environment;
  /** What finds it again: a seed, a rule, a CPU. */
  readonly misc?: Readonly<Record<string, string | number>>;
}

export interface Report {
  /** The id of what is reported. */
  readonly id: string;
  /** What people call it, or what it is about. */
  readonly label?: string | undefined;
  readonly started_at: string;
  readonly duration_seconds: number;
  /** What all of its tests have in common. */
  readonly about: Readonly<Record<string, string | number>>;
  readonly tests: readonly ReportedTest[];
}

/** Tests by the first of their groups. */
export interface Group {
  readonly name: string;
  readonly status: Status;
  readonly tests: readonly ReportedTest[];
}

export function groupsOf({ tests }: Report): Group[] {
  const groups = new Map<string, ReportedTest[]>();
  for (const test of tests) {
    const [name = '?'] = test.path;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [test]);
    else group.push(test);
  }
  return [...groups].map(([name, members]) => ({
    name,
    status: gravest(members.map(({ status }) => status)),
    tests: members,
  }));
}

export function words(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** Until now, of what has not ended. */
export function secondsBetween(from: string, to: string | undefined, now: Date): number {
  const end = to === undefined ? now.getTime() : Date.parse(to);
  return Math.max(0, end - Date.parse(from)) / 1000;
}
