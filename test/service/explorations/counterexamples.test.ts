/** What a search hands out: the shortest way to a violation, told, replayed, walked and compared. */
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import {
  type Counterexample,
  CounterexamplePageSchema,
  CounterexampleSchema,
  type WalkState,
  WalkStateSchema,
} from '../../../schemas/counterexample.js';
import { type Exploration, ExplorationSchema } from '../../../schemas/exploration.js';
import { HostSchema } from '../../../schemas/host.js';
import { type Script, type ScriptAction, ScriptSchema } from '../../../schemas/script.js';
import { TracePageSchema } from '../../../schemas/trace.js';
import { SCENARIOS } from '../../../src/model/worlds/scenarios.js';
import { bodyOf, build, problemOf } from '../../helper.js';

const app: FastifyInstance = await build(t);

/** The example of the API design: the main race on upstream-base, K3. */
const RACE = {
  model: {
    cpu_model: 'emerald-rapids',
    kernel: 'upstream-base',
    cpus: 1,
    events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
    vcpus: [{}],
    actors: [{ kind: 'nmi_throttle', budget: 1 }],
  },
  properties: ['I1'],
  strategy: 'bfs',
  bounds: { seconds: 30 },
};

async function explored(t: Test, payload: object): Promise<Exploration> {
  const response = await app.inject({
    method: 'POST',
    url: '/v1/explorations',
    headers: { prefer: 'wait=60' },
    payload,
  });
  const exploration = bodyOf(t, response, ExplorationSchema);
  t.equal(exploration.state, 'succeeded', exploration.error ?? 'no error');
  return exploration;
}

async function counterexample(t: Test, of: Exploration, id: string): Promise<Counterexample> {
  const url = `/v1/explorations/${of.id}/counterexamples/${encodeURIComponent(id)}`;
  return bodyOf(t, await app.inject(url), CounterexampleSchema);
}

async function told(of: Exploration, id: string, accept: string, query = ''): Promise<string> {
  const url = `/v1/explorations/${of.id}/counterexamples/${id}${query}`;
  const response = await app.inject({ url, headers: { accept } });
  t.equal(response.statusCode, 200);
  t.match(response.headers['content-type'], accept);
  return response.body;
}

async function stateAt(t: Test, of: Exploration, path: string): Promise<WalkState> {
  return bodyOf(t, await app.inject(`/v1/explorations/${of.id}/states/${path}`), WalkStateSchema);
}

/** What a fresh host of a kernel makes of a counterexample's script. */
async function replayed(
  t: Test,
  { host, script }: Counterexample,
  kernel = host.kernel,
  actions: readonly ScriptAction[] = script,
): Promise<Script> {
  const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: { ...host, kernel } });
  const { id } = bodyOf(t, made, HostSchema, 201);
  const url = `/v1/hosts/${id}/scripts`;
  const answer = await app.inject({ method: 'POST', url, payload: { actions } });
  return bodyOf(t, answer, ScriptSchema);
}

function stuck({ msrs }: Script): string[] {
  return msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE')?.stuck ?? ['no such MSR'];
}

/** Whether some things come in an order, with others between them. */
function isSubsequence(wanted: readonly string[], all: readonly string[]): boolean {
  let next = 0;
  for (const one of all) if (one === wanted[next]) next += 1;
  return next === wanted.length;
}

const zero = '=0x0000000000000000';

/** Its steps by micro-step, or by actor where they are none; and the writes of one of them. */
function reading({ steps }: Counterexample) {
  const names = steps.map(({ actor, micro_step }) => micro_step ?? actor);
  const writes = (name: string): string[] =>
    steps[names.lastIndexOf(name)]?.msr_writes.map(({ msr, value }) => `${msr}=${value}`) ?? [];
  return { names, writes };
}

t.test('with late NMIs the shortest counterexample of the main race is that of §7.2', async (t) => {
  const late = await explored(t, { ...RACE, model: { ...RACE.model, nmi_timing: 'late' } });
  const found = await counterexample(t, late, 'I1-0');
  const { names, writes } = reading(found);
  const asInSheet = [
    'k4_read_masks',
    'k4_list_build',
    'k5_switch:IA32_PEBS_ENABLE',
    'nmi',
    'k9_vmlaunch',
    'v1_guest_state',
    'v2_entry_load',
    'v5_host_state',
    'v6_exit_load',
  ];
  t.ok(isSubsequence(asInSheet, names), names.join(' '));
  t.equal(names.filter((name) => name === 'nmi').length, 2, 'an overflow and its NMI');
  t.match(writes('k5_switch:IA32_PEBS_ENABLE'), [`IA32_PEBS_ENABLE${zero}`], 't2: KVM quiesces');
  const nmi = writes('nmi');
  t.equal(nmi[0], `IA32_PERF_GLOBAL_CTRL${zero}`, 't3: n1');
  t.ok(nmi.includes(`IA32_PEBS_ENABLE${zero}`), 't4: n5 writes what it wants: 0');
  t.equal(nmi.at(-1), 'IA32_PERF_GLOBAL_CTRL=0x0001000f000000ff', 't5: n9');
  t.ok(writes('v6_exit_load').includes('IA32_PEBS_ENABLE=0x0000000000000001'), 't7: stuck');
  t.strictSame(stuck(await replayed(t, found)), ['PMC0']);
});

t.test(
  'with prompt NMIs it is one step shorter, and its NMI lands between k4 and the quiescing',
  async (t) => {
    const [race, late] = [
      await explored(t, RACE),
      await explored(t, { ...RACE, model: { ...RACE.model, nmi_timing: 'late' } }),
    ];
    t.equal(race.verdict, 'violated');
    t.equal(race.properties[0]?.minimal, true);
    const found = await counterexample(t, race, 'I1-0');
    t.equal(found.steps.length, race.properties[0]?.counterexample?.steps);
    t.equal(found.steps.length + 1, late.properties[0]?.counterexample?.steps);
    t.equal(found.path, race.properties[0]?.counterexample?.path);
    t.equal(found.path.split('/').length, found.steps.length);
    const { names, writes } = reading(found);
    const asInSheet = [
      'k4_list_build',
      'nmi',
      'k5_switch:IA32_PEBS_ENABLE',
      'v2_entry_load',
      'v6_exit_load',
    ];
    t.ok(isSubsequence(asInSheet, names), names.join(' '));
    t.equal(names.filter((name) => name === 'nmi').length, 1, 'a single NMI');
    t.ok(writes('v6_exit_load').includes('IA32_PEBS_ENABLE=0x0000000000000001'), 'stuck');
    for (const { micro_step, action, source } of found.steps) {
      if (micro_step === 'guest') continue;
      t.match(source, /\.[ch]\b|SDM/, `${action} names its kernel file or the SDM`);
    }
  },
);

t.test('no schedule shorter than the counterexample violates anything', async (t) => {
  const race = await explored(t, RACE);
  const steps = race.properties[0]?.counterexample?.steps ?? 0;
  const shallower = await explored(t, { ...RACE, bounds: { depth: steps - 1 } });
  t.match(shallower, { verdict: 'undecided', complete: false });
  t.equal(shallower.properties[0]?.states, 0);
  const asDeep = await explored(t, { ...RACE, bounds: { depth: steps } });
  t.equal(asDeep.verdict, 'violated');
});

t.test('the counterexample comes as a story and as a sequence diagram', async (t) => {
  const race = await explored(t, RACE);
  const { steps, summary, end } = await counterexample(t, race, 'I1-0');
  const short = await told(race, 'I1-0', 'text/plain');
  t.match(short, /I1 on upstream-base, emerald-rapids/);
  t.ok(short.includes(`\n\n${summary}\n\n`), 'it opens with the summary');
  t.strictSame(
    end.map(({ field, bits }) => [field, bits]),
    [['IA32_PEBS_ENABLE', 'PMC0']],
  );
  for (const { hardware, desired } of end) {
    t.ok(short.includes(`hardware  ${hardware}\n`) && short.includes(`desired   ${desired}\n`));
  }
  const url = `/v1/explorations/${race.id}/counterexamples/I1-0?steps=some`;
  problemOf(t, await app.inject(url), 'validation');
  const story = await told(race, 'I1-0', 'text/plain', '?steps=all');
  t.ok(story.length > short.length, 'and folds what only marks time');
  for (const source of new Set(steps.map((step) => step.source))) t.match(story, source);
  const microSteps = steps.flatMap(({ micro_step }) => micro_step ?? []);
  t.ok(
    microSteps.every((name) => story.includes(name) && short.includes(name)),
    'every micro-step is in both',
  );
  const diagram = await told(race, 'I1-0', 'text/vnd.mermaid', '?steps=all');
  t.match(diagram, /^sequenceDiagram\n/);
  const lines = diagram.trim().split('\n').slice(1);
  t.ok(lines.length >= steps.length, 'a line for each step');
  const participants = lines.flatMap((line) => /^ *participant (\w+)/.exec(line)?.[1] ?? []);
  for (const line of lines.filter((one) => one.includes('>>'))) {
    const [, from = '', to = ''] = /^ *(\w+)-{1,2}>>[+-]?(\w+): \S/.exec(line) ?? [];
    t.ok(participants.includes(from) && participants.includes(to), line);
  }
});

t.test(
  'its script makes a live host stuck; the landed kernel is not, on the same schedule',
  async (t) => {
    const race = await explored(t, RACE);
    const found = await counterexample(t, race, 'I1-0');
    t.equal(found.host.kernel, 'upstream-base');
    const live = await replayed(t, found);
    t.strictSame(stuck(live), ['PMC0']);
    t.ok(live.violations.some(({ invariant }) => invariant === 'I1'));
    // The landed list has no IA32_PEBS_ENABLE on K3, so an NMI after that switch lands after the last one it has.
    const landed = found.script.map((action) => {
      if (action.action !== 'transition') return action;
      const { kind: _kind, count: _count, ...rest } = action;
      const inject = action.inject?.map((one) => ({
        ...one,
        at: one.at.startsWith('k5_switch') ? 'k5_switch' : one.at,
      }));
      return { ...rest, kind: 'round_trip', ...(inject && { inject }) } as ScriptAction;
    });
    for (const kernel of ['upstream-base', 'linux-6.12.117']) {
      const answer = await replayed(t, found, kernel, landed);
      t.equal(answer.results.at(-1)?.throttles, 1, `${kernel}: the event is throttled`);
      t.strictSame(stuck(answer), kernel === 'upstream-base' ? ['PMC0'] : [], kernel);
      const fails = answer.violations.some(({ invariant }) => invariant === 'I1');
      t.equal(fails, kernel === 'upstream-base', `${kernel}: I1`);
    }
  },
);

t.test(
  'its steps mark what perf wants and what fails as the trace of its replay does',
  async (t) => {
    const race = await explored(t, { ...RACE, model: { ...RACE.model, nmi_timing: 'late' } });
    const found = await counterexample(t, race, 'I1-0');
    const [cpu] = found.registers_before;
    const pebs = cpu?.msrs.find(({ msr }) => msr === 'IA32_PEBS_ENABLE');
    t.match(pebs, { value: '0x0000000000000001', desired: '0x0000000000000001' });
    t.strictSame(cpu?.violated, []);
    t.ok(found.steps.at(-1)?.violated.includes('I1'), 'the last step violates it');
    t.notOk(
      found.steps.slice(0, -1).some(({ violated }) => violated.includes('I1')),
      'and none before',
    );
    const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: found.host });
    const url = `/v1/hosts/${bodyOf(t, made, HostSchema, 201).id}`;
    const payload = { actions: found.script };
    await app.inject({ method: 'POST', url: `${url}/scripts`, payload });
    const { items } = bodyOf(t, await app.inject(`${url}/trace?limit=1000`), TracePageSchema);
    // The script also sets the world up, which is no step of the counterexample.
    const replayed = items.slice(-found.steps.length);
    const told = (steps: readonly { desired: unknown[]; violated: string[] }[]) =>
      steps.map(({ desired, violated }) => ({ desired, violated }));
    t.strictSame(told(replayed), told(found.steps));
    t.ok(found.steps.some(({ desired }) => desired.length > 0));
  },
);

t.test(
  'a counterexample of each invariant replays to the same violation on a live host',
  async (t) => {
    const replays = new Set<string>();
    for (const { id: scenario, expected } of SCENARIOS) {
      const properties = Object.keys(expected).filter(
        (id) => expected[id] === 'violated' && !replays.has(id),
      );
      if (properties.length === 0) continue;
      const result = await explored(t, { scenario, properties });
      for (const { id, counterexamples } of result.properties) {
        const [link] = counterexamples;
        const found = await counterexample(t, result, link?.id ?? `${id}-0`);
        const { violations } = await replayed(t, found);
        const seen = violations.map(({ invariant }) => invariant);
        t.ok(seen.includes(id), `${scenario} ${id}: ${seen}`);
        replays.add(id);
      }
    }
    t.ok(replays.size >= 10, `${[...replays]}`);
  },
);

t.test('the path of a counterexample leads to its violation and to none before', async (t) => {
  for (const id of ['matrix-upstream-base-k3-late', 'h2-late-pmi-linux-6.12.117']) {
    const result = await explored(t, { scenario: id });
    const path = result.properties.find((one) => one.id === 'I1')?.counterexample?.path ?? '';
    const indices = path.split('/');
    for (let length = 0; length <= indices.length; length += 1) {
      const here = indices.slice(0, length).join('/');
      const { violated, enabled } = await stateAt(t, result, here);
      t.strictSame(
        violated,
        length === indices.length ? ['I1'] : [],
        `${id} after ${length} steps`,
      );
      const next = indices.slice(0, length + 1).join('/');
      if (length < indices.length) t.ok(enabled.some((one) => one.path === next));
    }
  }
});

t.test('a walk says what is possible and, of the rest, which guards are false', async (t) => {
  const race = await explored(t, {
    ...RACE,
    model: {
      ...RACE.model,
      // Of a fixed period: in frequency mode the tick would always have something to do.
      events: [{ counter: 'PMC0', precise_ip: 2, sample_period: 100003, exclude_guest: true }],
      actors: [{ kind: 'nmi_throttle', budget: 1 }, { kind: 'tick' }, { kind: 'event_enable' }],
    },
    properties: ['I1', 'event_throttled', 'guest_entered'],
  });
  const at = async (path: string) => {
    const state = await stateAt(t, race, path);
    const guards = (action: RegExp): string =>
      state.refused.find((one) => action.test(one.action))?.guards.join('; ') ?? 'not refused';
    const follow = (action: RegExp): string =>
      state.enabled.find((one) => action.test(one.action))?.path ?? `no ${action} at ${path}`;
    return { state, guards, follow };
  };
  const start = await at('');
  t.strictSame(start.state.violated, []);
  t.match(start.guards(/tick/), /nothing was throttled since the last tick/);
  t.match(start.guards(/enable e0/), /the event is not off/);
  t.ok(
    start.state.refused.every(({ guards }) => guards.length > 0),
    'each has a reason',
  );
  const running = await at(start.follow(/^v0 runs/));
  t.match(running.guards(/v0 runs/), /CPU 0 is in the (guest|middle of a run) of v0/);
  t.match(running.guards(/tick/), /CPU 0 is in the (guest|middle of a run) of v0/);
  const throttled = await at(start.follow(/PMC0/));
  t.strictSame(throttled.state.witnessed, ['event_throttled']);
  t.match(throttled.guards(/PMC0|throttle/), /the budget of nmi_throttle is spent/);
  t.match(throttled.follow(/tick/), /^\d+\/\d+$/, 'the tick is possible now');
  t.ok(start.state.cpus[0]?.includes('pebs_enabled PMC0'));
  t.ok(start.state.cpus[0]?.includes('IA32_PEBS_ENABLE PMC0'));
  t.match(throttled.state.cpus[0]?.join('\n'), /^((?!pebs_enabled)[\s\S])*$/, 'as at boot');
  t.ok(throttled.state.events[0]?.includes('status stopped'));
  t.ok(running.state.cpus[0]?.includes('vCPU thread v0'));
});

t.test('what is not there is not found', async (t) => {
  const race = await explored(t, RACE);
  const at = `/v1/explorations/${race.id}`;
  for (const path of ['99', '0/0/0/99', 'x', '-1', '0//1', 'v9:0', '0/1.5', '00', '999999999999']) {
    problemOf(t, await app.inject(`${at}/states/${encodeURIComponent(path)}`), 'not_found');
  }
  for (const id of ['I1-99', 'I2-0', 'nothing-0']) {
    problemOf(t, await app.inject(`${at}/counterexamples/${id}`), 'not_found');
  }
  problemOf(t, await app.inject('/v1/explorations/exp_0'), 'not_found');
  problemOf(t, await app.inject('/v1/explorations/exp_0/states/0'), 'not_found');
  problemOf(t, await app.inject('/v1/explorations/exp_0/counterexamples/I1-0'), 'not_found');
  const url = `${at}/counterexamples/I1-0`;
  problemOf(t, await app.inject({ url, headers: { accept: 'image/png' } }), 'not_acceptable');
});

t.test('two kernels on one schedule: the shortest one that tells them apart', async (t) => {
  const race = await explored(t, { ...RACE, compare_with: 'linux-6.12.117' });
  t.match(race.difference, { kernel: 'upstream-base', other: 'linux-6.12.117' });
  const { steps = 0, schedule = [], msrs_part_at = null } = race.difference ?? {};
  t.equal(schedule.length, steps);
  const alone = race.properties[0]?.counterexample?.steps ?? 0;
  t.ok(steps >= alone, `a pair needs ${steps} steps, upstream-base alone ${alone}`);
  t.match(msrs_part_at, /^step \d+: /);
  const part = Number(/^step (\d+)/.exec(msrs_part_at ?? '')?.[1]);
  t.ok(part >= 1 && part <= steps);
  t.ok(msrs_part_at?.endsWith(schedule[part - 1] ?? 'missing'), 'the step is one of the schedule');
  const { msrs_part = null, summary = '', end, property } = race.difference ?? {};
  t.equal(msrs_part?.step, part);
  t.match(msrs_part?.registers, [{ msr: /^(IA32|MSR)_/, kernel: /^0x/, other: /^0x/ }]);
  for (const { kernel, other } of msrs_part?.registers ?? []) t.not(kernel, other);
  t.equal(property, 'I1');
  t.match(summary, /^PMC0 is stuck in IA32_PEBS_ENABLE: VM-exit \(step \d+\) loaded the value/);
  t.match(end, [{ field: 'IA32_PEBS_ENABLE', bits: 'PMC0' }]);
  for (const [, number] of summary.matchAll(/step (\d+)/g)) t.ok(Number(number) <= steps);
  t.ok(schedule.every((one) => !/goes on/.test(one)));
  t.ok(schedule.some((one) => one === 'k5_switch:IA32_PEBS_ENABLE, on upstream-base alone'));
  const { sides = [], first, differences = [] } = race.difference ?? {};
  t.match(sides, [
    { kernel: 'upstream-base', verdict: 'violated' },
    { kernel: 'linux-6.12.117', verdict: 'holds' },
  ]);
  const alike = schedule.filter((step) => !step.endsWith(' alone')).length;
  const onOneSide = differences.filter(({ kind }) => kind === 'control');
  t.equal(alike + onOneSide.length, steps, 'the same steps are on one side alone');
  const [control = -1, gap] = first?.control ?? [];
  t.match(sides[0]?.steps[control ?? -1], { at: 'k5_switch:IA32_PEBS_ENABLE', actor: 'kvm' });
  t.equal(gap, null);
  t.strictSame(
    differences.filter(({ kind }) => kind === 'write').map(({ at }) => at),
    ['v2_entry_load', 'v6_exit_load'],
  );
  t.match(sides[0]?.steps.at(-1)?.violated, ['I1']);
  const turned = await explored(t, {
    ...RACE,
    model: { ...RACE.model, kernel: 'linux-6.12.117' },
    compare_with: 'upstream-base',
  });
  t.equal(turned.verdict, 'holds', 'the landed kernel by itself holds');
  t.match(turned.difference, { kernel: 'upstream-base', other: 'linux-6.12.117', steps });
  const same = await explored(t, { ...RACE, compare_with: 'upstream-base' });
  t.equal(same.difference, null, 'no schedule tells a kernel from itself');
});

t.test('H2 needs a late NMI, both events, and their coming and going; nothing else', async (t) => {
  const result = await explored(t, { scenario: 'h2-late-pmi-linux-6.12.117', assumptions: true });
  t.equal(result.verdict, 'violated');
  const needed = Object.fromEntries(
    (result.assumptions ?? []).map((one) => [one.assumption, one.needed]),
  );
  t.strictSame(needed, {
    'all events but one': true,
    'all actors but one': true,
    'all NMIs but one': false,
    'all acts of each actor but one': false,
    'late NMIs': true,
    'the actor nmi_throttle': true,
    'the actor event_enable': false,
    'the actor event_disable': true,
    'the event e0': true,
    'the event e1': true,
  });
  for (const { needed, verdict } of result.assumptions ?? []) {
    t.equal(verdict, needed ? 'holds' : 'violated');
  }
  t.match(result.smallest_world, {
    model: {
      actors: [
        { kind: 'event_disable', budget: 1 },
        { kind: 'nmi_throttle', budget: 1 },
      ],
      nmi_timing: 'late',
    },
    steps: 12,
    minimal: true,
  });
  t.equal(result.smallest_world?.model.events?.length, 2);
});

t.test(
  'the main race needs its NMI, its event and its vCPU, but no late NMIs and no tick',
  async (t) => {
    const { assumptions = [], smallest_world } = await explored(t, {
      scenario: 'matrix-upstream-base-k3-late',
      assumptions: true,
    });
    const needed = new Map(assumptions.map((one) => [one.assumption, one.needed]));
    for (const [assumption, expected] of [
      ['late NMIs', false],
      ['the actor nmi_throttle', true],
      ['the actor foreign_nmi', false],
      ['the actor tick', false],
      ['the event e0', true],
      ['the vCPU v0', true],
    ] as const) {
      t.equal(needed.get(assumption), expected, assumption);
    }
    const { model, steps, minimal, without } = smallest_world ?? { without: [] };
    t.match(model, { actors: [{ kind: 'nmi_throttle', budget: 1 }], nmi_timing: 'prompt' });
    t.ok(minimal, without.join(', '));
    const again = await explored(t, { model, properties: ['I1'], assumptions: true });
    t.match(again.properties, [{ verdict: 'violated', counterexample: { steps } }]);
    t.ok(
      again.assumptions?.every(({ needed }) => needed),
      'nothing more can be dropped',
    );
    t.strictSame(again.smallest_world?.without, []);
  },
);

t.test(
  'all minimal counterexamples are listed up to symmetry, and their number is told',
  async (t) => {
    const result = await explored(t, {
      ...RACE,
      model: {
        ...RACE.model,
        events: ['PMC0', 'PMC1', 'PMC2'].map((counter) => ({ ...RACE.model.events[0], counter })),
        vcpus: [{}, {}],
      },
    });
    const whole = await explored(t, {
      ...RACE,
      model: result.model,
      fold: false,
    });
    t.ok(result.folded.length === 2, `folded: ${result.folded.join('; ')}`);
    t.strictSame(whole.folded, []);
    t.ok((result.distinct_states ?? 0) * 2 < (whole.distinct_states ?? 0), 'far fewer states');
    const [folded, unfolded] = [result.properties[0]!, whole.properties[0]!];
    t.strictSame(
      folded.counterexamples.map(({ steps, symmetric, paths }) => ({ steps, symmetric, paths })),
      unfolded.counterexamples.map(({ steps, symmetric, paths }) => ({ steps, symmetric, paths })),
    );
    const orders = folded.counterexamples.map(({ symmetric }) => symmetric);
    t.ok(
      orders.some((count) => count > 1),
      `a class stands for several states: ${orders}`,
    );
    for (const { id } of folded.counterexamples) {
      const found = await counterexample(t, result, id);
      t.not(stuck(await replayed(t, found)).length, 0, `${id} comes out un-permuted: it replays`);
    }
  },
);

t.test('counterexamples are listed, and the first of a property needs no number', async (t) => {
  const { properties: _, ...race } = RACE;
  const found = await explored(t, race);
  const url = `/v1/explorations/${found.id}/counterexamples`;
  const { items } = bodyOf(t, await app.inject(`${url}?limit=1000`), CounterexamplePageSchema);
  const links = found.properties.flatMap(({ counterexamples }) => counterexamples);
  t.ok(links.length > 1);
  t.strictSame(
    items.map(({ property: _, ...item }) => item),
    links.map(({ path: _, ...link }) => link),
  );
  t.strictSame(
    items.map(({ property }) => property),
    items.map(({ id }) => id.split('-')[0]),
  );
  const page = bodyOf(t, await app.inject(`${url}?limit=1`), CounterexamplePageSchema);
  const next = await app.inject(`${url}?limit=1&cursor=${page.next_cursor}`);
  t.equal(bodyOf(t, next, CounterexamplePageSchema).items[0]?.id, items[1]?.id);
  t.strictSame(await counterexample(t, found, 'I1'), await counterexample(t, found, 'I1-0'));
  problemOf(t, await app.inject(`${url}/I2`), 'not_found');
  problemOf(t, await app.inject('/v1/explorations/exp_0/counterexamples'), 'not_found');
});
