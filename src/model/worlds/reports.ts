/**
 * What was reported in public, each as a world on the faulty kernel and on the repaired one. Ids are
 * `report-<what>-<kernel>`.
 *
 * Source: semantics.md §7.9. Where the repair is that perf or KVM refuses something (EINVAL, #GP), the world on
 * the repaired kernel lacks it, and its id is `report-<what>-refused-<kernel>`.
 */

import type { WorldSpec } from '../world-spec.js';
import {
  actors,
  GUEST_PEBS,
  HOST_PEBS,
  HOST_PEBS_1,
  type Outcome,
  outcome,
  type Scenario,
  scenario,
} from './scenario.js';

const SHEET = 'src/pmu/semantics.md §7.9';

interface Report {
  readonly name: string;
  readonly title: string;
  readonly sources: readonly string[];
  readonly world: Omit<WorldSpec, 'kernel'>;
  /** By kernel. */
  readonly expected: Readonly<Record<string, Outcome>>;
  /** What differs on a kernel that refuses a part of the world. */
  readonly instead?: Readonly<Record<string, Partial<WorldSpec>>>;
}

/** A topdown metrics event that is precise, as other bits than its code keep perf from telling what it is. */
const METRICS = {
  counter: 'PERF_METRICS',
  precise_ip: 1,
  sample_freq: 73,
  exclude_guest: true,
  disabled: true,
};
const CHECKED = { I1: 'holds', I2: 'holds', I3: 'holds' } as const;

const REPORTS: readonly Report[] = [
  {
    name: 'handler-writes',
    title:
      'The NMI handler no longer switches PEBS off and on: a PMI inside PMU disable sets a bit again, which stays (H2)',
    sources: [
      'arch/x86/events/intel/core.c intel_pmu_handle_irq(): commit 6c1c07b33eb0 (5.7)',
      'Kan Liang, Jan 2020, 20200121181338.3234-1-kan.liang',
      SHEET,
    ],
    world: {
      cpu_model: 'ice-lake',
      events: [HOST_PEBS, HOST_PEBS_1],
      actors: actors('nmi_throttle', 'event_enable', 'event_disable'),
      nmi_timing: 'late',
      nmi_in_e3: false,
    },
    expected: {
      'linux-5.11': outcome({ I1: 'violated' }, 737, 1349, 33),
      'linux-5.6': outcome({ I1: 'holds' }, 669, 1309, 33),
    },
  },
  {
    name: 'broadwell-x',
    title:
      'isolation_ucodes[] names a stepping that Broadwell-X does not have: the host runs without isolation',
    sources: [
      'arch/x86/events/intel/core.c isolation_ucodes[]: fix 4b2f1e59229b (Apr 2021)',
      'Jim Mattson',
      SHEET,
    ],
    world: {
      cpu_model: 'broadwell-x',
      stepping: 1,
      microcode: '0x0b000014',
      events: [HOST_PEBS],
      vcpus: [{}],
      actors: actors('nmi_throttle', 'tick'),
    },
    expected: {
      'linux-5.6': outcome({ I1: 'violated', I8: 'violated' }, 197, 229, 52),
      'linux-5.11': outcome({ I1: 'violated', I8: 'violated' }, 197, 229, 52),
      'linux-6.1.187': outcome({ I1: 'holds', I8: 'holds' }, 103, 127, 32),
    },
  },
  {
    name: 'vlbr-pebs',
    title: 'A precise VLBR event: perf writes 0x0400000000000000 to IA32_PEBS_ENABLE, which faults',
    sources: [
      'arch/x86/events/intel/core.c intel_pmu_hw_config(): fix 2dc0572f2cef',
      'Vince Weaver, Feb 2021, perf_fuzzer on Haswell',
      SHEET,
    ],
    world: {
      cpu_model: 'haswell-x',
      events: [
        {
          counter: 'VLBR',
          precise_ip: 1,
          sample_period: 100003,
          exclude_guest: true,
          disabled: true,
        },
      ],
      actors: actors('event_enable', 'event_disable'),
    },
    expected: {
      'linux-5.11': outcome({ I19: 'violated', I2: 'violated', I1: 'holds' }, 21, 21, 20),
      'linux-6.1.187': outcome({ I19: 'holds', I2: 'holds', I1: 'holds' }, 21, 21, 20),
    },
    instead: { 'linux-6.1.187': { events: [{ ...HOST_PEBS, disabled: true }] } },
  },
  {
    name: 'metrics-pebs',
    title:
      'A precise metrics event beside PEBS on PMC0: perf writes 0x0001000000000001 to IA32_PEBS_ENABLE, which faults, and PMC0 loses its bit',
    sources: [
      'arch/x86/events/intel/core.c intel_pmu_hw_config(): 20250620110406.3782402-1-kan.liang, in no source read, Linux 7.3.4 included',
      'Vince Weaver, Jun 2025, perf_fuzzer on Raptor Lake',
      SHEET,
    ],
    world: {
      cpu_model: 'alder-lake-p',
      events: [HOST_PEBS, METRICS],
      actors: actors('event_enable', 'event_disable'),
    },
    expected: {
      'linux-7.3.4': outcome(
        { I19: 'violated', I2: 'violated', I13: 'violated', I1: 'holds' },
        111,
        117,
        35,
      ),
      'linux-6.12.117': outcome(
        { I19: 'violated', I2: 'violated', I13: 'violated', I1: 'holds' },
        111,
        117,
        35,
      ),
      'metrics-never-precise': outcome(
        { I19: 'holds', I2: 'holds', I13: 'holds', I1: 'holds' },
        21,
        21,
        20,
      ),
    },
    instead: { 'metrics-never-precise': { events: [HOST_PEBS] } },
  },
  {
    name: 'metrics-pebs-guest',
    title:
      'The same beside a guest: a kernel that switches IA32_PEBS_ENABLE has VM-exit load bit 48, a VMX abort (derived, not reported)',
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs()',
      'Vince Weaver, Jun 2025',
      'derived: SDM vol. 3, VM Exits: Loading MSRs',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      events: [METRICS],
      vcpus: [{}],
      actors: actors('event_enable'),
    },
    expected: {
      'linux-7.2.6': outcome({ vmx_abort: 'witnessed', I19: 'violated' }, 82, 83, 42),
      'linux-7.3.4': outcome({ vmx_abort: 'unreachable', I19: 'violated' }, 75, 77, 40),
    },
  },
  {
    name: 'or-for-and',
    title: "OR for AND: host-only counters run in the guest, and so does the host's PEBS",
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs(): fix 971079464001 (Jan 2024)',
      'Paul E. McKenney',
      SHEET,
    ],
    world: {
      cpu_model: 'cascade-lake',
      events: [
        HOST_PEBS,
        { counter: 'PMC1', sample_period: 100003, exclude_guest: true },
        { counter: 'PMC2', precise_ip: 2, sample_period: 100003 },
      ],
      vcpus: [{}],
    },
    expected: {
      'linux-6.1': outcome({ I10: 'violated', I3: 'violated' }, 28, 28, 27),
      'linux-6.6': outcome({ I10: 'violated', I3: 'violated' }, 28, 28, 27),
      'linux-6.12.27': outcome({ I10: 'holds', I3: 'holds' }, 28, 28, 27),
    },
  },
  {
    name: 'guest-only-pebs',
    title:
      "A guest-only PEBS event of host user space is taken for the guest's own: PEBS fires in a guest that never set it up",
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs(): fix 58f6217e5d01',
      'Seth Forshee, Apr 2025, CVE-2025-37936',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      events: [{ counter: 'PMC0', precise_ip: 2, sample_period: 100003, exclude_host: true }],
      vcpus: [{}],
    },
    expected: {
      'linux-6.12.27': outcome({ I3s: 'violated', I10: 'violated', I5g: 'holds' }, 34, 34, 33),
      'linux-6.12.107': outcome({ I3s: 'holds', I10: 'holds', I5g: 'holds' }, 32, 32, 31),
    },
  },
  {
    name: 'data-cfg-bit-63',
    title: "VM-exit loads perf's own bit 63 into MSR_PEBS_DATA_CFG: a VMX abort, the host crashes",
    sources: [
      'arch/x86/events/intel/core.c intel_guest_get_msrs(): fix 3c845304d2d7',
      'Like Xu, May 2023, 20230517133808.67885-1-likexu',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      events: [HOST_PEBS, HOST_PEBS_1],
      vcpus: [{}],
      actors: [{ kind: 'event_del', budget: 1 }],
    },
    expected: {
      'linux-6.4-rc2': outcome({ I19: 'violated', vmx_abort: 'witnessed' }, 134, 136, 43),
      'linux-6.6': outcome({ I19: 'holds', vmx_abort: 'unreachable' }, 158, 162, 43),
    },
  },
  {
    name: 'narrowed-data-cfg',
    title:
      'Removing one of two PEBS events narrows MSR_PEBS_DATA_CFG: the records of the other are too small',
    sources: [
      'arch/x86/events/intel/ds.c pebs_update_state(): fix 312be9fc2234 (Apr 2024)',
      'Stephane Eranian, 20240401133320.703971-1-kan.liang',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      events: [
        {
          counter: 'PMC0',
          precise_ip: 2,
          sample_freq: 4000,
          pebs_data_cfg: '0xf',
          exclude_guest: true,
        },
        HOST_PEBS_1,
      ],
      actors: [{ kind: 'event_del', budget: 1 }, { kind: 'tick' }],
    },
    expected: {
      'linux-6.6': outcome({ I20: 'violated', I6: 'holds' }, 43, 44, 23),
      'linux-6.12.27': outcome({ I20: 'holds', I6: 'holds' }, 39, 40, 19),
    },
  },
  {
    name: 'adaptive-guest',
    title: "A guest asks for LBR entries in its PEBS records, and they are the host's",
    sources: [
      'arch/x86/kvm/vmx/vmx.c vmx_get_perf_capabilities(): fix 9e985cbf2942 (Mar 2024)',
      'Sean Christopherson',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      vcpus: [
        {
          wrmsr: [{ msr: 'MSR_PEBS_DATA_CFG', value: '0x8' }, ...(GUEST_PEBS.wrmsr ?? [])],
        },
      ],
    },
    expected: {
      'linux-6.6': outcome({ I23: 'violated', I5g: 'holds' }, 34, 34, 33),
      'linux-6.12.27': outcome({ I23: 'holds', I5g: 'holds' }, 34, 34, 33),
    },
    instead: { 'linux-6.12.27': { vcpus: [GUEST_PEBS] } },
  },
  {
    name: 'idle-member',
    title: 'Throttling a group stops members that are off, and the tick starts them',
    sources: [
      'kernel/events/core.c perf_event_throttle_group(): commit 9734e25fbf5a (6.16), fix b64fdd422a85',
      'Yunseong Kim, Jul 2025',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      events: [
        { name: 'leader', counter: 'PMC1', sample_period: 1, exclude_guest: true },
        { ...HOST_PEBS, group_leader: 'leader', disabled: true },
      ],
      actors: actors('nmi_throttle', 'tick'),
    },
    expected: {
      'linux-6.16': outcome({ I21: 'violated', ...CHECKED }, 12, 12, 11),
      'linux-7.3.4': outcome({ I21: 'holds', ...CHECKED }, 11, 11, 10),
    },
  },
  {
    name: 'lost-pointer',
    title:
      'A throttled event moves to another counter in PMU enable; the tick starts it, and the NMI handler does not find it',
    sources: [
      'arch/x86/events/core.c x86_pmu_enable(): commit 7e772a93eb61 (6.19), fix 8d5fae601126',
      'Breno Leitao, Mar 2026',
      SHEET,
    ],
    world: {
      cpu_model: 'emerald-rapids',
      events: [
        { name: 'leader', counter: 'PMC7', exclude_guest: true },
        { name: 'sibling', counter: 'PMC0', group_leader: 'leader', disabled: true },
        { name: 'moves', sample_period: 1, exclude_guest: true },
      ],
      actors: [
        { kind: 'nmi_throttle', budget: 1 },
        { kind: 'event_del', budget: 1 },
        { kind: 'event_enable', budget: 1 },
        { kind: 'tick', budget: 1 },
      ],
    },
    expected: {
      'linux-6.19': outcome({ I22: 'violated', I17: 'holds' }, 439, 462, 37),
      'linux-7.3.4': outcome({ I22: 'holds', I17: 'holds' }, 428, 452, 37),
    },
  },
];

export const reports: readonly Scenario[] = REPORTS.flatMap(
  ({ name, title, sources, world, expected, instead }) =>
    Object.entries(expected).map(([kernel, expected]) =>
      scenario(
        `report-${name}${instead?.[kernel] ? '-refused' : ''}-${kernel}`,
        `${title}, on ${kernel}`,
        { ...world, kernel, ...instead?.[kernel] },
        expected,
        sources,
      ),
    ),
);
