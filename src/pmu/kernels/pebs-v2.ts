/**
 * The second posting, patch by patch: entries that need no switching are returned with guest equal to host, so that KVM
 * clears them.
 *
 * Source: semantics.md §0 and §5c, derived from the v2 cover letter; the patch bodies were not found.
 */
import type { CounterSet } from '../arch/counter-set.js';
import type { SwitchInput } from '../perf/guest-switch.js';
import type { SwitchList } from '../perf/switch-list.js';
import { linux726 } from './before-series.js';
import { type KernelVariant, MAINLINE_2026, type Patch } from './kernel-variant.js';
import { runGuestPebs } from './pebs-v1.js';
import { addDsAndDataCfg, completeWithoutGuestPebs } from './switch-branches.js';

const PATCHES: readonly Patch[] = [
  {
    n: 1,
    title: "Don't write PEBS_ENABLED on host<=>guest xfers if CPU has isolation",
    behavioural: true,
  },
  {
    n: 2,
    title: "Don't write DS_AREA and PEBS_DATA_CFG if the guest uses no PEBS",
    behavioural: true,
  },
  { n: 3, title: 'Make @data a mandatory parameter of perf_guest_get_msrs()', behavioural: false },
  { n: 4, title: 'Hand guest PEBS state to perf in a structure', behavioural: false },
];

/** Patch 1 alone: IA32_PEBS_ENABLE is gone, the other two are switched as before. */
function afterFirstPatch(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input)) {
    return 0;
  }
  addDsAndDataCfg(list, input, input.cpuc.activePebsDataCfg, input.guest);
  return runGuestPebs(list, input);
}

function afterSecondPatch(list: SwitchList, input: SwitchInput): CounterSet {
  if (completeWithoutGuestPebs(list, input)) {
    return 0;
  }
  const guestPebs = runGuestPebs(list, input);
  addDsAndDataCfg(list, input, input.cpuc.activePebsDataCfg, guestPebs === 0 ? null : input.guest);
  return guestPebs;
}

function upTo(n: number): KernelVariant {
  const first = n === 1;
  return {
    id: `pebs-v2-${n}of4`,
    ...(n === 4 ? { aliases: ['pebs-v2'] } : {}),
    title: `perf/x86: Don't write PEBS_ENABLED on KVM transitions, v2, patches 1 to ${n} of 4`,
    summary: first
      ? 'IA32_PEBS_ENABLE is not switched with isolation; IA32_DS_AREA and MSR_PEBS_DATA_CFG still are for every vCPU.'
      : 'IA32_PEBS_ENABLE is not switched with isolation; IA32_DS_AREA and MSR_PEBS_DATA_CFG only while the guest uses PEBS, and are cleared otherwise.',
    date: '2026-04-23',
    base: n === 1 ? linux726.id : `pebs-v2-${n - 1}of4`,
    patches: PATCHES.slice(0, n),
    certainty: 'derived',
    options: MAINLINE_2026,
    support: linux726.support,
    formulas: {
      IA32_PERF_GLOBAL_CTRL: 'I & ~GM / host PEBS ? G0 : (G0 & ~xm) | gp',
      IA32_DS_AREA: first ? 'ds / guest DS_AREA' : 'ds / gp ? guest DS_AREA : ds',
      MSR_PEBS_DATA_CFG: first
        ? 'active_pebs_data_cfg / guest PEBS_DATA_CFG'
        : 'active_pebs_data_cfg / gp ? guest PEBS_DATA_CFG : active_pebs_data_cfg',
    },
    finishList: first ? afterFirstPatch : afterSecondPatch,
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'v2 cover letter, 23 Apr 2026, lkml.iu.edu/2604.2/11058',
      'src/pmu/semantics.md §5c',
    ],
  };
}

export const pebsV2: readonly KernelVariant[] = [1, 2, 3, 4].map(upTo);
