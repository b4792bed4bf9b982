/**
 * What has been proposed on top of the landed series for CPUs without isolation: zeroing IA32_PERF_GLOBAL_CTRL before the
 * list is built, in three strengths, and repairing IA32_PEBS_ENABLE after the exit loads; and two candidates of our own for
 * the paths that need no guest (semantics.md §7.6, H1 to H3). All are changes to the newest release, which has every path: group
 * throttling (H1) came with 6.16.
 *
 * Source: semantics.md §5e. Only the one-sentence idea was read (v3 cover letter, quoting Peter Zijlstra).
 */
import type { KernelOptions, KernelVariant } from './kernel-variant.js';
import { changeOfNewest, completeWithGuestPebs } from './landed.js';

function proposal(
  id: string,
  title: string,
  summary: string,
  options: Partial<KernelOptions>,
): KernelVariant {
  return {
    ...changeOfNewest(id, title, summary, options),
    date: '2026-05-08',
    sources: [
      'arch/x86/kvm/vmx/vmx.c atomic_switch_perf_msrs()',
      'v3 cover letter, 8 May 2026, hypermail 2605.1/01790',
      'src/pmu/semantics.md §5e',
    ],
  };
}

export const proposals: readonly KernelVariant[] = [
  proposal(
    'zero-global-ctrl-e1',
    'Zero GLOBAL_CTRL before the list (e1)',
    "KVM writes IA32_PERF_GLOBAL_CTRL 0 before it asks perf for the list. Any NMI undoes it: perf's handler restores IA32_PERF_GLOBAL_CTRL on exit.",
    { zeroGlobalCtrl: 'write' },
  ),
  proposal(
    'zero-global-ctrl-e2',
    'Zero GLOBAL_CTRL and switch the PMU off (e2)',
    'As zero-global-ctrl-e1, and perf counts as disabled until after the exit loads, so that NMIs leave IA32_PERF_GLOBAL_CTRL at 0. A PMI already pending can still change the list inputs.',
    { zeroGlobalCtrl: 'pmu_off' },
  ),
  proposal(
    'zero-global-ctrl-e3',
    'Zero GLOBAL_CTRL, switch the PMU off and drain (e3)',
    'As zero-global-ctrl-e2, and KVM waits until no PMI is pending before the list is built.',
    { zeroGlobalCtrl: 'drained' },
  ),
  proposal(
    'post-exit-fixup',
    'Repair PEBS_ENABLE after VM-exit (f)',
    'After the VM-exit loads KVM compares the IA32_PEBS_ENABLE value it loaded with what perf wants now, and rewrites the register if they differ.',
    { postExitFixup: true },
  ),
  {
    ...proposal(
      'pebs-handler-guard',
      'NMI handler leaves PEBS_ENABLE alone while the PMU is off',
      'The NMI handler rewrites IA32_PEBS_ENABLE only if the PMU was on when the NMI came; PMU enable writes it later.',
      { nmiWritesPebsOnlyIfOn: true },
    ),
    sources: [
      'arch/x86/events/intel/core.c intel_pmu_handle_irq()',
      'a candidate for H2, not posted anywhere',
      'src/pmu/semantics.md §7.6',
    ],
  },
  {
    ...proposal(
      'pebs-enable-all-always',
      'PMU enable always writes PEBS_ENABLE',
      'PMU enable writes IA32_PEBS_ENABLE even when perf wants no bit in it, so that a stuck bit lasts at most until the next PMU disable/enable. It closes H2; after H1 and H3 the bit is set until then.',
      { enableAllAlwaysWritesPebs: true },
    ),
    sources: [
      'arch/x86/events/intel/ds.c intel_pmu_pebs_enable_all()',
      'a candidate for H2 (it shortens H1 and H3), not posted anywhere',
      'src/pmu/semantics.md §7.6',
    ],
  },
  {
    ...proposal(
      'never-switch-pebs-enable',
      'Never switch PEBS_ENABLE (a warning example)',
      'IA32_PEBS_ENABLE is not switched even on CPUs without PEBS isolation. It saves every write, and host PEBS records may be written to guest memory there: do not do this.',
      {},
    ),
    finishList: (list, input) =>
      input.caps.dsPebs && input.caps.pebsEpt ? completeWithGuestPebs(list, input) : 0,
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'the cheapest patch and a wrong one, not posted anywhere',
      'src/pmu/semantics.md §1.5',
    ],
  },
];
