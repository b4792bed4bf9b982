/** Which worlds are searched, and what is refused. */
import t from 'tap';
import { ExplorationPageSchema } from '../../../schemas/exploration.js';
import { bodyOf, problemOf } from '../../helper.js';
import { actors, app, ended, event, post, SMALL, WIDE_EVENTS } from './lab.js';

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
