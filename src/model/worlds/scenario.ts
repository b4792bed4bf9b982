/** What a named world is, and the pieces that several are made of. */
import type { Verdict } from '../../explorer/result.js';
import type { ActorSpec, VcpuSpec, WorldSpec } from '../world-spec.js';

/** Distinct states, transitions and depth of a scenario, searched in full and without folding; a test compares them. */
export interface ScenarioCounts {
  readonly distinctStates: number;
  readonly totalStates: number;
  readonly depth: number;
}

/** What is known of a scenario; it stands in the scenario's own row. */
export interface Outcome {
  /** By property. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
  readonly counts: ScenarioCounts;
}

export interface Scenario {
  readonly id: string;
  /** What the scenario is called without its CPU model and kernel. */
  readonly world: string;
  readonly title: string;
  readonly model: WorldSpec;
  readonly properties: string[];
  /** By property; empty, and the counts absent, where nothing is known yet. */
  readonly expected: Readonly<Record<string, Verdict>>;
  readonly counts: ScenarioCounts | undefined;
  /** Where it was reported or confirmed. */
  readonly sources: readonly string[];
}

export const HOST_PEBS = {
  counter: 'PMC0',
  precise_ip: 2,
  sample_period: 100003,
  exclude_guest: true,
};
export const HOST_PEBS_1 = { ...HOST_PEBS, counter: 'PMC1' };
export const GUEST_PEBS: VcpuSpec = {
  wrmsr: [
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x0' },
    { msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
    { msr: 'IA32_PEBS_ENABLE', value: '0x1' },
    { msr: 'IA32_PERFEVTSEL0', value: '0x43003c' },
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x1' },
  ],
};
export const GUEST_COUNTING: VcpuSpec = {
  wrmsr: [
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x1' },
    { msr: 'IA32_PERFEVTSEL0', value: '0x43003c' },
  ],
};

export const CLASS_MODELS = {
  K1: 'haswell-x',
  K2: 'ice-lake',
  K3: 'emerald-rapids',
  K4: 'diamond-rapids',
} as const;
export type PlatformClass = keyof typeof CLASS_MODELS;

export function actors(...kinds: ActorSpec['kind'][]): ActorSpec[] {
  return kinds.map((kind) => ({ kind }));
}

/** The id without kernel and class, which a campaign's cell overrides. */
function worldOf(id: string, kernel: string): string {
  return id
    .replace(`-${kernel}`, '')
    .replace(/-k[1-4](?=-|$)/, '')
    .replace(/^matrix-/, 'main-race-');
}

export type Counts = [distinctStates: number, totalStates: number, depth: number];

export function outcome(verdicts: Outcome['verdicts'], ...counts: Counts): Outcome {
  const [distinctStates, totalStates, depth] = counts;
  return { verdicts, counts: { distinctStates, totalStates, depth } };
}

/** A scenario of which nothing is known yet. */
export function newScenario(
  id: string,
  title: string,
  model: WorldSpec,
  properties: readonly string[],
): Scenario {
  return {
    id,
    world: worldOf(id, model.kernel),
    title,
    model,
    properties: [...properties],
    expected: {},
    counts: undefined,
    sources: [],
  };
}

export function scenario(
  id: string,
  title: string,
  model: WorldSpec,
  { verdicts, counts }: Outcome,
  sources: readonly string[] = [],
): Scenario {
  return {
    ...newScenario(id, title, model, Object.keys(verdicts)),
    expected: verdicts,
    counts,
    sources,
  };
}

/** The same on several kernels, one scenario each; who names the kernels as a type has to name them all. */
export function onKernels<Kernel extends string>(
  id: string,
  title: string,
  model: Omit<WorldSpec, 'kernel'>,
  outcomes: Readonly<Record<Kernel, Outcome>>,
): Scenario[] {
  return Object.entries<Outcome>(outcomes).map(([kernel, known]) =>
    scenario(`${id}-${kernel}`, `${title}, on ${kernel}`, { ...model, kernel }, known),
  );
}

/** The same on CPUs of several classes, one scenario each. */
export function onClasses(
  id: string,
  title: string,
  model: Omit<WorldSpec, 'cpu_model'>,
  outcomes: Readonly<Partial<Record<PlatformClass, Outcome>>>,
  sources: readonly string[] = [],
): Scenario[] {
  return Object.entries(outcomes).map(([name, known]) => {
    const cpu_model = CLASS_MODELS[name as PlatformClass];
    const ofClass = `${id}-${name.toLowerCase()}`;
    return scenario(ofClass, `${title}, ${name}`, { ...model, cpu_model }, known, sources);
  });
}
