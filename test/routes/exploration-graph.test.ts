/** What the graph of an exploration says: registers and choices of a state, regions, points of no return, maps, neighbours. */
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import {
  CounterexampleSchema,
  type WalkState,
  WalkStateSchema,
} from '../../schemas/counterexample.js';
import { type Exploration, ExplorationSchema } from '../../schemas/exploration.js';
import { type ExplorationMap, ExplorationMapSchema } from '../../schemas/exploration-graph.js';
import { bodyOf, build, problemOf } from '../helper.js';

const app: FastifyInstance = await build(t);

async function explored(t: Test, payload: object): Promise<Exploration> {
  const response = await app.inject({
    method: 'POST',
    url: '/v1/explorations',
    headers: { prefer: 'wait=60' },
    payload,
  });
  return bodyOf(t, response, ExplorationSchema);
}

const LATE = { scenario: 'matrix-upstream-base-k3-late' };

async function stateAt(t: Test, of: Exploration, path: string, query = ''): Promise<WalkState> {
  const url = `/v1/explorations/${of.id}/states/${path}${query}`;
  return bodyOf(t, await app.inject(url), WalkStateSchema);
}

async function mapOf(t: Test, of: Exploration, query = ''): Promise<ExplorationMap> {
  return bodyOf(t, await app.inject(`/v1/explorations/${of.id}/map${query}`), ExplorationMapSchema);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

t.test('the point of no return of the main race is the throttling NMI', async (t) => {
  const race = await explored(t, LATE);
  const [i1] = race.properties;
  t.match(i1?.counterexample, { steps: 24, point_of_no_return: 15 });
  const url = `/v1/explorations/${race.id}/counterexamples/I1-0`;
  const { point_of_no_return, steps } = bodyOf(t, await app.inject(url), CounterexampleSchema);
  t.equal(point_of_no_return, 15);
  t.match(steps[14], { actor: 'nmi', action: /throttles/ });
  const goal = race.properties.find(({ id }) => id === 'guest_entered');
  t.equal(goal?.counterexample?.point_of_no_return, undefined, 'a goal is no violation');
});

t.test('on the way there every state says where it stands', async (t) => {
  const race = await explored(t, LATE);
  const path = race.properties[0]?.counterexample?.path.split('/') ?? [];
  const seen = [];
  for (let taken = 0; taken <= path.length; taken += 1) {
    const state = await stateAt(t, race, path.slice(0, taken).join('/'));
    t.equal(state.property, 'I1');
    seen.push(state.region);
    t.equal(state.steps_to_violation, path.length - taken, 'the path is a shortest one');
    const next = state.enabled.find((step) => step.path.split('/')[taken] === path[taken]);
    if (next === undefined) continue;
    const after = await stateAt(t, race, next.path);
    t.equal(next.id, after.id);
    t.equal(next.region, after.region);
    t.equal(next.steps_to_violation, after.steps_to_violation);
    t.strictSame(next.violates, after.violated);
  }
  t.strictSame(seen, [...Array(15).fill('avoidable'), ...Array(9).fill('doomed'), 'violating']);
});

t.test('a state has its registers as data, with what perf wants', async (t) => {
  const race = await explored(t, LATE);
  const end = await stateAt(t, race, race.properties[0]?.counterexample?.path ?? '');
  const [cpu] = end.registers;
  t.match(cpu, { cpu: 0, operation: 'run_vcpu', micro_step: 'k11_host', mode: 'host' });
  t.match(
    cpu?.msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE'),
    {
      value: '0x0000000000000001',
      desired: '0x0000000000000000',
      stuck: ['PMC0'],
      lost: [],
      vm_entry_load: '0x0000000000000000',
      vm_exit_load: '0x0000000000000001',
    },
  );
  const start = await stateAt(t, race, '');
  t.match(start.registers[0], { operation: 'idle', micro_step: 'rest' });
  t.match(
    start.enabled.find(({ action }) => action === 'v0 runs'),
    { actor: 'kvm', micro_step: 'k0_irq_off' },
  );
});

t.test('equal states have one id, on every path and in every exploration', async (t) => {
  const race = await explored(t, LATE);
  const again = await explored(t, LATE);
  const { id, enabled } = await stateAt(t, race, '0/0');
  t.equal((await stateAt(t, again, '0/0')).id, id);
  const ids = enabled.map((step) => step.id);
  t.equal(new Set(ids).size, ids.length, 'other states have others');
  t.strictSame(
    enabled.filter((step) => step.id === id).map(({ action }) => action),
    ['NMI from another source'],
    'but for the step that changes nothing',
  );
});

t.test('the map has every state once, by micro-step and operation', async (t) => {
  const race = await explored(t, LATE);
  const map = await mapOf(t, race);
  t.match(map, { cpu: 0, property: 'I1', complete: true });
  t.equal(sum(map.nodes.map(({ states }) => states)), race.distinct_states);
  t.equal(race.distinct_states, 404);
  t.equal(sum(map.nodes.map(({ doomed }) => doomed ?? 0)), 59);
  t.equal(sum(map.nodes.map(({ violating }) => violating ?? 0)), 22);
  t.equal(map.nodes.length, 34);
  for (const { micro_step, operation, shallowest } of map.nodes) {
    t.match((await stateAt(t, race, shallowest)).registers[0], { micro_step, operation });
  }
  const last = map.nodes.length - 1;
  t.ok(map.edges.every(({ from, to }) => from <= last && to <= last));
  t.ok(sum(map.edges.map(({ transitions }) => transitions)) <= race.total_states);
});

t.test('two CPUs have a map each', async (t) => {
  const world = {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    cpus: 2,
    events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
    vcpus: [{ cpu: 1 }],
    actors: [{ kind: 'pmu_section' }],
  };
  const both = await explored(t, { model: world, properties: ['I1'], fold: false });
  const maps = await Promise.all([0, 1].map((cpu) => mapOf(t, both, `?cpu=${cpu}`)));
  for (const { nodes } of maps)
    t.equal(sum(nodes.map(({ states }) => states)), both.distinct_states);
  const operations = maps.map(({ nodes }) =>
    nodes.some(({ operation }) => operation === 'run_vcpu'),
  );
  t.strictSame(operations, [false, true], 'only one of them runs the vCPU');
  const url = `/v1/explorations/${both.id}/map`;
  t.match(problemOf(t, await app.inject(`${url}?cpu=2`), 'validation').errors, [
    { pointer: '/cpu', in: 'query' },
  ]);
});

t.test('a search that was cut has no regions, and a map of what it has seen', async (t) => {
  const cut = await explored(t, { ...LATE, bounds: { states: 100 } });
  t.equal(cut.complete, false);
  t.equal(cut.properties[0]?.counterexample?.point_of_no_return, undefined);
  t.match(await stateAt(t, cut, ''), {
    region: null,
    steps_to_violation: null,
    regions_unknown: /not complete/,
  });
  const map = await mapOf(t, cut);
  t.match(map, { complete: false });
  t.equal(sum(map.nodes.map(({ states }) => states)), cut.distinct_states);
  t.ok(map.nodes.every(({ doomed }) => doomed === null));
  const holds = await explored(t, { scenario: 'matrix-linux-7.3.4-k3-late' });
  t.match(await stateAt(t, holds, '0'), { region: 'avoidable', steps_to_violation: null });
});

t.test('the regions of another invariant, and what is no invariant', async (t) => {
  const race = await explored(t, { ...LATE, properties: ['I2', 'I1', 'guest_entered'] });
  t.equal((await stateAt(t, race, '')).property, 'I1', 'by default of the first violated one');
  t.match(await stateAt(t, race, '', '?property=I2'), { property: 'I2', region: 'avoidable' });
  for (const id of ['I3', 'guest_entered']) {
    for (const where of ['states', 'map']) {
      const url = `/v1/explorations/${race.id}/${where}?property=${id}`;
      t.match(problemOf(t, await app.inject(url), 'validation').errors, [
        { pointer: '/property', in: 'query' },
      ]);
    }
  }
  const goals = await explored(t, { ...LATE, properties: ['guest_entered'] });
  t.match(await stateAt(t, goals, ''), {
    property: null,
    region: null,
    regions_unknown: /invariant/,
  });
  t.match(await mapOf(t, goals), { property: null });
});

t.test('the states around one, each once', async (t) => {
  const race = await explored(t, LATE);
  const from = '0/0/0/0/0/0';
  const { id, neighbourhood } = await stateAt(t, race, from, '?depth=3');
  const { nodes = [], edges = [], complete } = neighbourhood ?? {};
  t.equal(complete, true);
  t.match(nodes[0], { id, path: from, distance: 0 });
  t.equal(new Set(nodes.map((node) => node.id)).size, nodes.length);
  const known = new Map(nodes.map((node) => [node.id, node]));
  for (const { from, to } of edges) {
    const [a, b] = [known.get(from), known.get(to)];
    t.ok(a !== undefined && b !== undefined && b.distance <= a.distance + 1);
  }
  for (const node of nodes) {
    const state = await stateAt(t, race, node.path);
    const { region, steps_to_violation, violated } = state;
    t.match(node, { id: state.id, region, steps_to_violation, violated });
    t.strictSame(node.cpus[0], {
      micro_step: state.registers[0]?.micro_step,
      operation: state.registers[0]?.operation,
    });
    const steps = edges.filter((edge) => edge.from === node.id).length;
    t.equal(steps, node.distance < 3 ? state.enabled.length : 0, 'all steps up to the depth');
  }
  t.equal((await stateAt(t, race, from)).neighbourhood, undefined, 'only if asked for');
  const url = `/v1/explorations/${race.id}/states/?depth=4`;
  problemOf(t, await app.inject(url), 'validation');
});
