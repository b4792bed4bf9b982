/**
 * What a machine is, by its facts: its CPU model and kernel, whether its CPUs isolate PEBS, and so whether KVM loads
 * IA32_PEBS_ENABLE at VM-entry and VM-exit. Several models and kernels may fit the facts: only what they have in common is said.
 */
import { type CpuModel, type PlatformClass, platformClass } from '../pmu/arch/cpu-model.js';
import { findCpuModel } from '../pmu/arch/cpu-models.js';
import { switchesPebsEnable } from '../pmu/kernels/listed.js';
import { capsOf } from '../pmu/kernels/pmu-support.js';
import type { FactsBook } from './facts-book.js';
import { isolations, type MachineCpu, machineCpu } from './machine-cpu.js';
import { type MachineKernel, machineKernel } from './machine-kernel.js';
import { differences } from './rules/differences.js';
import { notApplicable, ofOneMachine } from './rules/r5-not-applicable.js';
import type { FixState, IdentityFinding, ObservedPath } from './vocabulary.js';

export interface Identity {
  /** Id of the catalogue's. */
  readonly cpu_model: string | null;
  readonly platform_class: PlatformClass | null;
  readonly isolation: boolean | null;
  readonly pebs_ept: boolean | null;
  /** Id of the catalogue's kernel that behaves most like the machine's. */
  readonly nearest_kernel: string | null;
  readonly fix_state: FixState;
  readonly predicted_path: ObservedPath;
  /** Nothing that was found makes the prediction doubtful. */
  readonly certain: boolean;
  readonly findings: readonly { readonly rule: IdentityFinding; readonly text: string }[];
  readonly reasons: readonly string[];
  /** Names of what would tell more. */
  readonly missing: readonly string[];
}

/** `commits`: ids that somebody says the kernel has. */
export function identify(facts: FactsBook, commits: readonly string[] = []): Identity {
  const cpu = machineCpu(facts);
  const kernel = machineKernel(facts, commits);
  const inapplicable = whyNotApplicable(facts);
  const findings = findingsOf(facts, inapplicable);
  const common = {
    nearest_kernel: kernel.nearest?.id ?? null,
    fix_state: kernel.fixState,
    certain: findings.every(({ rule }) => rule === 'R5'),
    findings,
  };
  if (inapplicable.length > 0) {
    return {
      cpu_model: modelId(cpu),
      platform_class: null,
      isolation: null,
      pebs_ept: null,
      ...common,
      predicted_path: 'none',
      reasons: [...inapplicable, ...kernel.reasons],
      missing: [],
    };
  }
  const fitting = fittingWorlds(cpu, kernel);
  const isolation = agreed(fitting.map((world) => world.isolated));
  const ept = agreed(fitting.map((world) => world.ept));
  const path = agreed(fitting.map((world) => world.path)) ?? 'unknown';
  return {
    cpu_model: modelId(cpu),
    platform_class: agreed(fitting.map((world) => world.platformClass)),
    isolation,
    pebs_ept: ept,
    ...common,
    predicted_path: path,
    reasons: [
      ...cpuReasons(cpu, isolation, ept),
      ...kernel.reasons,
      ...nearestReasons(kernel),
      pathReason(path, isolation),
    ],
    missing: [...missingOfCpu(facts, cpu, isolation, ept), ...kernel.missing],
  };
}

/** One way in which the facts may be true. */
interface World {
  readonly isolated: boolean;
  readonly ept: boolean;
  readonly platformClass: PlatformClass;
  readonly path: ObservedPath;
}

function fittingWorlds(cpu: MachineCpu, { candidates }: MachineKernel): World[] {
  return candidates.flatMap((kernel) =>
    cpu.models.flatMap((model) => {
      const caps = capsOf(kernel, model);
      return isolations(kernel, model, cpu).map((isolated) => ({
        isolated,
        ept: caps.pebsEpt,
        platformClass: platformClass(caps, isolated),
        path: switchesPebsEnable(kernel, caps, !isolated)
          ? ('autoload' as const)
          : ('none' as const),
      }));
    }),
  );
}

function agreed<Value>(values: readonly Value[]): Value | null {
  const [first] = values;
  return first !== undefined && values.every((value) => value === first) ? first : null;
}

function whyNotApplicable(facts: FactsBook): string[] {
  if (!ofOneMachine(facts)) return [];
  const found = notApplicable(facts).map(({ text }) => text);
  const vendor = facts.value('cpu_vendor');
  if (found.length > 0 || vendor === null || vendor === 'GenuineIntel') return found;
  return [`Not applicable: the CPUs are no Intel CPUs (${vendor}).`];
}

function findingsOf(facts: FactsBook, inapplicable: readonly string[]): Identity['findings'] {
  const hypervisor = facts.has('hypervisor')
    ? [
        {
          rule: 'hypervisor' as const,
          text: 'The machine is itself a guest: its microcode may be made up, and its kernel goes by it all the same.',
        },
      ]
    : [];
  return [
    ...inapplicable.map((text) => ({ rule: 'R5' as const, text })),
    ...hypervisor,
    ...differences(facts).map(({ rule, text }) => ({ rule: rule as IdentityFinding, text })),
  ];
}

/** Two fitting models of the catalogue are none. */
function modelId({ models }: MachineCpu): string | null {
  const ids = new Set(models.map(({ id }) => id));
  const [id] = ids;
  return id === undefined || ids.size > 1 ? null : (findCpuModel(id)?.id ?? null);
}

function cpuReasons(
  { models, stepping, microcode }: MachineCpu,
  isolation: boolean | null,
  ept: boolean | null,
): string[] {
  const [model] = models;
  if (model === undefined) return ['Which model the CPU is, is not known.'];
  const titles = [...new Set(models.map(({ title }) => title))];
  const reasons = [`The CPU is ${titles.join(' or ')}.`];
  if (titles.length > 1) return [...reasons, 'They have one model number: the stepping decides.'];
  if (isolation === null) {
    reasons.push('Whether it isolates PEBS depends on its stepping and microcode.');
  } else {
    const not = isolation ? '' : ' not';
    reasons.push(`PEBS is${not} isolated: ${whyIsolated(model, stepping, microcode)}.`);
  }
  if (ept === null)
    reasons.push('Whether guests may use PEBS depends on the kernel or the PEBS format.');
  else reasons.push(`perf lets ${ept ? '' : 'no '}guests use PEBS on it.`);
  return reasons;
}

function whyIsolated(model: CpuModel, stepping: number | null, microcode: number | null): string {
  const table = model.isolationMicrocode;
  if (table === null) {
    return `version ${model.perfmonVersion} of performance monitoring ${model.perfmonVersion >= 5 ? 'always does' : 'does not without a microcode that is known to'}`;
  }
  if (table.length === 0) return "the kernel's table of microcode has no entry for it";
  const row = table.find((entry) => entry.stepping === stepping);
  if (row === undefined) {
    return stepping === null
      ? 'all its steppings are alike'
      : `the kernel's table of microcode has no stepping ${stepping}`;
  }
  if (row.revision === 0) return `stepping ${stepping} does with any microcode`;
  return `stepping ${stepping} does from microcode ${hex(row.revision)} on, and the boot CPU has ${hex(microcode ?? 0)}`;
}

const hex = (revision: number): string => `0x${revision.toString(16)}`;

function nearestReasons({ nearest, fixState }: MachineKernel): string[] {
  if (nearest === null) return [];
  const by = fixState === 'unknown' ? ' by its number alone' : '';
  return [`The nearest kernel of the catalogue${by} is ${nearest.id}: ${nearest.title}.`];
}

function pathReason(path: ObservedPath, isolation: boolean | null): string {
  switch (path) {
    case 'autoload':
      return isolation === false
        ? 'Without isolation every kernel puts IA32_PEBS_ENABLE into the MSR-load areas.'
        : 'Guests may use PEBS, so the kernel puts IA32_PEBS_ENABLE into the MSR-load areas.';
    case 'none':
      return 'With this CPU the kernel does not put IA32_PEBS_ENABLE into the MSR-load areas.';
    default:
      return 'What is known does not decide whether IA32_PEBS_ENABLE is in the MSR-load areas.';
  }
}

function missingOfCpu(
  facts: FactsBook,
  { models, stepping, microcode }: MachineCpu,
  isolation: boolean | null,
  ept: boolean | null,
): string[] {
  const missing: string[] = [];
  if (models.length === 0) {
    const ofModel = ['cpu_vendor', 'cpu_family', 'cpu_model', 'pmu_version', 'pebs_format'];
    missing.push(...ofModel.filter((name) => facts.value(name) === null));
  } else if (isolation === null || modelId({ models, stepping, microcode }) === null) {
    if (stepping === null) missing.push('cpu_stepping');
    else if (microcode === null && isolation === null) missing.push('microcode');
  }
  const guessed = models.some(({ pebs }) => pebs.formatAssumed);
  if (guessed && ept === null && !facts.has('pebs_format')) missing.push('pebs_format');
  return missing;
}
