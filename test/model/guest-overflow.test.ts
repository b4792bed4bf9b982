/** Worlds whose guests' counters overflow: the search and a live host do the same, KVM's answer to the overflow included. */
import t from 'tap';
import type { ExplorationModel } from '../../schemas/exploration-model.js';
import { initialState, replay } from '../../src/explorer/path.js';
import { createModel, type MachineModel } from '../../src/model/machine-model.js';
import { stepsOfPath } from '../../src/model/render/path-steps.js';
import { renderSteps } from '../../src/model/render/rendered-steps.js';
import { walkState } from '../../src/model/state-browser.js';
import { ACTOR_KINDS } from '../../src/model/vocabulary.js';
import { IDLE, PAUSE_EVENT, RESUME_EVENT, RUN_VCPU } from '../../src/pmu/machine/state.js';
import { present } from '../pmu/machine.js';
import { Dice } from '../pmu/random-walk.js';
import { liveHost } from './live-host.js';

const SAMPLING = '0x5300c0';
const GUEST: NonNullable<ExplorationModel['vcpus']>[number] = {
  wrmsr: [
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: 0 },
    { msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
    { msr: 'IA32_PEBS_ENABLE', value: 1 },
    { msr: 'IA32_PERFEVTSEL0', value: SAMPLING },
    { msr: 'IA32_PERFEVTSEL1', value: SAMPLING },
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: 3 },
  ],
};
const HOST_PLAIN = { counter: 'PMC2', sample_period: 1000, exclude_guest: true };

const WORLDS: Readonly<Record<string, ExplorationModel>> = {
  'before the series, with a host event': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    events: [HOST_PLAIN],
    vcpus: [GUEST],
    actors: [{ kind: 'nmi_throttle' }, { kind: 'fastpath_reenter' }, { kind: 'vmfail' }],
  },
  'the landed series, two guests': {
    cpu_model: 'ice-lake-sp',
    kernel: 'linux-7.3.4',
    vcpus: [GUEST, GUEST],
    actors: [{ kind: 'nmi_throttle' }, { kind: 'foreign_nmi' }, { kind: 'tick' }],
  },
  'late NMIs': {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    events: [HOST_PLAIN],
    vcpus: [GUEST],
    actors: [{ kind: 'nmi_throttle' }, { kind: 'tick' }],
    nmi_timing: 'late',
  },
};

/** A path of random steps that ends at rest or in a run, and how many of its states have KVM at a guest's event. */
function randomPath(model: MachineModel, seed: number): { path: number[]; requests: number } {
  const dice = new Dice(seed);
  const path: number[] = [];
  const out = {
    words: new Int32Array(model.words * model.successorsMax),
    labels: new Int32Array(model.successorsMax),
    count: 0,
  };
  let words = initialState(model);
  let requests = 0;
  for (let operation = IDLE; path.length < 250 || !ENDS.includes(operation); ) {
    out.count = 0;
    model.expand(words, 0, out);
    // Most steps just go on, so that runs get somewhere.
    const next = dice.chance(6) ? dice.below(out.count) : 0;
    path.push(next);
    words = out.words.slice(next * model.words, (next + 1) * model.words);
    operation = model.unpacked(words).state.cpus[0]!.operation;
    requests += operation === PAUSE_EVENT || operation === RESUME_EVENT ? 1 : 0;
  }
  return { path, requests };
}

const ENDS = [IDLE, RUN_VCPU, PAUSE_EVENT, RESUME_EVENT];

/** The state of a live host that ran a path's script, packed as the search packs it; and its guests' PMIs. */
async function liveState(
  model: MachineModel,
  path: readonly number[],
): Promise<{ packed: number[]; pmis: number }> {
  const { state, vcpus } = await liveHost(model, path);
  const words = new Int32Array(model.words);
  model.layout.pack(state, new Int32Array(ACTOR_KINDS.length), words, 0);
  const pmis = vcpus.reduce((sum, vcpu) => sum + vcpu.pmis, 0);
  return { packed: [...words], pmis };
}

for (const [name, spec] of Object.entries(WORLDS)) {
  t.test(`${name}: a live host replays any path`, async (t) => {
    const model = createModel({ model: spec, properties: [] });
    let requests = 0;
    let pmis = 0;
    for (let seed = 1; seed <= 25; seed += 1) {
      const made = randomPath(model, seed);
      const live = await liveState(model, made.path);
      requests += made.requests;
      pmis += live.pmis;
      const last = present(replay(model, made.path).at(-1), 'last step').state;
      t.strictSame(live.packed, [...last], `seed ${seed}`);
    }
    t.ok(requests > 100, `${requests} states with KVM at an event`);
    t.ok(pmis > 5, `${pmis} PMIs`);
  });
}

t.test('a run that starts with an overflow noted is told from its first section on', async (t) => {
  const model = createModel({
    model: present(Object.values(WORLDS)[0], 'world'),
    properties: [],
  });
  const told = [1, 2, 3, 4, 5].flatMap((seed) =>
    renderSteps(model, stepsOfPath(model, randomPath(model, seed).path)),
  );
  const first = told
    .filter(({ action }) => action === 'v0 runs')
    .map(({ micro_step: step }) => step);
  t.strictSame([...new Set(first)].sort(), ['d1_n_added', 'k0_irq_off']);
  t.ok(told.some(({ action }) => action.startsWith('resume event')));
});

t.test('a guest without PEBS in its capabilities never flips IA32_PEBS_ENABLE', async (t) => {
  const world = (pebs: boolean): MachineModel =>
    createModel({
      model: {
        cpu_model: 'emerald-rapids',
        kernel: 'linux-7.3.4',
        vcpus: [{ pebs, wrmsr: [{ msr: 'IA32_PERFEVTSEL0', value: SAMPLING }] }],
        actors: [{ kind: 'guest_wrmsr' }],
      },
      properties: [],
    });
  const flip = /flips its IA32_PEBS_ENABLE/;
  const able = walkState(world(true), []);
  t.ok(able.enabled.some(({ action }) => flip.test(action)));
  const unable = walkState(world(false), []);
  t.notOk(unable.enabled.some(({ action }) => flip.test(action)));
  const refused = unable.refused.filter(({ action }) => flip.test(action));
  t.match(refused, [{ guards: [/the WRMSR is a #GP/] }]);
  const writes = { pebs: false, wrmsr: [{ msr: 'IA32_PEBS_ENABLE', value: 1 }] };
  const spec: ExplorationModel = {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    vcpus: [writes],
  };
  t.throws(() => createModel({ model: spec, properties: [] }), {
    place: '/vcpus/0/wrmsr/0',
    message: /IA32_PERF_CAPABILITIES/,
  });
});
