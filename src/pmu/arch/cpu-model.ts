/**
 * What a CPU model is, and the flags that perf and KVM go by. Which flags a kernel sets for a model is the kernel's affair:
 * `kernels/pmu-support.ts`.
 *
 * Models: Linux arch/x86/events/intel/{core,ds}.c (`x86_pmu` flags, `intel_check_pebs_isolation`), semantics.md §2.1. The
 * rows are in `cpu-models.ts`.
 */
import type { PlatformClass } from '../vocabulary.js';
import { type CounterSet, fixed, generalPurpose, PERF_METRICS } from './counter-set.js';

/** One microcode entry: PEBS is isolated at this stepping from this revision on. */
export interface IsolationMicrocode {
  readonly stepping: number;
  readonly revision: number;
}

/** The format in IA32_PERF_CAPABILITIES that stands for architectural PEBS. */
export const ARCH_PEBS_FORMAT = 15;

/** A row of the table of CPU models: hardware, whatever the kernel makes of it. */
export interface CpuModel {
  readonly id: string;
  readonly title: string;
  /** CPUID display family and model. */
  readonly family: number;
  readonly model: number;
  /** More model numbers that the kernel treats alike: client and mobile parts, the -D of a server part. */
  readonly otherModels?: readonly number[];
  /** Where another row has the same number, the steppings that are of this one. */
  readonly steppings?: readonly number[];
  readonly defaultStepping: number;
  readonly perfmonVersion: number;
  /** Counters per logical CPU with hyper-threading on. */
  readonly generalPurpose: number;
  readonly fixed: number;
  readonly perfMetrics: boolean;
  readonly pebs: {
    /** IA32_PERF_CAPABILITIES.PEBS_REC_FMT. */
    readonly format: number;
    /** The format is a guess; one of 4 to 6. */
    readonly formatAssumed?: boolean;
    /** IA32_PERF_CAPABILITIES.PEBS_BASELINE: adaptive records, PEBS on every counter. */
    readonly baseline: boolean;
  };
  /** Families that run the microcode quirk have a table, possibly an empty one; others have none. */
  readonly isolationMicrocode: readonly IsolationMicrocode[] | null;
  /** VM-entry and VM-exit controls "load IA32_PERF_GLOBAL_CTRL" can be used. */
  readonly loadPerfGlobalCtrl: boolean;
  /** KVM offers no vPMU on hybrid parts. */
  readonly hybrid: boolean;
  readonly sources: readonly string[];
}

/** Which precise events perf takes (`x86_pmu_max_precise`), and where those of precise_ip 3 may go. */
export interface PreciseRules {
  /** The highest precise_ip; above it perf says EOPNOTSUPP. */
  readonly max: number;
  /** For precise_ip 3 of the instructions event, the one of fixed counter 0. */
  readonly instructions: CounterSet;
  /** For precise_ip 3 of any other event: what its own constraint is cut down to. */
  readonly others: CounterSet;
}

/** The flags of `x86_pmu` and the VMX capability that the switch functions and KVM read. */
export interface PmuCaps {
  /** `x86_pmu.ds_pebs` (`x86_pmu.pebs` before arch-PEBS). */
  readonly dsPebs: boolean;
  /** IA32_PEBS_ENABLE exists: not on CPUs with arch-PEBS, which enable PEBS counter by counter. */
  readonly pebsEnableMsr: boolean;
  readonly pebsEpt: boolean;
  readonly pebsBaseline: boolean;
  readonly loadPerfGlobalCtrl: boolean;
  readonly pebsCapable: CounterSet;
  /** Pseudo counters on which perf lets an event be precise, by mistake. */
  readonly pebsPseudo: CounterSet;
  /** By code of a switched MSR: the bits it does not have. Writing one is a #GP, loading one at VM-exit a VMX abort. */
  readonly reserved: readonly number[];
  /** `intel_ctrl`: every counter perf may use. */
  readonly intelCtrl: CounterSet;
  readonly precise: PreciseRules;
}

/** K1 no isolation; K2 isolation without EPT-friendly PEBS; K3 with; K4 no DS-based PEBS: architectural PEBS, or none. */
export type { PlatformClass };

/** Whether a counter stopped before VM-entry can still write no record in the guest (`!pebs_no_isolation`). */
export function isIsolated(model: CpuModel, stepping: number, microcode: number): boolean {
  if (model.isolationMicrocode === null) {
    return model.perfmonVersion >= 5;
  }
  return model.isolationMicrocode.some(
    (entry) => entry.stepping === stepping && microcode >= entry.revision,
  );
}

/** `intel_ctrl` of the model. */
export function intelCtrl(model: CpuModel): CounterSet {
  return (
    generalPurpose(model.generalPurpose) |
    fixed(model.fixed) |
    (model.perfMetrics ? PERF_METRICS : 0)
  );
}

/** The class of §2.1, derived from the flags. */
export function platformClass(
  caps: Pick<PmuCaps, 'dsPebs' | 'pebsEpt'>,
  isolated: boolean,
): PlatformClass {
  if (!caps.dsPebs) {
    return 'K4';
  }
  if (!isolated) {
    return 'K1';
  }
  return caps.pebsEpt ? 'K3' : 'K2';
}
