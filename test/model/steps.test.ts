/** Every step that a world might take in a state is possible or refused, and what is said against it is true. */
import t from 'tap';
import { createModel, type MachineModel } from '../../src/model/machine-model.js';
import { walkState } from '../../src/model/state-browser.js';
import { codeOf, cpuOf, STEP_KINDS, targetOf } from '../../src/model/steps/index.js';
import { actionOf } from '../../src/model/steps/told.js';
import { ACTOR_KINDS } from '../../src/model/vocabulary.js';
import { SCENARIOS } from '../../src/model/worlds/scenarios.js';
import { FURTHER } from './further-worlds.js';
import { REASONS } from './reasons.js';

/** So many states of each world, those nearest to its beginning; most scenarios have fewer. */
const STATES_MAX = 700;

const WORLDS = [
  ...SCENARIOS.map(({ id, model }) => [id, model] as const),
  ...Object.entries(FURTHER),
];

/** Calls `visit` with the states of a model in the order of a breadth-first search. */
function breadthFirst(model: MachineModel, visit: (words: Int32Array) => void): number {
  const first = new Int32Array(model.words);
  model.initial(first);
  const seen = new Set([String(first)]);
  const waiting = [first];
  let visited = 0;
  for (; visited < waiting.length && visited < STATES_MAX; visited += 1) {
    const words = waiting[visited]!;
    visit(words);
    const out = {
      words: new Int32Array(model.words * model.successorsMax),
      labels: new Int32Array(model.successorsMax),
      count: 0,
    };
    model.expand(words, 0, out);
    for (let at = 0; at < out.count; at += 1) {
      const next = out.words.slice(at * model.words, (at + 1) * model.words);
      if (!seen.has(String(next))) {
        seen.add(String(next));
        waiting.push(next);
      }
    }
  }
  return visited;
}

const everTaken = new Set<number>();
const everRefused = new Set<number>();

t.test('each candidate is possible, or refused for reasons that are true', async (t) => {
  const problems: string[] = [];
  const given = new Set<RegExp>();
  let states = 0;
  for (const [id, spec] of WORLDS) {
    const model = createModel({ model: spec, properties: [] });
    const { explored, steps } = model;
    const labels = new Int32Array(model.successorsMax);
    states += breadthFirst(model, (words) => {
      const { state, spent } = model.unpacked(words);
      const possible = [...labels.subarray(0, steps.find(state, spent, labels))];
      const refused = steps.refused(state, spent);
      const candidates = [...steps.candidates(state, spent)];
      const no = new Set(refused.map(({ label }) => label));
      if (String(candidates.filter((label) => !no.has(label))) !== String(possible)) {
        problems.push(`${id}: ${possible} are possible, and ${[...no]} refused of ${candidates}`);
      }
      for (const label of possible) everTaken.add(codeOf(label));
      for (const step of refused) {
        everRefused.add(codeOf(step.label));
        const cpu = state.cpus[cpuOf(step.label)]!;
        const of = { explored, state, spent, cpu, target: targetOf(step.label) };
        const { reasons } = step;
        if (reasons.length === 0) problems.push(`${id}: no reason`);
        for (const reason of reasons) {
          const known = REASONS.find(([sentence]) => sentence.test(reason));
          const words = known?.[0].exec(reason);
          if (known !== undefined) given.add(known[0]);
          if (known === undefined || !words || !known[1](of, words)) {
            problems.push(`${id}: ${actionOf(explored, state, step.label)}: not so: ${reason}`);
          }
        }
      }
    });
  }
  t.strictSame(problems.slice(0, 10), []);
  t.ok(states > 20_000, `${states} states`);
  const unused = REASONS.map(([sentence]) => sentence).filter((sentence) => !given.has(sentence));
  t.strictSame(unused, [], 'every reason is given somewhere');
});

t.test('every kind of step is taken somewhere and refused somewhere', async (t) => {
  const words = (seen: ReadonlySet<number>): string[] =>
    STEP_KINDS.filter((_, code) => !seen.has(code)).map(({ effect }) => effect.name);
  t.strictSame(words(everTaken), []);
  t.strictSame(words(everRefused), []);
});

t.test('every actor has a step, and every step that is counted an actor', async (t) => {
  const acting = new Set(STEP_KINDS.map(({ actor }) => actor));
  t.strictSame(
    ACTOR_KINDS.filter((kind) => !acting.has(kind)),
    [],
  );
  t.ok(STEP_KINDS.length <= 32, 'a label has five bits for the kind');
});

t.test('a vCPU does not migrate to a busy CPU, for just that reason', async (t) => {
  const model = createModel({ model: FURTHER['everybody on two CPUs']!, properties: [] });
  const start = walkState(model, []);
  const path = start.enabled.findIndex(({ action }) => action === 'v1 runs');
  const { refused } = walkState(model, [path]);
  t.match(
    refused.find(({ action }) => action === 'cpu1: v0 migrates to CPU 1'),
    { guards: [/^CPU 1 is in the middle of a run of v1/] },
  );
});

t.test('where no NMI lands in e3, a foreign one is refused for that reason', async (t) => {
  const { 'no NMI between the load and the WRMSR of e3, and no guest': spec } = FURTHER;
  const model = createModel({ model: spec!, properties: [] });
  const reasons = new Set<string>();
  breadthFirst(model, (words) => {
    const { state, spent } = model.unpacked(words);
    for (const step of model.steps.refused(state, spent)) {
      if (actionOf(model.explored, state, step.label) === 'NMI from another source') {
        for (const reason of step.reasons) reasons.add(reason);
      }
    }
  });
  t.ok(
    reasons.has('nmi_in_e3 is false: nothing comes between the load of pebs_enabled and its WRMSR'),
  );
  t.notOk([...reasons].some((reason) => /guest counter/.test(reason)));
});
