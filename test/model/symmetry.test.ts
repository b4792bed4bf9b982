/** Folding: a state and the representative of its class go on alike, step for step, in every state of small worlds. */
import t from 'tap';
import type { ExplorationModel } from '../../schemas/exploration-model.js';
import { createModel, type MachineModel } from '../../src/model/machine-model.js';

const event = (counter: string) => ({ counter, precise_ip: 2, exclude_guest: true });
const actors = (...kinds: NonNullable<ExplorationModel['actors']>[number]['kind'][]) =>
  kinds.map((kind) => ({ kind, budget: 1 }));

const WORLD: ExplorationModel = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: ['PMC0', 'PMC1'].map(event),
  vcpus: [{}, {}],
  actors: actors('nmi_throttle'),
};
const EVENTS = /^events e0, e1/;
const VCPUS = /^vCPUs v0, v1/;

const WORLDS: Readonly<Record<string, { model: ExplorationModel; folding: readonly RegExp[] }>> = {
  'prompt NMIs': { model: WORLD, folding: [EVENTS, VCPUS] },
  'late NMIs, one vCPU': {
    model: { ...WORLD, vcpus: [{}], nmi_timing: 'late' },
    folding: [EVENTS],
  },
  'a CPU without isolation, sections and the end of events': {
    model: {
      ...WORLD,
      cpu_model: 'haswell-x',
      vcpus: [{}],
      actors: actors('nmi_throttle', 'pmu_section', 'event_disable', 'event_del'),
    },
    folding: [EVENTS],
  },
  'events that count in the guest only, and sections': {
    model: {
      ...WORLD,
      vcpus: [{}],
      events: ['PMC0', 'PMC1'].map((counter) => ({
        counter,
        exclude_host: true,
        sample_period: 1,
      })),
      actors: actors('nmi_throttle', 'pmu_section', 'event_disable'),
      nmi_timing: 'late',
    },
    folding: [EVENTS],
  },
  // From here on something goes through the events in their order.
  'a tick': {
    model: { ...WORLD, actors: actors('nmi_throttle', 'tick') },
    folding: [VCPUS],
  },
  'events that are enabled again': {
    model: { ...WORLD, vcpus: [{}], actors: actors('event_disable', 'event_enable') },
    folding: [],
  },
  'events that are opened again': {
    model: { ...WORLD, vcpus: [{}], actors: actors('event_del', 'event_add') },
    folding: [],
  },
  'events that are not alike': {
    model: { ...WORLD, vcpus: [{}], events: [event('PMC0'), { ...event('PMC1'), precise_ip: 1 }] },
    folding: [],
  },
};

function canonical(model: MachineModel, state: Int32Array): Int32Array {
  const copy = state.slice();
  model.canonical(copy, 0);
  return copy;
}

function successors(model: MachineModel, state: Int32Array): Int32Array[] {
  const words = new Int32Array(model.words * model.successorsMax);
  const out = { words, labels: new Int32Array(model.successorsMax), count: 0 };
  model.expand(state, 0, out);
  return Array.from({ length: out.count }, (_, at) =>
    words.slice(at * model.words, (at + 1) * model.words),
  );
}

function classes(model: MachineModel, states: readonly Int32Array[]): string {
  return states
    .map((state) => String(canonical(model, state)))
    .sort()
    .join(' ');
}

for (const [name, { model: spec, folding }] of Object.entries(WORLDS)) {
  t.test(name, async (t) => {
    const model = createModel({ model: spec, properties: ['I1'] });
    t.equal(model.folding.length, folding.length, model.folding.join('; '));
    t.match(model.folding, folding);
    const first = new Int32Array(model.words);
    model.initial(first);
    const seen = new Set([String(first)]);
    const found = new Set<string>();
    const waiting: Int32Array[] = [first];
    let differing = 0;
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      const representative = canonical(model, state);
      found.add(String(representative));
      const next = successors(model, state);
      const same =
        String(canonical(model, representative)) === String(representative) &&
        model.check(state, 0) === model.check(representative, 0) &&
        classes(model, next) === classes(model, successors(model, representative));
      differing += same ? 0 : 1;
      for (const one of next) {
        const key = String(one);
        if (seen.has(key)) continue;
        seen.add(key);
        waiting.push(one);
      }
    }
    t.equal(differing, 0, `${seen.size} states in ${found.size} classes`);
    t.equal(found.size < seen.size, folding.length > 0);
  });
}
