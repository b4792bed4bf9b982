/** Searches as jobs: asked for, waited for, bounded, queued, cancelled and refused; the service stays responsive. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import {
  type Exploration,
  ExplorationPageSchema,
  ExplorationSchema,
} from '../../schemas/exploration.js';
import type { ExplorationModel } from '../../schemas/exploration-model.js';
import { bodyOf, build, problemOf } from '../helper.js';

t.setTimeout(120_000);
const app: FastifyInstance = await build(t);

const event = (counter: string) => ({ counter, precise_ip: 2, exclude_guest: true });
const actors = (...kinds: string[]) => kinds.map((kind) => ({ kind }));

/** The main race with several events: more states than a test can wait for. */
const HUGE = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: ['PMC0', 'PMC1', 'PMC2', 'PMC3'].map(event),
  vcpus: [{}, {}],
  actors: actors('nmi_throttle', 'event_enable', 'event_disable', 'tick', 'pmu_section'),
  nmi_timing: 'late',
} satisfies object;
const WIDE_EVENTS = [...Array(8).keys()].map((counter) => event(`PMC${counter}`));
/** Some tens of thousands of states. */
const MIDDLE = {
  ...HUGE,
  events: ['PMC0', 'PMC1'].map(event),
  actors: actors('nmi_throttle', 'tick'),
  nmi_timing: 'prompt',
};
const SMALL = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: [event('PMC0')],
  vcpus: [{}],
  actors: actors('nmi_throttle'),
};
const huge = (more: object = {}) => ({ model: HUGE, properties: ['I11'], fold: false, ...more });

function post(payload: object, prefer?: string) {
  const headers = prefer === undefined ? {} : { prefer };
  return app.inject({ method: 'POST', url: '/v1/explorations', headers, payload });
}

async function started(t: Test, payload: object): Promise<Exploration> {
  return bodyOf(t, await post(payload), ExplorationSchema, 202);
}

async function ended(t: Test, payload: object): Promise<Exploration> {
  const exploration = bodyOf(t, await post(payload, 'wait=60'), ExplorationSchema);
  t.ok(exploration.finished_at, 'it has ended');
  return exploration;
}

async function read(t: Test, { id }: Exploration, prefer?: string): Promise<Exploration> {
  const headers = prefer === undefined ? {} : { prefer };
  const response = await app.inject({ url: `/v1/explorations/${id}`, headers });
  return bodyOf(t, response, ExplorationSchema);
}

async function cancel(t: Test, { id }: Exploration): Promise<Exploration> {
  const url = `/v1/explorations/${id}/cancel`;
  return bodyOf(t, await app.inject({ method: 'POST', url }), ExplorationSchema);
}

/** Reads an exploration again and again until it is as wanted. */
async function until(
  t: Test,
  exploration: Exploration,
  wanted: (now: Exploration) => boolean,
): Promise<Exploration> {
  const deadline = performance.now() + 20_000;
  let now = await read(t, exploration);
  while (!wanted(now) && performance.now() < deadline) {
    await sleep(20);
    now = await read(t, exploration);
  }
  t.ok(wanted(now), `it came to be as wanted: ${now.state}`);
  return now;
}

t.test(
  'a search is answered at once, can be found and read, and tells how far it is',
  async (t) => {
    const response = await post(huge());
    const exploration = bodyOf(t, response, ExplorationSchema, 202);
    t.equal(response.headers.location, `/v1/explorations/${exploration.id}`);
    t.match(exploration.state, /^(queued|running)$/);
    t.notOk(exploration.finished_at);
    const under = await until(t, exploration, ({ progress }) => progress.done > 10_000);
    t.equal(under.state, 'running');
    t.ok((under.progress.depth ?? 0) > 0 && (under.progress.frontier ?? 0) > 0);
    t.ok((under.progress.rate_per_second ?? 0) > 0 && (under.progress.megabytes ?? 0) > 0);
    if (under.progress.seconds_left !== undefined) {
      const [low = 0, likely = 0, high = 0] = under.progress.seconds_left;
      t.ok(low <= likely && likely <= high, 'a time left comes with its band');
    }
    const later = await until(
      t,
      exploration,
      ({ progress }) => progress.done > under.progress.done,
    );
    t.ok((later.progress.depth ?? 0) >= (under.progress.depth ?? 0));
    const list = bodyOf(t, await app.inject('/v1/explorations?limit=1000'), ExplorationPageSchema);
    t.ok(
      list.items.some(({ id }) => id === exploration.id),
      'it is in the list',
    );
    await cancel(t, exploration);
  },
);

t.test('a client that prefers to wait gets the end of a small search', async (t) => {
  const first = await post({ model: SMALL, properties: ['I1'] }, 'wait=30');
  const exploration = bodyOf(t, first, ExplorationSchema, 200);
  t.match(exploration, { state: 'succeeded', verdict: 'violated', complete: true, cut: null });
  t.equal(first.headers.location, `/v1/explorations/${exploration.id}`);
  t.strictSame(await read(t, exploration), exploration, 'it stays as it ended');
  const slow = await post(huge(), 'wait=1');
  const unfinished = bodyOf(t, slow, ExplorationSchema, 202);
  t.equal(unfinished.state, 'running', 'what takes longer is answered as under way');
  const waiting = performance.now();
  t.equal((await read(t, unfinished, 'wait=1')).state, 'running');
  t.ok(performance.now() - waiting > 900, 'reading waits too');
  await cancel(t, unfinished);
});

t.test('a cancelled search stops at once, is undecided, and frees its memory', async (t) => {
  const before = process.memoryUsage().rss;
  const exploration = await started(t, huge({ bounds: { seconds: 600 } }));
  await until(t, exploration, ({ progress }) => progress.done > 600_000);
  const [asked, grown] = [performance.now(), process.memoryUsage().rss];
  const cancelled = await cancel(t, exploration);
  const took = performance.now() - asked;
  t.comment(`cancelled within ${took.toFixed(0)} ms (aim 200)`);
  t.ok(took < 1000, `${took.toFixed(0)} ms`);
  t.match(cancelled, { state: 'cancelled', verdict: 'undecided', cut: 'cancelled' });
  t.ok(cancelled.finished_at);
  t.strictSame(await cancel(t, exploration), cancelled, 'cancelling again changes nothing');
  await sleep(300);
  const after = process.memoryUsage().rss;
  const megabytes = [before, grown, after].map((bytes) => Math.round(bytes / 2 ** 20));
  t.comment(`resident before, grown and after: ${megabytes.join(', ')} MB`);
  t.ok(after - before < (grown - before) / 2 + 30 * 2 ** 20, 'most of it is given back');
  const again = await ended(t, { model: SMALL, properties: ['I1'] });
  t.equal(again.verdict, 'violated', 'the service goes on');
});

t.test('a search cancelled in its first moments stops as fast', async (t) => {
  for (const delay of [0, 5, 60, 150]) {
    const exploration = await started(t, huge());
    await sleep(delay);
    const asked = performance.now();
    const cancelled = await cancel(t, exploration);
    const took = performance.now() - asked;
    t.comment(`cancelled ${delay} ms after its start within ${took.toFixed(0)} ms (aim 200)`);
    t.equal(cancelled.state, 'cancelled');
    t.ok(took < 1000, `${took.toFixed(0)} ms`);
  }
});

t.test('searches of a wide world, which go slowly, are cancelled as fast', async (t) => {
  const wide = { ...HUGE, vcpus: [{}, {}, {}, {}], events: WIDE_EVENTS };
  for (const delay of [5, 60, 400]) {
    const two = [
      await started(t, { model: wide, properties: ['I1'] }),
      await started(t, { model: wide, properties: ['I1'] }),
    ];
    await sleep(delay);
    const asked = performance.now();
    const cancelled = await Promise.all(two.map((one) => cancel(t, one)));
    const took = performance.now() - asked;
    t.comment(`two cancelled ${delay} ms after their start within ${took.toFixed(0)} ms (aim 200)`);
    t.strictSame(
      cancelled.map(({ state }) => state),
      ['cancelled', 'cancelled'],
    );
    t.ok(took < 1000, `${took.toFixed(0)} ms`);
  }
});

t.test('what has ended stays as it is when it is cancelled', async (t) => {
  const exploration = await ended(t, { model: SMALL, properties: ['I1'] });
  t.strictSame(await cancel(t, exploration), exploration);
  const url = '/v1/explorations/exp_0/cancel';
  problemOf(t, await app.inject({ method: 'POST', url }), 'not_found');
});

t.test('two searches run at once, the others wait their turn, and not without end', async (t) => {
  const all: Exploration[] = [];
  for (let nth = 0; nth < 5; nth += 1) all.push(await started(t, huge()));
  await sleep(50);
  const states = await Promise.all(all.map(async (one) => (await read(t, one)).state));
  t.strictSame(states, ['running', 'running', 'queued', 'queued', 'queued']);
  t.match(await cancel(t, all[3]!), { state: 'cancelled', distinct_states: 0 });
  await cancel(t, all[0]!);
  await until(t, all[2]!, ({ state }) => state === 'running');
  t.equal((await read(t, all[4]!)).state, 'queued');
  const more: Exploration[] = [];
  let refused = await post(huge());
  while (refused.statusCode === 202 && more.length < 100) {
    more.push(refused.json() as Exploration);
    refused = await post(huge());
  }
  problemOf(t, refused, 'too_many_requests');
  t.match(refused.headers['retry-after'], /^\d+$/);
  t.ok(more.length < 64, `${more.length + 1} may wait`);
  for (const one of [...more, ...all]) await cancel(t, one);
  const last = await ended(t, { model: SMALL, properties: ['I1'] });
  t.equal(last.verdict, 'violated', 'the queue moves on');
});

t.test('a bound that cuts a search makes it undecided, and it says which', async (t) => {
  const cuts = [
    [{ depth: 5 }, 'depthMax'],
    [{ states: 1000 }, 'statesMax'],
    [{ states: 1 }, 'statesMax'],
    [{ states: 50_000 }, 'statesMax'],
    [{ seconds: 0.01 }, 'millisMax'],
    [{ seconds: 0.4 }, 'millisMax'],
    [{ megabytes: 1 }, 'bytesMax'],
    [{ megabytes: 8 }, 'bytesMax'],
  ] as const;
  for (const [bounds, cut] of cuts) {
    const name = JSON.stringify(bounds);
    const result = await ended(t, { model: HUGE, properties: ['I11'], fold: false, bounds });
    t.match(result, { state: 'succeeded', verdict: 'undecided', complete: false, cut }, name);
    t.equal(result.properties[0]?.verdict, 'undecided', name);
    if ('states' in bounds) t.ok((result.distinct_states ?? 0) <= bounds.states + 128, name);
    if ('depth' in bounds) t.equal(result.depth, bounds.depth, name);
    if ('megabytes' in bounds) {
      const megabytes = (result.bytes_per_state * (result.distinct_states ?? 0)) / 2 ** 20;
      t.ok(megabytes <= bounds.megabytes, `${name}: ${megabytes} MB`);
    }
  }
});

t.test('a violation found before the bound is a violation all the same', async (t) => {
  const result = await ended(t, { model: HUGE, properties: ['I1'], bounds: { states: 40_000 } });
  t.match(result, { verdict: 'violated', complete: false });
  t.ok(result.cut !== null);
});

t.test('the number of NMIs can be bounded where the model leaves it open', async (t) => {
  const one = await ended(t, { model: SMALL, properties: ['I1'], bounds: { nmis: 1 } });
  t.equal(one.model.actors?.[0]?.budget, 1);
  const any = await ended(t, { model: SMALL, properties: ['I1'] });
  t.equal(any.model.actors?.[0]?.budget, undefined);
});

t.test('absurd requests are refused with the field, and nothing else happens', async (t) => {
  const model = (more: object) => ({ model: { ...SMALL, ...more }, properties: ['I1'] });
  const absurd: readonly (readonly [object, string | RegExp])[] = [
    [model({ cpus: 9 }), '/model/cpus'],
    [model({ cpus: 0 }), '/model/cpus'],
    [model({ actors: [{ kind: 'gremlin' }] }), '/model/actors/0/kind'],
    [model({ actors: [{ kind: 'tick', budget: 1e9 }] }), '/model/actors/0/budget'],
    [model({ actors: [{ kind: 'tick', budget: 0 }] }), '/model/actors/0/budget'],
    [model({ actors: actors('tick', 'tick') }), '/model/actors/1/kind'],
    [model({ actors: actors('migrate') }), '/model/cpus'],
    [model({ events: [event('PMC0'), event('PMC0')] }), /^\/model\/events\/1/],
    [
      model({ events: [{ ...event('PMC0'), sample_period: 1, sample_freq: 2 }] }),
      /^\/model\/events\/0/,
    ],
    [model({ events: [{ ...event('PMC0'), cpu: 1 }] }), /^\/model\/events\/0/],
    [model({ events: [{ ...event('PMC0'), group_leader: 'nobody' }] }), /^\/model\/events\/0/],
    [model({ events: [event('PMC99')] }), /^\/model\/events\/0/],
    [model({ vcpus: [{ cpu: 1 }] }), /^\/model\/vcpus\/0/],
    [model({ vcpus: [{}, {}, {}, {}, {}] }), '/model/vcpus'],
    [
      model({ vcpus: [{ wrmsr: [{ msr: 'IA32_NOTHING', value: 1 }] }] }),
      /^\/model\/vcpus\/0\/wrmsr\/0/,
    ],
    [model({ cpu_model: 'pentium' }), '/model/cpu_model'],
    [model({ kernel: 'linux-0.01' }), '/model/kernel'],
    [model({ nmi_timing: 'never' }), '/model/nmi_timing'],
    [model({ surprise: 1 }), /^\/model/],
    [{ ...model({}), properties: ['I99'] }, '/properties/0'],
    [{ ...model({}), properties: ['I1', 'I1'] }, '/properties'],
    [{ ...model({}), properties: [] }, '/properties'],
    [{ ...model({}), compare_with: 'linux-0.01' }, '/compare_with'],
    [{ ...model({}), workers: 99 }, '/workers'],
    [{ ...model({}), strategy: 'luck' }, '/strategy'],
    [{ ...model({}), bounds: { states: 0 } }, '/bounds/states'],
    [{ ...model({}), bounds: { depth: -1 } }, '/bounds/depth'],
    [{ ...model({}), bounds: { seconds: 1e9 } }, '/bounds/seconds'],
    [{ ...model({}), bounds: { megabytes: 1e9 } }, '/bounds/megabytes'],
    [{ scenario: 'no-such-scenario' }, '/scenario'],
  ];
  const count = async () =>
    bodyOf(t, await app.inject('/v1/explorations?limit=1000'), ExplorationPageSchema).items.length;
  const before = await count();
  for (const [payload, pointer] of absurd) {
    const response = await post(payload);
    const what = JSON.stringify(payload).slice(0, 300);
    t.ok(response.statusCode >= 400 && response.statusCode < 500, `${response.statusCode} ${what}`);
    const { errors = [] } = response.json() as { errors?: { pointer: string }[] };
    const pointers = errors.map((one) => one.pointer);
    const named = pointers.some((one) =>
      typeof pointer === 'string' ? one === pointer : pointer.test(one),
    );
    t.ok(named, `${what} names ${pointer}: ${pointers}`);
  }
  for (const payload of [{}, { scenario: 'h5-vmfail-k1', model: SMALL }, [], 'x', null]) {
    const response = await post(payload as object);
    t.ok(response.statusCode >= 400 && response.statusCode < 500, JSON.stringify(payload));
  }
  t.equal(await count(), before, 'no exploration was made');
});

t.test(
  'a world in which something moves is a world, and one in which nothing does is refused',
  async (t) => {
    const { cpu_model, kernel, events } = SMALL;
    for (const more of [{ vcpus: [{}] }, { actors: [{ kind: 'pmu_section' }] }]) {
      const result = await ended(t, { model: { cpu_model, kernel, ...more } });
      t.match(
        result,
        { state: 'succeeded', verdict: 'holds', complete: true },
        JSON.stringify(more),
      );
      t.ok((result.distinct_states ?? 0) > 1);
    }
    for (const more of [{}, { vcpus: [] }, { events, actors: [{ kind: 'foreign_nmi' }] }]) {
      const problem = problemOf(
        t,
        await post({ model: { cpu_model, kernel, ...more } }),
        'rule_violated',
      );
      t.equal(problem.errors[0]?.pointer, '/model/vcpus', JSON.stringify(more));
    }
    const wide = { ...SMALL, vcpus: [{}, {}, {}, {}], events: WIDE_EVENTS };
    const result = await ended(t, { model: wide, bounds: { states: 1000 } });
    t.equal(result.state, 'succeeded', 'as wide a world as may be asked for');
  },
);

t.test('depth-first finds the violation too, on a path that replays', async (t) => {
  const bfs = await ended(t, { model: SMALL, properties: ['I1', 'I7e'] });
  const dfs = await ended(t, { model: SMALL, properties: ['I1', 'I7e'], strategy: 'dfs' });
  t.match(dfs, { verdict: 'violated', complete: true, distinct_states: bfs.distinct_states });
  t.equal(dfs.total_states, bfs.total_states);
  t.strictSame(
    dfs.properties.map(({ verdict }) => verdict),
    bfs.properties.map(({ verdict }) => verdict),
  );
  const { path = '', steps = 0 } = dfs.properties[0]?.counterexample ?? {};
  t.ok(steps >= (bfs.properties[0]?.counterexample?.steps ?? 0));
  const state = await app.inject(`/v1/explorations/${dfs.id}/states/${path}`);
  t.match(state.json(), { violated: ['I1'] });
});

t.test(
  'random walks find the violation, the same for a seed; they never show that it holds',
  async (t) => {
    const request = { model: SMALL, properties: ['I1'], strategy: 'random', seed: 7, walks: 400 };
    const [once, again] = [await ended(t, request), await ended(t, request)];
    t.match(once, { verdict: 'violated', distinct_states: null });
    t.strictSame(once.properties, again.properties);
    const path = once.properties[0]?.counterexample?.path ?? '';
    const state = await app.inject(`/v1/explorations/${once.id}/states/${path}`);
    t.match(state.json(), { violated: ['I1'] });
    const landed = { ...SMALL, kernel: 'linux-6.12.117' };
    const holds = await ended(t, { ...request, model: landed });
    t.match(holds, { verdict: 'undecided', complete: false });
  },
);

/** All that a search found, without what depends on the clock. */
function findings(exploration: Exploration): unknown {
  const { verdict, complete, cut, distinct_states, total_states, depth, properties } = exploration;
  return { verdict, complete, cut, distinct_states, total_states, depth, properties };
}

t.test(
  'one worker or two, in six runs, and after a cancelled one: the same findings',
  async (t) => {
    const model: object = MIDDLE satisfies object as ExplorationModel;
    const request = { model, properties: ['I1', 'I2', 'event_throttled'], fold: false };
    const first = await ended(t, { ...request, workers: 1 });
    t.match(first, { state: 'succeeded', verdict: 'violated', complete: true });
    t.comment(`${first.distinct_states} states`);
    t.ok((first.distinct_states ?? 0) > 20_000, 'a world of some size');
    for (let nth = 0; nth < 6; nth += 1) {
      if (nth === 3) await cancel(t, await started(t, { ...request, workers: 2 }));
      const result = await ended(t, { ...request, workers: 1 + (nth % 2) });
      t.strictSame(findings(result), findings(first), `run ${nth}, ${1 + (nth % 2)} workers`);
    }
  },
);

t.test('the event loop stays free while two searches run', async (t) => {
  const running = [await started(t, huge()), await started(t, huge({ workers: 2 }))];
  await Promise.all(running.map((one) => until(t, one, ({ state }) => state === 'running')));
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let slowest = 0;
  const end = performance.now() + 3000;
  while (performance.now() < end) {
    const asked = performance.now();
    await app.inject('/v1/kernels');
    slowest = Math.max(slowest, performance.now() - asked);
    await sleep(10);
  }
  delay.disable();
  const [p50 = 0, p99 = 0] = [50, 99].map((one) => delay.percentile(one) / 1e6 - 10);
  t.comment(`event loop: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (aim 100)`);
  t.comment(`slowest answer ${slowest.toFixed(0)} ms`);
  t.ok(p99 < 300, `p99 ${p99.toFixed(1)} ms`);
  for (const one of running) await cancel(t, one);
});
