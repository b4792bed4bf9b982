/** Packed states: what is packed comes back, goes on as before, and different states look different. */
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import type { ExplorationModel } from '../../schemas/exploration-model.js';
import { createModel, type MachineModel } from '../../src/model/machine-model.js';
import { codeOf, STEP_KINDS } from '../../src/model/steps/index.js';
import { ACTOR_KINDS } from '../../src/model/vocabulary.js';
import type { WorldSpec } from '../../src/model/world-spec.js';
import { WriteSink } from '../../src/pmu/arch/write-sink.js';
import { MachineState } from '../../src/pmu/machine/state.js';
import { ACTIVE, ADDED, CLOSED, HOST_OWNED } from '../../src/pmu/perf/perf-event.js';
import { Dice } from '../pmu/random-walk.js';

const HOST = { counter: 'PMC0', precise_ip: 2, exclude_guest: true };
const GUEST: NonNullable<ExplorationModel['vcpus']>[number] = {
  wrmsr: [
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x0' },
    { msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
    { msr: 'IA32_PEBS_ENABLE', value: '0x1' },
    { msr: 'IA32_PERFEVTSEL0', value: '0x43003c' },
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x1' },
  ],
};
/** All but migration, and but for the reset, after which less of a state follows from its events. */
const EVERYBODY = ACTOR_KINDS.filter((kind) => kind !== 'migrate' && kind !== 'nmi_reset').map(
  (kind) => ({ kind }),
);
const GROUP = [
  { name: 'leader', counter: 'PMC1', sample_period: 1000, exclude_guest: true },
  { ...HOST, group_leader: 'leader' },
];

/** Worlds that between them use every field of a state. */
const WORLDS: Readonly<
  Record<
    string,
    ExplorationModel & Pick<WorldSpec, 'nmi_throttles' | 'nmi_overflows' | 'guest_writes'>
  >
> = {
  'K1, late': {
    cpu_model: 'haswell-x',
    kernel: 'upstream-base',
    events: [HOST, { ...HOST, counter: 'PMC1' }],
    vcpus: [{}, {}],
    actors: EVERYBODY,
    nmi_timing: 'late',
  },
  'K1, late, one of several throttled': {
    cpu_model: 'haswell-x',
    kernel: 'upstream-base',
    events: [HOST, { ...HOST, counter: 'PMC1' }],
    vcpus: [{}],
    actors: EVERYBODY,
    nmi_timing: 'late',
    nmi_throttles: 'any',
  },
  'K1, any overflows': {
    cpu_model: 'haswell-x',
    kernel: 'upstream-base',
    events: [HOST, { ...HOST, counter: 'PMC1' }],
    vcpus: [{}],
    actors: EVERYBODY,
    nmi_timing: 'late',
    nmi_overflows: 'on_arrival',
  },
  'a guest with given writes': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    events: [HOST],
    vcpus: [GUEST],
    actors: EVERYBODY,
    guest_writes: [
      { msr: 'IA32_PEBS_ENABLE', value: '0x1' },
      { msr: 'IA32_PEBS_ENABLE', value: '0x0' },
      { msr: 'IA32_PERFEVTSEL0', value: '0x53003c' },
      { msr: 'IA32_PERFEVTSEL0', value: '0x13003c' },
    ],
  },
  'K2, prompt, budgets': {
    cpu_model: 'ice-lake',
    kernel: 'linux-6.1.192',
    events: [HOST, { ...HOST, counter: 'PMC3', exclude_guest: false }],
    vcpus: [{}],
    actors: EVERYBODY.map((actor, at) => ({ ...actor, budget: 1 + (at % 15) })),
  },
  'K3, guests on two CPUs': {
    cpu_model: 'emerald-rapids',
    kernel: 'pebs-v1',
    cpus: 2,
    events: [
      { ...HOST, pebs_data_cfg: 7 },
      { ...HOST, cpu: 1 },
    ],
    vcpus: [GUEST, { ...GUEST, cpu: 1 }],
    actors: [...EVERYBODY, { kind: 'migrate' }],
    nmi_timing: 'late',
  },
  'K3, a vCPU that moves': {
    cpu_model: 'emerald-rapids',
    kernel: 'pebs-v2',
    cpus: 2,
    vcpus: [GUEST],
    actors: [{ kind: 'migrate', budget: 15 }, { kind: 'guest_wrmsr' }],
  },
  'K3, PEBS via PT': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-6.12.117',
    events: [
      { ...HOST, aux_output: true },
      { ...HOST, counter: 'PMC1' },
    ],
    vcpus: [GUEST],
    actors: EVERYBODY,
    nmi_timing: 'late',
  },
  'K3, a group and a fixed counter': {
    cpu_model: 'emerald-rapids',
    kernel: 'post-exit-fixup',
    events: [...GROUP, { counter: 'FIXED1', precise_ip: 1, exclude_guest: true }],
    vcpus: [{}],
    actors: EVERYBODY,
    options: { group_throttle: true },
  },
  'K3, a reset': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    events: [HOST, { counter: 'FIXED1', exclude_guest: true }],
    vcpus: [GUEST],
    actors: [...EVERYBODY, { kind: 'nmi_reset' }],
  },
  'K3, members that are off': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-6.16',
    events: [...GROUP, { ...HOST, counter: 'PMC2', group_leader: 'leader', disabled: true }],
    vcpus: [{}],
    actors: EVERYBODY,
  },
  'K3, events that move': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-6.19',
    events: [
      { name: 'leader', counter: 'PMC7', exclude_guest: true },
      { counter: 'PMC0', group_leader: 'leader', disabled: true },
      { sample_period: 1, exclude_guest: true },
    ],
    vcpus: [{}],
    actors: EVERYBODY,
  },
  'K2, a pseudo counter': {
    cpu_model: 'ice-lake',
    kernel: 'linux-5.11',
    events: [HOST, { ...HOST, counter: 'VLBR' }, { ...HOST, counter: 'PERF_METRICS' }],
    vcpus: [{}],
    actors: EVERYBODY,
    nmi_timing: 'late',
  },
  'K4, events of any counter': {
    cpu_model: 'diamond-rapids',
    kernel: 'zero-global-ctrl-e3',
    events: [HOST, { ...HOST, counter: 'FIXED0', exclude_host: true, exclude_guest: false }],
    vcpus: [{}, {}],
    actors: EVERYBODY,
    nmi_timing: 'late',
  },
};

interface Walker {
  readonly model: MachineModel;
  readonly state: MachineState;
  readonly spent: Int32Array;
}

function blank(model: MachineModel): Walker {
  const state = new MachineState();
  state.copyFrom(model.explored.initial);
  return { model, state, spent: new Int32Array(ACTOR_KINDS.length) };
}

function packed({ model, state, spent }: Walker): Int32Array {
  const words = new Int32Array(model.words);
  model.layout.pack(state, spent, words, 0);
  return words;
}

/** A copy of a state that knows only what was packed of it; what was there before must not matter. */
function unpacked(model: MachineModel, words: Int32Array, before: Walker): Walker {
  const to = blank(model);
  to.state.copyFrom(before.state);
  to.spent.set(before.spent);
  model.layout.unpack(words, 0, to.state, to.spent);
  return to;
}

/** All fields of a state, without those that cannot influence its world: see the comments. */
function fields({ model, state, spent }: Walker): unknown {
  const plain = JSON.parse(JSON.stringify(state)) as {
    cpus: { cursor?: number; cpuc: { tags?: unknown } }[];
    vcpus: { autoload: { order?: unknown }; globalStatus?: number; pmi?: number }[];
    events: { status: number; cpu?: number; counter?: number; tag?: number; rank?: number }[];
  };
  const { eventConfigs } = model.explored.world;
  for (const vcpu of plain.vcpus) {
    delete vcpu.autoload.order;
    // The guest alone looks at these, and no actor acts on what it sees.
    delete vcpu.globalStatus;
    delete vcpu.pmi;
  }
  const guests = eventConfigs.filter(({ owner }) => owner !== HOST_OWNED).length;
  const groups = eventConfigs.some(({ leader }) => leader >= 0);
  const mixed = groups || model.explored.strays || (guests > 0 && guests < eventConfigs.length);
  const pinned = eventConfigs.every(({ constraint }) => (constraint & (constraint - 1)) === 0);
  plain.events.forEach((event, at) => {
    // Where an event was that is nowhere now.
    if (eventConfigs[at]?.owner !== HOST_OWNED && event.status < ADDED) delete event.cpu;
    // Nothing is put on the list beside running events, so nobody compares tags.
    if (!mixed) delete event.tag;
    // Everybody has one counter only: which one an event had last changes nothing.
    if (pinned && event.status < ACTIVE) delete event.counter;
    if (event.status === CLOSED) delete event.rank;
  });
  const ticks = model.explored.budgets.tick !== 0;
  for (const cpu of plain.cpus) {
    if (!mixed) delete cpu.cpuc.tags;
    // How far rescheduling is shows in the events; only ticks and flexible events need more.
    if (!ticks && !groups) delete cpu.cursor;
  }
  // What an actor without a budget has done is not counted.
  const counted = ACTOR_KINDS.filter((kind) => model.explored.budgets[kind] > 0);
  return { ...plain, spent: counted.map((kind) => spent[ACTOR_KINDS.indexOf(kind)]) };
}

function enabled({ model, state, spent }: Walker): number[] {
  const labels = new Int32Array(128);
  return [...labels.subarray(0, model.steps.find(state, spent, labels))];
}

/** Walks at random and calls `visit` at every state with the step that comes next. */
function walk(
  model: MachineModel,
  seed: number,
  length: number,
  visit: (at: Walker, next: number) => void,
): void {
  const dice = new Dice(seed);
  const walker = blank(model);
  for (let made = 0; made < length; made += 1) {
    const labels = enabled(walker);
    if (labels.length === 0) return;
    const label = dice.pick(labels);
    visit(walker, label);
    model.steps.take(walker.state, walker.spent, label, new WriteSink());
  }
}

for (const [name, spec] of Object.entries(WORLDS)) {
  const model = createModel({ model: spec, properties: [] });

  t.test(`${name}: what is packed comes back field by field`, async (t) => {
    const steps = new Set<number>();
    let compared = 0;
    let differing = 0;
    for (let seed = 1; seed <= 8; seed += 1) {
      const elsewhere = blank(model);
      walk(model, seed, 250, (at, next) => {
        const back = unpacked(model, packed(at), elsewhere);
        if (!isDeepStrictEqual(fields(back), fields(at))) {
          if (differing === 0) t.same(fields(back), fields(at), 'the first that differs');
          differing += 1;
        }
        elsewhere.state.copyFrom(at.state);
        steps.add(codeOf(next));
        compared += 1;
      });
    }
    t.equal(differing, 0, 'no state lost anything');
    t.ok(compared > 300 && steps.size > 6, `${compared} states, ${steps.size} kinds of steps`);
  });

  t.test(`${name}: an unpacked state goes on like the one that was packed`, async (t) => {
    let differing = 0;
    for (let seed = 21; seed <= 24; seed += 1) {
      let shadow = blank(model);
      walk(model, seed, 250, (at, next) => {
        shadow = unpacked(model, packed(shadow), shadow);
        const same =
          String(packed(shadow)) === String(packed(at)) &&
          String(enabled(shadow)) === String(enabled(at));
        differing += same ? 0 : 1;
        model.steps.take(shadow.state, shadow.spent, next, new WriteSink());
      });
    }
    t.equal(differing, 0);
  });

  t.test(`${name}: states that differ are packed differently, equal ones alike`, async (t) => {
    const byWords = new Map<string, string>();
    const byFields = new Map<string, string>();
    for (let seed = 41; seed <= 46; seed += 1) {
      walk(model, seed, 250, (at) => {
        const [words, all] = [String(packed(at)), JSON.stringify(fields(at))];
        byWords.set(words, all);
        byFields.set(all, words);
      });
    }
    t.ok(byFields.size > 50, `${byFields.size} different states`);
    t.equal(byWords.size, byFields.size);
  });

  t.test(`${name}: a search's successors are the states that the steps lead to`, async (t) => {
    let differing = 0;
    for (let seed = 61; seed <= 63; seed += 1) {
      walk(model, seed, 120, (at) => {
        const labels = enabled(at);
        const out = {
          words: new Int32Array(model.words * model.successorsMax),
          labels: new Int32Array(model.successorsMax),
          count: 0,
        };
        model.expand(packed(at), 0, out);
        const expected = labels.map((label) => {
          const next = unpacked(model, packed(at), at);
          model.steps.take(next.state, next.spent, label, new WriteSink());
          return String(packed(next));
        });
        const got = labels.map((_, nth) =>
          String(out.words.subarray(nth * model.words, (nth + 1) * model.words)),
        );
        const same =
          String(got) === String(expected) &&
          String(out.labels.subarray(0, out.count)) === String(labels);
        differing += same ? 0 : 1;
      });
    }
    t.equal(differing, 0);
  });
}

t.test('the walks cross every kind of step', async (t) => {
  const seen = new Set<number>();
  for (const spec of Object.values(WORLDS)) {
    const model = createModel({ model: spec, properties: [] });
    for (let seed = 1; seed <= 12; seed += 1) {
      walk(model, seed, 400, (_at, next) => seen.add(codeOf(next)));
    }
  }
  const missing = STEP_KINDS.filter((_, code) => !seen.has(code));
  t.strictSame(missing, [], 'every kind of step is taken');
});
