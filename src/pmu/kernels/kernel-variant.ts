/**
 * What a kernel variant is: a pure switch-list function and a few options, with its provenance.
 *
 * Source: semantics.md §0 and §5. Everything else is the same code for every kernel.
 */

import type { SwitchFunction } from '../perf/guest-switch.js';
import type { PerfOptions } from '../perf/perf-event.js';
import type { PmuSupport } from './pmu-support.js';

/** What KVM does around the switch list beyond §4, for the proposals of §5e. */
export interface KvmOptions {
  /**
   * `no`; `write`: IA32_PERF_GLOBAL_CTRL := 0 before the list is built (e1); `pmu_off`: and `enabled := 0` until
   * after the exit loads (e2); `drained`: and wait until no PMI is pending (e3).
   */
  readonly zeroGlobalCtrl: 'no' | 'write' | 'pmu_off' | 'drained';
  /** After the exit loads, IA32_PEBS_ENABLE := what perf wants if the list held anything else (§5e f). */
  readonly postExitFixup: boolean;
}

export type KernelOptions = PerfOptions & KvmOptions;

/** One patch of a series. */
export interface Patch {
  readonly n: number;
  readonly title: string;
  /** Whether it changes what is written to an MSR. */
  readonly behavioural: boolean;
}

export interface KernelVariant {
  readonly id: string;
  /** Other ids that name the same variant. */
  readonly aliases?: readonly string[];
  readonly title: string;
  readonly summary: string;
  /** ISO date of the release, posting or commit. */
  readonly date: string;
  /** The variant this one is a change to. */
  readonly base?: string;
  readonly patches: readonly Patch[];
  /** `read`: from source; `derived`: reasoned from cover letters and push logs. */
  readonly certainty: 'read' | 'derived';
  readonly options: KernelOptions;
  /** What it makes of each CPU model. */
  readonly support: PmuSupport;
  /** The formulas of the list on K3, for people: MSR name → `host / guest`. */
  readonly formulas: Readonly<Record<string, string>>;
  readonly finishList: SwitchFunction;
  readonly sources: readonly string[];
}

/** Plain Linux behaviour of a tree since 6.16. */
export const MAINLINE_2026: KernelOptions = {
  groupThrottle: true,
  tickVisitsSiblings: false,
  idleDisableRunsSection: true,
  adaptiveBitStays: false,
  fixedCtrl: 'reread',
  nmiWritesPebsOnlyIfOn: false,
  enableAllAlwaysWritesPebs: false,
  enableAllRechecksPebs: false,
  nmiComparesPebsLast: false,
  nmiSwitchesPebs: false,
  removalNarrowsDataCfg: false,
  throttlesIdleMembers: false,
  losesMovedEvents: false,
  zeroGlobalCtrl: 'no',
  postExitFixup: false,
};

/** Plain Linux behaviour of the long-term trees before 6.16: throttling stops one event. */
export const BEFORE_6_16: KernelOptions = { ...MAINLINE_2026, groupThrottle: false };

/** After 6.1 and before the tick's walk was changed (posted in November 2023), as far as is known. */
export const BEFORE_ACTIVE_LISTS: KernelOptions = {
  ...BEFORE_6_16,
  tickVisitsSiblings: true,
  adaptiveBitStays: true,
};

/** The 6.1 long-term tree, and what came before it. */
export const BEFORE_6_2: KernelOptions = {
  ...BEFORE_ACTIVE_LISTS,
  idleDisableRunsSection: false,
};
