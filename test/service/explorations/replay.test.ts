/** Scripts say everything that a search can: a live host that runs the script of a walk ends in the state of the walk. */
import t from 'tap';
import { successorsFor } from '../../../src/explorer/model.js';
import { initialState, walkTo } from '../../../src/explorer/path.js';
import { Random } from '../../../src/explorer/prng.js';
import { search } from '../../../src/explorer/search.js';
import { createModel, type MachineModel } from '../../../src/model/machine-model.js';
import { nextToReprogram } from '../../../src/model/steps/guards.js';
import { candidateOf, labelOf } from '../../../src/model/steps/index.js';
import { SCENARIOS } from '../../../src/model/worlds/scenarios.js';
import { INVARIANTS, violatedAt } from '../../../src/pmu/invariants/index.js';
import { VMX_ABORT } from '../../../src/pmu/machine/micro-step.js';
import {
  IDLE,
  type LogicalCpu,
  type MachineState,
  RUN_VCPU,
} from '../../../src/pmu/machine/state.js';
import { NO_EVENT } from '../../../src/pmu/perf/perf-event.js';
import { FURTHER } from '../../model/further-worlds.js';
import { liveHost } from '../../model/live-host.js';

const SEED = 7;
/** From each scenario, and from each world with more actors. */
const WALKS = 2;
const FURTHER_WALKS = 100;
const STEPS_MAX = 250;

const WORLDS = [
  ...SCENARIOS.map(({ id, model }) => [id, model, WALKS] as const),
  ...Object.entries(FURTHER).map(([id, model]) => [id, model, FURTHER_WALKS] as const),
];

/** A walk of random steps that ends anywhere. */
class RandomWalk {
  readonly path: number[] = [];
  words: Int32Array;
  private readonly model: MachineModel;
  private readonly out;

  constructor(model: MachineModel, random: Random) {
    this.model = model;
    this.words = initialState(model);
    this.out = successorsFor(model, 1);
    for (let steps = 1 + random.below(STEPS_MAX); steps > 0 && this.look() > 0; steps -= 1) {
      // Every other step is the first possible one, so that operations get somewhere.
      this.take(random.below(2) === 0 ? 0 : random.below(this.out.count));
    }
  }

  private look(): number {
    this.out.count = 0;
    this.model.expand(this.words, 0, this.out);
    return this.out.count;
  }

  private take(index: number): void {
    const { words } = this.model;
    this.path.push(index);
    this.words = this.out.words.slice(index * words, (index + 1) * words);
  }
}

/** A state as the search sees it, packed and unpacked: what makes no difference to any future is gone. */
function asSearched(
  model: MachineModel,
  state: MachineState,
  spent: Int32Array,
): Pick<MachineState, 'cpus' | 'vcpus' | 'events' | 'noIsolation'> {
  const words = new Int32Array(model.words);
  model.layout.pack(state, spent, words, 0);
  const { cpus, ...rest } = model.unpacked(words).state;
  return { ...rest, cpus: cpus.filter(isUp) };
}

/** After a VMX abort it depends on the order of the load area, which a packed state does not keep, which MSRs were loaded. */
function isUp({ pc }: LogicalCpu): boolean {
  return pc !== VMX_ABORT;
}

t.test('a walk ends on a live host as in the search', async (t) => {
  let latched = 0;
  let running = 0;
  let busy = 0;
  let toReprogram = 0;
  for (const [id, spec, walks] of WORLDS) {
    const model = createModel({ model: spec, properties: [] });
    for (let walk = 0; walk < walks; walk += 1) {
      const { path, words } = new RandomWalk(model, new Random(SEED, walk));
      const { state, spent } = model.unpacked(words);
      const { state: live } = await liveHost(model, path);
      t.strictSame(
        asSearched(model, live, spent),
        asSearched(model, state, spent),
        `${id}: ${path.join('/')}`,
      );
      const overflows = state.cpus.some(
        ({ hardware: { status, dsRecords } }) => status | dsRecords,
      );
      latched += overflows ? 1 : 0;
      running += state.cpus.some(({ operation }) => operation === RUN_VCPU) ? 1 : 0;
      busy += state.cpus.some(({ operation }) => operation > RUN_VCPU) ? 1 : 0;
      toReprogram += state.cpus.some(
        (cpu) =>
          cpu.operation === IDLE &&
          nextToReprogram(candidateOf(model.explored, state, labelOf(0, cpu.index, 0))) !==
            NO_EVENT,
      )
        ? 1
        : 0;
    }
  }
  t.ok(latched > 10, `${latched} walks end with an overflow whose NMI is still to come`);
  t.ok(running > 50, `${running} walks end in the middle of a run`);
  t.ok(busy > 100, `${busy} walks end in the middle of an operation of the host`);
  t.ok(toReprogram > 2, `${toReprogram} walks end where KVM has a counter to reprogram`);
});

t.test('the script of a counterexample ends at the step that violates the invariant', async (t) => {
  let busy = 0;
  for (const { id: scenario, expected, model: spec, properties } of SCENARIOS) {
    if (!Object.values(expected).includes('violated')) continue;
    const model = createModel({ model: spec, properties });
    for (const { id, evidence } of search(model).properties) {
      const invariant = INVARIANTS.findIndex((one) => one.id === id);
      if (invariant < 0 || evidence === null) continue;
      for (const path of evidence.groups.map(({ listed }) => listed[0]!)) {
        const { world, state } = await liveHost(model, path);
        const violated = state.cpus.reduce((bits, cpu) => bits | violatedAt(world, state, cpu), 0);
        t.ok(violated & (1 << invariant), `${scenario}: ${id}`);
        const { state: found, spent } = model.unpacked(walkTo(model, path).state);
        t.strictSame(asSearched(model, state, spent), asSearched(model, found, spent));
        busy += state.cpus.some(({ operation }) => operation > RUN_VCPU) ? 1 : 0;
      }
    }
  }
  t.ok(busy > 0, `${busy} of them in the middle of an operation of the host`);
});
