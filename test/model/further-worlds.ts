/** Worlds with more actors at once than any scenario. */
import { ACTOR_KINDS } from '../../src/model/vocabulary.js';
import type { WorldSpec } from '../../src/model/world-spec.js';

const PEBS = { counter: 'PMC0', precise_ip: 2, exclude_guest: true };
const GUEST = {
  wrmsr: [
    { msr: 'IA32_PERFEVTSEL0', value: '0x43003c' },
    { msr: 'IA32_PERFEVTSEL1', value: '0x43003c' },
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x3' },
  ],
};
const actors = (...kinds: (typeof ACTOR_KINDS)[number][]) => kinds.map((kind) => ({ kind }));

/** What no scenario has. */
export const FURTHER: Readonly<Record<string, WorldSpec>> = {
  'everybody on two CPUs': {
    cpu_model: 'haswell-x',
    kernel: 'upstream-base',
    cpus: 2,
    events: [PEBS, { ...PEBS, cpu: 1 }],
    vcpus: [{}, { cpu: 1 }],
    actors: ACTOR_KINDS.map((kind) => ({ kind, budget: 2 })),
    nmi_timing: 'late',
  },
  'guests that may move and write': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    cpus: 2,
    vcpus: [GUEST, { ...GUEST, pebs: false, cpu: 1 }],
    actors: [...actors('guest_wrmsr', 'tick', 'fastpath_reenter'), { kind: 'migrate', budget: 2 }],
  },
  'an event that comes and goes while another CPU is busy': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    cpus: 2,
    events: [PEBS],
    vcpus: [{ cpu: 1 }],
    actors: actors('event_add', 'event_del'),
  },
  'one guest without PEBS': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    vcpus: [{ ...GUEST, pebs: false }],
    actors: actors('guest_wrmsr', 'bpf_snapshot', 'nmi_reset', 'pmu_section'),
  },
  'no NMI between the load and the WRMSR of e3, and no guest': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    events: [PEBS],
    vcpus: [{}],
    actors: actors('nmi_throttle', 'foreign_nmi', 'event_disable', 'event_enable', 'event_add'),
    nmi_in_e3: false,
  },
  'a guest with given writes': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    vcpus: [GUEST],
    actors: actors('guest_wrmsr', 'tick'),
    guest_writes: [
      { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x3' },
      { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x0' },
      { msr: 'IA32_PERFEVTSEL0', value: '0x13003c' },
      { msr: 'IA32_PEBS_ENABLE', value: '0x8000000' },
    ],
  },
  'NMIs that find any overflows': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    events: [PEBS, { counter: 'FIXED1', sample_period: 1000 }],
    vcpus: [{}],
    actors: actors('nmi_throttle', 'event_disable'),
    nmi_timing: 'late',
    nmi_overflows: 'on_arrival',
  },
  'late NMIs that may throttle one of several events': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    events: [PEBS, { ...PEBS, counter: 'PMC1' }],
    actors: actors('nmi_throttle', 'pmu_section'),
    nmi_timing: 'late',
    nmi_throttles: 'any',
  },
  'a VMX abort that shuts down one of two CPUs': {
    cpu_model: 'haswell-x',
    kernel: 'linux-5.11',
    cpus: 2,
    events: [{ counter: 'VLBR', precise_ip: 1, exclude_guest: true, cpu: 1 }],
    vcpus: [{ cpu: 1 }],
    actors: actors('migrate', 'microcode_load'),
  },
};
