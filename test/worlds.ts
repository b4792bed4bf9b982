/** Worlds for tests of long work: one that is searched at once, and one that takes longer than any test waits. */
const event = (counter: string) => ({ counter, precise_ip: 2, exclude_guest: true });
const kinds = (...names: string[]) => names.map((kind) => ({ kind }));

export const SMALL = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: [event('PMC0')],
  vcpus: [{}],
  actors: kinds('nmi_throttle'),
};

/** More states than a test waits for, or than a small machine has room for. */
export const HUGE = {
  ...SMALL,
  events: ['PMC0', 'PMC1', 'PMC2', 'PMC3'].map(event),
  vcpus: [{}, {}],
  actors: kinds('nmi_throttle', 'event_enable', 'event_disable', 'tick', 'pmu_section'),
  nmi_timing: 'late',
};

/** A search of it that nothing cuts short. */
export const HUGE_SEARCH = { model: HUGE, properties: ['I11'], fold: false };
