/** The stories of all violations of the catalogue: what they say is on the path, and nothing that matters is left out. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { search } from '../../src/explorer/search.js';
import { exploredWorld } from '../../src/model/explored-world.js';
import { MachineModel } from '../../src/model/machine-model.js';
import { stepsOfPath } from '../../src/model/render/path-steps.js';
import { type RenderedStep, renderSteps } from '../../src/model/render/rendered-steps.js';
import { faultsAt, type Summary, summarise } from '../../src/model/render/summary.js';
import { toText } from '../../src/model/render/text.js';
import { SCENARIOS } from '../../src/model/worlds/scenarios.js';
import { FAULTS } from '../../src/pmu/invariants/faults.js';
import { INVARIANTS, violatedAt } from '../../src/pmu/invariants/index.js';
import type { MachineState } from '../../src/pmu/machine/state.js';

interface Told extends Summary {
  readonly scenario: string;
  readonly property: string;
  readonly model: MachineModel;
  readonly steps: readonly RenderedStep[];
  readonly states: readonly MachineState[];
}

/** The first counterexample of each class of symmetric ones, of every violated scenario. */
function toldOfAll(): Told[] {
  return SCENARIOS.filter(({ expected }) => Object.values(expected).includes('violated')).flatMap(
    ({ id: scenario, model: spec, properties }) => {
      const model = new MachineModel(exploredWorld(spec), properties);
      return search(model).properties.flatMap(({ id: property, verdict, evidence }) =>
        verdict === 'violated' && evidence !== null
          ? evidence.groups.map(({ listed }) => {
              const steps = stepsOfPath(model, listed[0]!);
              return {
                scenario,
                property,
                model,
                steps: renderSteps(model, steps),
                states: steps.map(({ after }) => after),
                ...summarise(model, property, steps),
              };
            })
          : [],
      );
    },
  );
}

const all = toldOfAll();

t.test('there are stories of many invariants', async (t) => {
  t.ok(all.length > 100, `${all.length} stories`);
  t.ok(new Set(all.map(({ property }) => property)).size > 15);
});

t.test('the paragraph names what is wrong at the end', async (t) => {
  for (const { scenario, property, paragraph, end } of all) {
    const what = `${scenario} ${property}: ${paragraph}`;
    t.ok(end.length > 0, what);
    for (const { of, field, hardware, desired, bits } of end) {
      t.not(hardware, desired, what);
      const msr = /IA32_\w+|MSR_\w+/.exec(field)?.[0] ?? field;
      // A field of an event is told in words of its own.
      t.ok(paragraph.includes(msr) || paragraph.includes(of), `${what} names ${field}`);
      for (const name of bits?.split('+') ?? []) {
        t.ok(paragraph.includes(name), `${what} names ${name}`);
      }
    }
  }
});

/** What a paragraph can say of a step, and whether the step does it; the groups are the number and the rest. */
const CLAIMS: readonly (readonly [
  RegExp,
  (step: RenderedStep, rest: string[], end: Summary['end']) => boolean,
])[] = [
  [
    /VM-(entry|exit) \(step (\d+)\) loaded/,
    ({ msr_writes, actor }, [side]) =>
      actor === 'cpu' &&
      msr_writes.some(({ via }) => via === `vm_${side}_load` || via === 'vmcs_field'),
  ],
  [
    /step (\d+) put into (?:the )?([A-Z][\w -]*?)(?=,|;|\.)/,
    ({ micro_step, changes }, [area]) =>
      /^k5_switch/.test(micro_step ?? '') &&
      (changes.length === 0 || changes.some(({ field }) => field.startsWith(area ?? '?'))),
  ],
  [/list built at step (\d+)/, ({ micro_step }) => /^k4_/.test(micro_step ?? '')],
  [/\(step (\d+)\) took it from the list/, ({ micro_step }) => /^k5_switch/.test(micro_step ?? '')],
  [
    /\(step (\d+)\) (?:had )?(cleared|set) (it|them|\w+(?:\+\w+)*) in ([^;.]+?)(?= and |;|\.)/,
    ({ changes }, [verb, which, field], end) =>
      changes.some((one) => {
        const sign = verb === 'set' ? '+' : '-';
        const does = (bits = ''): boolean =>
          bits.split('+').every((bit) => one.bits?.split(' ').includes(`${sign}${bit}`) ?? true);
        const isSo = /^(it|them)$/.test(which ?? '')
          ? end.some(({ bits }) => bits?.includes('+') === (which === 'them') && does(bits))
          : does(which);
        return field?.endsWith(one.field) && one.before !== one.after && isSo;
      }),
  ],
  [
    /(?:\(step (\d+)\)|step (\d+) \([^)]*\)) (?:had )?changed ([^;]+?) from (\S+) to ([^;.\s]+)/,
    ({ changes }, [field, before, after]) =>
      changes.some(
        (one) => field?.endsWith(one.field) && one.before === before && one.after === after,
      ),
  ],
  [
    /\(step (\d+)\) (cleared|set) (?:\S+'s )?"([^"]+)"/,
    ({ changes }, [verb, field]) =>
      changes.some((one) => one.field === field && (one.after !== '0') === (verb === 'set')),
  ],
  [/(?:\(step (\d+)\)|step (\d+) \([^)]*\)) wrote \S/, ({ msr_writes }) => msr_writes.length > 0],
  [/as (?:read|computed) at step (\d+)/, ({ micro_step }) => /_read_/.test(micro_step ?? '')],
  [
    /(?:left as it was by |, )step (\d+) \(([^)]+)\)/,
    ({ decisions }, [reason]) => decisions.some((one) => one.startsWith(`${reason}: `)),
  ],
];

/** Every number of a step in a paragraph, with whether some claim about it is true; untrue ones in words. */
function untrueClaims({ paragraph, steps, end }: Told): string[] {
  const vouched = new Set<number>();
  const untrue = CLAIMS.flatMap(([pattern, isTrue]) =>
    [...paragraph.matchAll(new RegExp(pattern, 'g'))].flatMap((match) => {
      const groups = match.slice(1).filter((group) => group !== undefined);
      const number = groups.findIndex((group) => /^\d+$/.test(group));
      const step = steps[Number(groups[number]) - 1];
      vouched.add(Number(groups[number]));
      const rest = groups.filter((_, at) => at !== number);
      return step !== undefined && isTrue(step, rest, end) ? [] : [match[0]];
    }),
  );
  const named = [...paragraph.matchAll(/step (\d+)/g)].map((match) => Number(match[1]));
  const unchecked = named.filter((number) => number !== 1 || !paragraph.includes('before step 1'));
  return [...untrue, ...unchecked.filter((number) => !vouched.has(number)).map(String)];
}

t.test('what the paragraph says of a step is what the step does', async (t) => {
  for (const told of all) {
    t.strictSame(untrueClaims(told), [], `${told.scenario} ${told.property}: ${told.paragraph}`);
  }
});

t.test('no paragraph says "it" of bits that it has not named', async (t) => {
  for (const { scenario, property, paragraph } of all) {
    const [, which] = /(?:cleared|set) (it|them) in /.exec(paragraph) ?? [];
    if (which !== undefined) {
      const claim = paragraph.slice(0, paragraph.indexOf(': '));
      t.match(
        claim,
        /(PMC|FIXED|PERF_METRICS|VLBR)\S* (is|are) |wants \S+,/,
        `${scenario} ${property}: ${paragraph}`,
      );
    }
  }
});

t.test('a step that is not folded shows something, a folded one has nothing to show', async (t) => {
  for (const { scenario, property, steps } of all) {
    for (const { number, folded, msr_writes, changes, decisions } of steps) {
      const shown = msr_writes.length + changes.length + decisions.length > 0;
      t.not(shown, folded, `${scenario} ${property}, step ${number}`);
    }
  }
});

t.test(
  'the stale value is seen where it is put into the load area, and where it is loaded',
  async (t) => {
    const race = all.find(({ scenario }) => scenario === 'matrix-linux-7.2.6-k3-late') as Told;
    const changing = (field: RegExp): (string | undefined)[] =>
      race.steps
        .filter(({ changes }) => changes.some((change) => field.test(change.field)))
        .map(({ micro_step, actor }) => micro_step ?? actor);
    t.strictSame(changing(/VM-exit MSR-load area, IA32_PEBS_ENABLE/), [
      'k5_switch:IA32_PEBS_ENABLE',
    ]);
    t.strictSame(changing(/^IA32_PEBS_ENABLE/), ['k5_switch:IA32_PEBS_ENABLE', 'v6_exit_load']);
    t.strictSame(changing(/^pebs_enabled$/), ['nmi']);
    const title = 'I1';
    const text = toText({ title, ...race }, false);
    t.match(text, /3 steps: k6_timer, k7_lapic_wait, k8_prepare/);
    t.notMatch(text, /goes on|continues/);
    t.match(text, /hardware {2}0x0{15}1\n *desired {3}0x0{16}\n *differ in PMC0\n$/);
    t.notMatch(toText({ title, ...race }, true), /3 steps/);
    t.match(
      race.paragraph,
      /^PMC0 is stuck in IA32_PEBS_ENABLE: VM-exit \(step 23\) loaded the value that step \d+ put into the VM-exit MSR-load area, from the list built at step \d+; the NMI \(step 15\) had cleared it in pebs_enabled\.$/,
    );
  },
);

t.test('whatever is violated has a fault, and without a fault nothing is', async (t) => {
  t.strictSame(Object.keys(FAULTS).sort(), INVARIANTS.map(({ id }) => id).sort());
  const seen = new Set<string>();
  const judge = (model: MachineModel, state: MachineState, what: string): void => {
    const { world } = model.explored;
    const violated = state.cpus.reduce((bits, cpu) => bits | violatedAt(world, state, cpu), 0);
    INVARIANTS.forEach(({ id }, at) => {
      if ((violated & (1 << at)) === 0) return;
      seen.add(id);
      const faults = faultsAt(model, id, state);
      if (faults.length === 0 || faults.some(({ bits }) => bits === 0)) t.fail(`${what}: ${id}`);
    });
  };
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed >>> 8;
  };
  for (const { model, states, scenario } of all) {
    for (const [at, state] of states.entries()) {
      judge(model, state, `${scenario}, step ${at + 1}`);
      // And with registers and fields that no run leaves so.
      for (let times = 0; times < 4; times += 1) {
        const broken = model.unpacked(packed(model, state)).state;
        const bit = 1 << (random() % 2 === 0 ? random() % 3 : 16 + (random() % 3));
        const cpu = broken.cpus[random() % broken.cpus.length]!;
        const { hardware, cpuc } = cpu;
        if (random() % 2 === 0) hardware.globalCtrl ^= bit;
        if (random() % 2 === 0) hardware.pebsEnable ^= bit;
        if (random() % 4 === 0) hardware.pebsDataCfg ^= 8;
        if (random() % 4 === 0) hardware.dsArea = 9 - hardware.dsArea;
        if (random() % 4 === 0) hardware.counterEnable ^= bit;
        if (random() % 4 === 0) cpuc.intelCtrlGuestMask ^= bit;
        if (random() % 4 === 0) cpuc.guestSwitchMsrs.guest[0]! ^= bit;
        if (random() % 4 === 0) broken.vcpus[0]?.autoload.clear(3);
        judge(model, broken, `${scenario}, step ${at + 1}, broken`);
      }
    }
  }
  t.strictSame(
    INVARIANTS.map(({ id }) => id).filter((id) => !seen.has(id)),
    [],
  );
});

function packed(model: MachineModel, state: MachineState): Int32Array {
  const out = new Int32Array(model.words);
  model.layout.pack(state, new Int32Array(32), out, 0);
  return out;
}

t.test('the README quotes the paragraph of the main race', async (t) => {
  const race = all.find(({ scenario }) => scenario === 'matrix-linux-7.2.6-k3-late') as Told;
  t.ok(readFileSync('README.md', 'utf8').includes(`    ${race.paragraph}\n`));
});
