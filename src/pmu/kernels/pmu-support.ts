/**
 * What a kernel makes of a CPU model: which models it knows, which flags it sets for them, and what its KVM offers a guest
 * there. Flags, platform class and the rules for precise events follow from kernel and model together.
 *
 * Models: `intel_pmu_init`, `intel_ds_init`, `x86_pmu_max_precise` and the `*_get_event_constraints` of Linux
 * arch/x86/events; `vmx_pebs_supported`, `vmx_pebs_{pdir,pdist}_cpu`, `intel_pmu_refresh`, `intel_pmu_reset` of
 * arch/x86/kvm. Source: semantics.md §2.2 to §2.4, and §7.9.
 * Leaves out: where the handler rewrites LVTPC (`late_ack`), and the PDist counters of CPUID.23H.
 */
import {
  type CounterSet,
  FIXED_BIT,
  fixed,
  fromU64,
  generalPurpose,
  PEBS_VIA_PT,
  PERF_METRICS,
  type U64,
  VLBR,
} from '../arch/counter-set.js';
import {
  ARCH_PEBS_FORMAT,
  type CpuModel,
  type IsolationMicrocode,
  intelCtrl,
  isIsolated,
  type PlatformClass,
  type PmuCaps,
  type PreciseRules,
  platformClass,
} from '../arch/cpu-model.js';
import { PEBS_DATA_CFG, PEBS_ENABLE, SWITCHED_MSRS } from '../arch/msr.js';
import { PEBS_UPDATE_DS_SW } from '../perf/data-cfg.js';
import { casesOf, type Release } from './model-cases.js';

export interface PmuSupport {
  /** The release this was read in, or of which it is thought to be the same. */
  readonly release: string;
  readonly certainty: 'read' | 'derived';
  /** Models with a case of their own, and its line in `intel_pmu_init()` where that was read. */
  readonly cases: ReadonlyMap<string, number | null>;
  /** Models whose case sets `pebs_ept`. */
  readonly eptModels: readonly string[];
  /** The first PEBS format that sets `pebs_ept` by itself; null: none does. */
  readonly eptFromFormat: number | null;
  /** The last DS-based PEBS format it knows. */
  readonly dsFormatMax: number;
  /** It drives architectural PEBS (format 15); otherwise that format is unknown to it, and the CPU has no PEBS. */
  readonly archPebs: boolean;
  /** Counters that can do PEBS before adaptive PEBS (`pebs_capable`, once PEBS_COUNTER_MASK), as their number. */
  readonly pebsCounters: number;
  /** Pseudo counters on which perf takes a precise event, though none can make a record. */
  readonly pebsPseudo: CounterSet;
  /** Families whose isolation table differs from the model's own row. */
  readonly isolationMicrocode?: Readonly<Record<string, readonly IsolationMicrocode[]>>;
  /** Models on which KVM's event for guest PMC0, or for guest FIXED0, has precise_ip 3 while the guest uses PEBS on it. */
  readonly guestPrecise3: { readonly pmc0: readonly string[]; readonly fixed0: readonly string[] };
  /** What a vCPU's IA32_PERF_GLOBAL_CTRL holds before its guest writes it. */
  readonly guestGlobalCtrl: 'zero' | 'general_purpose';
  /** Guests are shown PEBS_BASELINE: MSR_PEBS_DATA_CFG exists for them, and PEBS on fixed counters. */
  readonly guestAdaptivePebs: boolean;
}

/** What 6.1.x has: guest PEBS on Ice Lake-SP only, no model after Alder Lake. */
function linux61(release: '6.1.187' | '6.1.192'): PmuSupport {
  return {
    release,
    certainty: 'read',
    cases: casesOf(release),
    eptModels: ['ice-lake-sp'],
    eptFromFormat: null,
    dsFormatMax: 5,
    archPebs: false,
    pebsCounters: 32,
    // A metrics event with other bits above its code passes as precise: reported in June 2025, and in every source read.
    pebsPseudo: PERF_METRICS,
    guestPrecise3: { pmc0: [], fixed0: ['ice-lake-sp'] },
    guestGlobalCtrl: 'zero',
    guestAdaptivePebs: false,
  };
}

/** What 6.12.x has, and 7.x but for architectural PEBS. */
function linux612(release: Release): PmuSupport {
  return {
    ...linux61('6.1.192'),
    release,
    cases: casesOf(release),
    eptModels: ['ice-lake-sp', 'sapphire-rapids', 'emerald-rapids', 'granite-rapids'],
    eptFromFormat: 5,
    dsFormatMax: 6,
    guestPrecise3: {
      pmc0: ['sapphire-rapids'],
      fixed0: ['ice-lake-sp', 'sapphire-rapids'],
    },
    guestGlobalCtrl: 'general_purpose',
  };
}

function linux7(release: '7.2.6' | '7.3.4'): PmuSupport {
  const before = linux612(release);
  return { ...before, eptModels: [...before.eptModels, 'diamond-rapids'], archPebs: true };
}

export const SUPPORT: Readonly<Record<Release, PmuSupport>> = {
  '6.1.187': linux61('6.1.187'),
  '6.1.192': linux61('6.1.192'),
  '6.12.107': linux612('6.12.107'),
  '6.12.117': linux612('6.12.117'),
  '7.2.6': linux7('7.2.6'),
  '7.3.4': linux7('7.3.4'),
};

/** The support of a release that was not read, as a change to one that was. */
export function derivedSupport(from: PmuSupport, changes: Partial<PmuSupport> = {}): PmuSupport {
  const known = changes.cases ?? from.cases;
  return {
    ...from,
    ...changes,
    certainty: 'derived',
    cases: new Map([...known.keys()].map((model) => [model, null])),
  };
}

/** Where precise_ip 3 may go on the models that bind it to a counter, in every kernel that knows the model. */
const FIXED0 = 1 << FIXED_BIT;
const ANYWHERE = -1;
const ICE_LAKE = { instructions: FIXED0, others: ANYWHERE };
const GOLDEN_COVE = { instructions: FIXED0, others: generalPurpose(1) };
const CRESTMONT = { instructions: FIXED0 | generalPurpose(2), others: generalPurpose(2) };
const PRECISE_3: Readonly<Record<string, Omit<PreciseRules, 'max'>>> = {
  'ice-lake-sp': ICE_LAKE,
  'ice-lake': ICE_LAKE,
  'sapphire-rapids': GOLDEN_COVE,
  'emerald-rapids': GOLDEN_COVE,
  'granite-rapids': GOLDEN_COVE,
  'diamond-rapids': GOLDEN_COVE,
  'alder-lake-p': GOLDEN_COVE,
  'sierra-forest': CRESTMONT,
};

/** The rules where no model is known and no event is opened: a calculation from raw flags. */
export const ANY_PRECISE: PreciseRules = { max: 3, instructions: ANYWHERE, others: ANYWHERE };

/** The part of a kernel that is asked here. */
export interface Supporting {
  readonly support: PmuSupport;
}

type PebsKind = 'ds' | 'arch' | 'none';

/** The PEBS that the kernel finds on the model. */
export function pebsKind({ support }: Supporting, { pebs }: CpuModel): PebsKind {
  if (pebs.format === ARCH_PEBS_FORMAT) {
    return support.archPebs ? 'arch' : 'none';
  }
  return pebs.format <= support.dsFormatMax ? 'ds' : 'none';
}

/** `pebs_capable`. Before adaptive PEBS the bits from 32 on are load latency and precise store, not counters. */
export function pebsCapable(kernel: Supporting, model: CpuModel): U64 {
  if (model.pebs.baseline || pebsKind(kernel, model) === 'arch') {
    return { hi: 0xffffffff, lo: 0xffffffff };
  }
  return { hi: 0, lo: 2 ** kernel.support.pebsCounters - 1 };
}

/** The flags that the kernel sets on the model. */
export function capsOf(kernel: Supporting, model: CpuModel): PmuCaps {
  const { support } = kernel;
  const kind = pebsKind(kernel, model);
  const pebsBaseline = kind === 'ds' && model.pebs.baseline;
  const byFormat =
    kind === 'ds' && support.eptFromFormat !== null && model.pebs.format >= support.eptFromFormat;
  return {
    dsPebs: kind === 'ds',
    pebsEnableMsr: model.pebs.format !== ARCH_PEBS_FORMAT,
    pebsEpt: byFormat || support.eptModels.includes(model.id),
    pebsBaseline,
    loadPerfGlobalCtrl: model.loadPerfGlobalCtrl,
    pebsCapable: fromU64(pebsCapable(kernel, model)).set,
    intelCtrl: intelCtrl(model),
    pebsPseudo: kind === 'ds' ? support.pebsPseudo & pseudoCounters(model) : 0,
    reserved: reservedBits(model),
    precise: preciseRules(kernel, model, kind),
  };
}

/** The pseudo counters that perf schedules events on, on the model. */
function pseudoCounters({ perfMetrics }: CpuModel): CounterSet {
  return VLBR | (perfMetrics ? PERF_METRICS : 0);
}

/** What the switched MSRs do not have, as far as software could ever write it. */
function reservedBits(model: CpuModel): number[] {
  const reserved = new Array<number>(SWITCHED_MSRS).fill(0);
  reserved[PEBS_ENABLE] = ~pebsEnableBits(model);
  reserved[PEBS_DATA_CFG] = PEBS_UPDATE_DS_SW;
  return reserved;
}

/** The bits that IA32_PEBS_ENABLE has: without adaptive PEBS those of fixed counters are load latency. */
function pebsEnableBits({
  generalPurpose: counters,
  fixed: fixedCounters,
  pebs,
}: CpuModel): CounterSet {
  const upper = fixed(pebs.baseline ? fixedCounters : counters);
  return generalPurpose(counters) | upper | PEBS_VIA_PT;
}

function preciseRules({ support }: Supporting, model: CpuModel, kind: PebsKind): PreciseRules {
  if (kind === 'none') {
    return { ...ANY_PRECISE, max: 0 };
  }
  // The generic branch sets no `pebs_prec_dist`.
  const max = support.cases.has(model.id) ? 3 : 2;
  return { ...(PRECISE_3[model.id] ?? ANY_PRECISE), max };
}

/** `!pebs_no_isolation`: by the model's own table, or by the kernel's where that is another. */
export function isIsolatedOn(
  { support }: Supporting,
  model: CpuModel,
  stepping = model.defaultStepping,
  microcode = 0,
): boolean {
  const isolationMicrocode = support.isolationMicrocode?.[model.id] ?? model.isolationMicrocode;
  return isIsolated({ ...model, isolationMicrocode }, stepping, microcode);
}

/** What a kernel makes of a model, and how that is known. */
export interface ModelOnKernel {
  readonly platformClass: PlatformClass;
  readonly pebs: PebsKind;
  readonly caps: PmuCaps;
  /** The kernel has a case for the model. */
  readonly known: boolean;
  readonly certainty: 'read' | 'derived';
  readonly source: string;
}

export function modelOnKernel(kernel: Supporting, model: CpuModel): ModelOnKernel {
  const { support } = kernel;
  const caps = capsOf(kernel, model);
  const line = support.cases.get(model.id);
  return {
    platformClass: platformClass(caps, isIsolatedOn(kernel, model)),
    pebs: pebsKind(kernel, model),
    caps,
    known: line !== undefined,
    certainty: restsOnFormat(support, model) ? 'derived' : support.certainty,
    source: sourceOf(support, line),
  };
}

/** Whether another PEBS format than the one assumed for the model could make it another class. */
function restsOnFormat({ eptModels }: PmuSupport, model: CpuModel): boolean {
  return model.pebs.formatAssumed === true && !eptModels.includes(model.id);
}

function sourceOf({ release, certainty }: PmuSupport, line: number | null | undefined): string {
  if (certainty === 'derived') {
    return `thought to be as in Linux ${release}, ${line === undefined ? 'generic branch' : 'which has a case for it'}`;
  }
  const file = `Linux ${release} arch/x86/events/intel/core.c`;
  return line == null ? `${file} intel_pmu_init(), generic branch` : `${file}:${line}`;
}
