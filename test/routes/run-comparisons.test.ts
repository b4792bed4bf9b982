/** One script on several kernels, step beside step. */
import t, { type Test } from 'tap';
import {
  type RunComparison,
  type RunComparisonRequest,
  RunComparisonSchema,
} from '../../schemas/run-comparison.js';
import type { ScriptAction } from '../../schemas/script.js';
import { bodyOf, problemOf } from '../helper.js';
import { type Lab, openLab } from './lab.js';

const URL = '/v1/comparisons/runs';

/** The script of the README: a throttling NMI after the lists are applied. */
const STORY = [
  { action: 'open_event', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
  { action: 'add_vcpu', name: 'guest' },
  {
    action: 'transition',
    vcpu: 'guest',
    kind: 'round_trip',
    inject: [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }],
  },
] as unknown as ScriptAction[];

async function compare(
  lab: Lab,
  kernels: readonly string[],
  script: readonly ScriptAction[] = STORY,
  more: Partial<RunComparisonRequest> = {},
): Promise<RunComparison> {
  const body = { kernels, cpu_model: 'emerald-rapids', script, ...more };
  return bodyOf(lab.t, await lab.send('POST', URL, body), RunComparisonSchema);
}

/** The registers on each side after a step, by `cpu msr`: what was there before, and what steps have changed since. */
function registersAt({ registers_before, steps }: RunComparison['sides'][number], index: number) {
  const known = new Map(
    registers_before?.flatMap(({ cpu, msrs }) => msrs.map((one) => [`${cpu} ${one.msr}`, one])),
  );
  for (const { changed = [] } of steps.slice(0, index + 1)) {
    for (const { cpu, ...one } of changed) known.set(`${cpu} ${one.msr}`, one);
  }
  return known;
}

/** All differing registers are as steps have changed them. */
function assertChanges(t: Test, found: RunComparison): void {
  let compared = 0;
  for (const { cpu, index, registers = [] } of found.differences) {
    for (const { msr, field, values } of registers) {
      if (field !== 'value' && field !== 'desired') continue;
      const own = found.sides.map((side, at) => registersAt(side, index[at]!).get(`${cpu} ${msr}`));
      t.strictSame(
        own.map((one) => one?.[field]),
        values,
        `${msr} ${field} at ${index}`,
      );
      compared += 1;
    }
  }
  t.ok(compared > 0);
}

const kindsOf = ({ differences }: RunComparison) => differences.map(({ kind }) => kind);
const ofKind = ({ differences }: RunComparison, kind: string) =>
  differences.filter((difference) => difference.kind === kind);

t.test('the story on the kernels before and after the series', async (t) => {
  const lab = await openLab(t);
  const found = await compare(lab, ['upstream-base', 'linux-6.12.117']);
  const [before, after] = found.sides;
  t.strictSame([before?.verdict, after?.verdict], ['violated', 'holds']);
  t.equal(before?.steps.length, (after?.steps.length ?? 0) + 1, 'one step is missing');
  t.match(ofKind(found, 'control'), [
    { action: 2, actor: 'kvm', cpu: 0, at: 'k5_switch:IA32_PEBS_ENABLE' },
  ]);
  t.strictSame(
    ofKind(found, 'write').map(({ at }) => at),
    ['v2_entry_load', 'v6_exit_load'],
    'two steps write something else',
  );
  assertChanges(t, found);
  const { control, write, state, verdict } = found.first;
  t.equal(before?.steps[control?.[0] ?? -1]?.at, 'k5_switch:IA32_PEBS_ENABLE');
  t.equal(control?.[1], null);
  for (const [side, run] of found.sides.entries()) {
    t.equal(run.steps[write?.[side] ?? -1]?.at, 'v2_entry_load');
    t.strictSame(run.steps[verdict?.[side] ?? -1]?.violated, side === 0 ? ['I8'] : []);
  }
  t.not(state, null);
  const last = ofKind(found, 'verdict').at(-1);
  t.match(last, { at: 'k11_host', violated: [['I1', "I2'", 'I8'], []] });
  const stuck = ofKind(found, 'state').at(-1)?.registers;
  t.match(
    stuck?.find(({ msr, field }) => msr === 'IA32_PEBS_ENABLE' && field === 'value'),
    { values: ['0x0000000000000001', '0x0000000000000000'] },
    'PMC0 is stuck on one of them',
  );
});

t.test('each side is what a host of that kernel does', async (t) => {
  const lab = await openLab(t);
  const kernels = ['linux-7.2.6', 'linux-7.3.4', 'pebs-v1'];
  const { sides } = await compare(lab, kernels);
  for (const [side, kernel] of kernels.entries()) {
    const host = await lab.host('emerald-rapids', kernel);
    const ran = await lab.send('POST', `${host.path}/scripts`, { actions: STORY });
    t.equal(ran.statusCode, 200);
    const { items } = (await lab.get(`${host.path}/trace?limit=1000`)).json();
    const own = items.map(({ actor, cpu, at, writes }: Record<string, unknown>) => ({
      actor,
      cpu,
      at,
      writes,
    }));
    const { steps = [], verdict } = sides[side] ?? {};
    t.strictSame(
      steps.map(({ actor, cpu, at, writes }) => ({ actor, cpu, at, writes })),
      own,
    );
    t.equal(verdict, ran.json().violations.length > 0 ? 'violated' : 'holds');
  }
});

t.test('kernels that do the same do not differ', async (t) => {
  const lab = await openLab(t);
  const same = await compare(lab, ['linux-7.3.4', 'linux-6.18.55', 'linux-6.12.117']);
  t.strictSame(kindsOf(same), []);
  t.strictSame(same.first, { control: null, write: null, state: null, verdict: null });
});

t.test('a kernel that refuses an action stops there', async (t) => {
  const lab = await openLab(t);
  const refusing = await compare(
    lab,
    ['linux-7.3.4', 'linux-6.1.192'],
    [
      { action: 'open_event', counter: 'PMC0', precise_ip: 0 },
      { action: 'open_event', counter: 'PMC1', precise_ip: 2, exclude_guest: true },
      { action: 'tick', cpu: 0 },
    ] as unknown as ScriptAction[],
    { cpu_model: 'diamond-rapids' },
  );
  const [goesOn, stops] = refusing.sides;
  t.equal(goesOn?.refused, null);
  t.match(stops?.refused, { action: 1, detail: /finds no PEBS/ });
  t.match(ofKind(refusing, 'control'), [
    { action: 1, refused: { side: 1, detail: /finds no PEBS/ } },
  ]);
  t.ok((goesOn?.steps.length ?? 0) > (stops?.steps.length ?? 0));
});

t.test('what no kernel takes is a problem, and so is what cannot be compared', async (t) => {
  const lab = await openLab(t);
  const kernels = ['linux-7.3.4', 'linux-7.2.6'];
  const send = (body: object) =>
    lab.send('POST', URL, { kernels, cpu_model: 'emerald-rapids', script: STORY, ...body });
  const pointers = (response: Awaited<ReturnType<typeof send>>, code: 'unknown_name') =>
    problemOf(t, response, code).errors.map(({ pointer }) => pointer);
  const unknown = [{ action: 'enable_event', event: 'nobody' }];
  t.match(problemOf(t, await send({ script: unknown }), 'rule_violated').errors, [
    { pointer: '/script/0/event' },
  ]);
  t.strictSame(pointers(await send({ kernels: ['linux-7.3.4', 'linux-9'] }), 'unknown_name'), [
    '/kernels/1',
  ]);
  t.strictSame(pointers(await send({ cpu_model: 'i486' }), 'unknown_name'), ['/cpu_model']);
  for (const wrong of [['linux-7.3.4'], ['linux-7.3.4', 'linux-7.3.4'], Array(9).fill('a')]) {
    problemOf(t, await send({ kernels: wrong }), 'validation');
  }
  const [open, add] = STORY;
  const again = { action: 'transition', vcpu: 'guest', kind: 'round_trip' };
  const long = Array.from({ length: 60 }, () => again);
  t.match(
    problemOf(t, await send({ script: [open, add, ...long] }), 'limit_reached').errors,
    [{ pointer: /^\/script\/\d+$/ }],
    'too many steps',
  );
});
