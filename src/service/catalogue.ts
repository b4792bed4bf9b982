/** The catalogue as resources: CPU models, kernels, invariants, micro-steps, coverage goals, scenarios. */

import type {
  CoverageGoal as CoverageGoalItem,
  MicroStep as MicroStepItem,
} from '../../schemas/catalogue.js';
import type { CpuModel as CpuModelItem, CpuModelQuery } from '../../schemas/cpu-model.js';
import type { Invariant as InvariantItem } from '../../schemas/invariant.js';
import type {
  Kernel as KernelItem,
  ModelOnKernel as ModelOnKernelItem,
} from '../../schemas/kernel.js';
import type { Scenario as ScenarioItem } from '../../schemas/scenario.js';
import { COVERAGE_GOALS } from '../model/coverage-goals.js';
import type { ScenarioCounts } from '../model/worlds/scenario.js';
import {
  canonicalId,
  MATRIX_SCENARIOS,
  SCENARIOS,
  type Scenario,
} from '../model/worlds/scenarios.js';
import { ARCH_PEBS_FORMAT, type CpuModel, intelCtrl } from '../pmu/arch/cpu-model.js';
import { CPU_MODELS, findCpuModel, isOfModel } from '../pmu/arch/cpu-models.js';
import { COST_SCENARIOS, type CostScenario, setUpOf } from '../pmu/cost-cases/cost-scenarios.js';
import { measureWrites, msrWrites } from '../pmu/cost-cases/write-costs.js';
import { INVARIANTS } from '../pmu/invariants/index.js';
import { linux726 } from '../pmu/kernels/before-series.js';
import { findKernel, KERNELS } from '../pmu/kernels/index.js';
import type { KernelOptions, KernelVariant } from '../pmu/kernels/kernel-variant.js';
import { linux734 } from '../pmu/kernels/landed.js';
import { modelOnKernel, pebsCapable } from '../pmu/kernels/pmu-support.js';
import { nmiMayLandAfter, stepName } from '../pmu/machine/micro-step.js';
import {
  NAMED_STEPS,
  stepSection,
  stepSource,
  stepStatement,
} from '../pmu/machine/step-sources.js';
import { symbolsIn } from '../pmu/symbols.js';
import { openAfter, setUpScript } from './cost-set-up.js';
import { notInCatalogue } from './lookups.js';
import { formatCounterSet, formatU64 } from './wire.js';

export const cpuModels: readonly CpuModelItem[] = CPU_MODELS.map(cpuModelItem);
export const kernels: readonly KernelItem[] = KERNELS.map(kernelItem);
export const invariants: readonly InvariantItem[] = INVARIANTS.map(
  ({ id, statement, predicate, where, sources }) => ({
    id,
    statement,
    predicate,
    symbols: symbolsIn(predicate),
    where,
    sources: [...sources],
  }),
);

export const microSteps: readonly MicroStepItem[] = NAMED_STEPS.map((code) => ({
  id: stepName(code),
  statement: stepStatement(code),
  nmi_may_land_after: nmiMayLandAfter(code),
  sources: [stepSource(code), `src/pmu/semantics.md ${stepSection(code)}`],
}));

export const coverageGoals: readonly CoverageGoalItem[] = COVERAGE_GOALS.map(
  ({ id, statement }) => ({
    id,
    statement,
  }),
);

export const scenarios: readonly ScenarioItem[] = [
  ...COST_SCENARIOS.map(costScenarioItem),
  ...SCENARIOS.map(scenarioItem),
];
export const matrixScenarios: readonly ScenarioItem[] = MATRIX_SCENARIOS.map(scenarioItem);

/** The CPU models that have these numbers, as CPUID gives them. */
export function cpuModelsOf({ family, model, stepping }: CpuModelQuery): readonly CpuModelItem[] {
  const numbers = [family, model, stepping].map(numberIn);
  return cpuModels.filter((_, at) =>
    isOfModel(CPU_MODELS[at]!, numbers[0], numbers[1], numbers[2]),
  );
}

const numberIn = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

/** A world to cost, on the kernel before the series and a CPU model that offers what it is about. */
function costScenarioItem(scenario: CostScenario): ScenarioItem {
  const kernel = linux726;
  const model = findCpuModel(scenario.guestPdist ? 'sapphire-rapids' : 'emerald-rapids');
  if (model === undefined) {
    throw new RangeError('the catalogue lacks what the cost scenarios are counted on');
  }
  const writes = measureWrites(scenario, model, kernel);
  const script = setUpScript(setUpOf(scenario, model, kernel).steps);
  return {
    id: scenario.id,
    world: scenario.id,
    title: scenario.title,
    cpu_model: model.id,
    kernel: kernel.id,
    ...openAfter(script),
    actors: [],
    bounds: {},
    expected: { msr_writes: msrWrites(writes), vmcs_field: writes.vmcs_field },
    sources: ['arch/x86/kvm/vmx/vmx.c atomic_switch_perf_msrs()', 'src/pmu/semantics.md §6'],
    set_up: script,
  };
}

function scenarioItem({
  id,
  world,
  title,
  model,
  expected,
  counts,
  sources,
}: Scenario): ScenarioItem {
  return {
    id,
    world,
    title,
    cpu_model: model.cpu_model,
    kernel: model.kernel,
    events: [...(model.events ?? [])],
    vcpus: [...(model.vcpus ?? [])],
    actors: [...(model.actors ?? [])],
    bounds: {},
    expected: counts === undefined ? {} : expectation(expected, counts),
    ...(sources.length === 0 ? {} : { sources: [...sources] }),
    model,
  };
}

/** The whole is violated if an invariant is; marks, which are witnessed or unreachable, make no difference. */
function expectation(
  properties: Scenario['expected'],
  { distinctStates, totalStates, depth }: ScenarioCounts,
): ScenarioItem['expected'] {
  return {
    verdict: Object.values(properties).includes('violated') ? 'violated' : 'holds',
    properties: { ...properties },
    distinct_states: distinctStates,
    total_states: totalStates,
    depth,
  };
}

/** A scenario by id; in the matrix a kernel's alias will do. */
export function scenarioItemById(id: string): ScenarioItem {
  const canonical = canonicalId(id);
  const ids = scenarios.map((known) => known.id);
  return (
    scenarios.find((known) => known.id === canonical) ??
    notInCatalogue('scenario', id, ids, { canonical })
  );
}

/** A kernel by id or alias. */
export function kernelItemById(id: string): KernelItem | undefined {
  const kernel = findKernel(id);
  return kernel && kernels.find((item) => item.id === kernel.id);
}

function cpuModelItem(model: CpuModel): CpuModelItem {
  // The newest release; a kernel's own list has what is different on others.
  const { caps, platformClass } = modelOnKernel(linux734, model);
  return {
    id: model.id,
    title: model.title,
    family: model.family,
    model: model.model,
    other_models: [...(model.otherModels ?? [])],
    perfmon_version: model.perfmonVersion,
    counters: { general_purpose: model.generalPurpose, fixed: model.fixed },
    intel_ctrl: formatCounterSet(intelCtrl(model)),
    pebs: {
      format: model.pebs.format,
      kind: model.pebs.format === ARCH_PEBS_FORMAT ? 'arch' : 'ds',
      baseline: model.pebs.baseline,
      ept: caps.pebsEpt,
      capable: formatU64(pebsCapable(linux734, model)),
    },
    isolation: {
      default: model.isolationMicrocode === null && model.perfmonVersion >= 5,
      microcode: (model.isolationMicrocode ?? []).map(({ stepping, revision }) => ({
        stepping,
        revision: formatU64({ hi: 0, lo: revision }),
      })),
    },
    load_perf_global_ctrl: model.loadPerfGlobalCtrl,
    platform_class: platformClass,
    sources: [...model.sources],
  };
}

function kernelItem(kernel: KernelVariant): KernelItem {
  return {
    id: kernel.id,
    title: kernel.title,
    summary: kernel.summary,
    date: kernel.date,
    ...(kernel.base === undefined ? {} : { base: kernel.base }),
    patches: kernel.patches.map((patch) => ({ ...patch })),
    certainty: kernel.certainty,
    options: kernelOptionsItem(kernel.options),
    cpu_models: CPU_MODELS.map((model) => modelOnKernelItem(kernel, model)),
    guest_global_ctrl_at_reset: kernel.support.guestGlobalCtrl,
    sources: [...kernel.sources],
  };
}

function modelOnKernelItem(kernel: KernelVariant, model: CpuModel): ModelOnKernelItem {
  const { platformClass, pebs, caps, known, certainty, source } = modelOnKernel(kernel, model);
  return {
    cpu_model: model.id,
    platform_class: platformClass,
    known,
    pebs,
    pebs_ept: caps.pebsEpt,
    precise_ip_max: caps.precise.max,
    certainty,
    source,
  };
}

/** A kernel's options by their wire names. */
function kernelOptionsItem(options: KernelOptions): KernelItem['options'] {
  return {
    group_throttle: options.groupThrottle,
    nmi_writes_pebs_only_if_on: options.nmiWritesPebsOnlyIfOn,
    enable_all_always_writes_pebs: options.enableAllAlwaysWritesPebs,
    nmi_switches_pebs: options.nmiSwitchesPebs,
    removal_narrows_data_cfg: options.removalNarrowsDataCfg,
    throttles_idle_members: options.throttlesIdleMembers,
    loses_moved_events: options.losesMovedEvents,
    zero_global_ctrl: options.zeroGlobalCtrl,
    post_exit_fixup: options.postExitFixup,
  };
}
