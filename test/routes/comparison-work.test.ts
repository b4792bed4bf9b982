/** What comparisons with verdicts cost: each pair is searched once, nothing is searched for nobody, and few work at once. */
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WarmSearchThread } from '../../src/explorer/warm-search-thread.js';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { build, problemOf } from '../helper.js';
import { eventually } from '../instances.js';

/** Counts the searches of all warm threads of this process without changing them. */
let searches = 0;
const { search } = WarmSearchThread.prototype;
WarmSearchThread.prototype.search = function (...args) {
  searches += 1;
  return search.apply(this, args);
};

const kernels = KERNELS.map(({ id }) => id);
const cpu_models = CPU_MODELS.map(({ id }) => id);
const all = { kernels, cpu_models, scenarios: ['B'], verdicts: true };

t.test('the verdicts of a pair are searched once', async (t) => {
  const app = await build(t);
  const some = { ...all, kernels: kernels.slice(0, 2), cpu_models: cpu_models.slice(0, 2) };
  const ask = () => app.inject({ method: 'POST', url: '/v1/comparisons', payload: some });
  searches = 0;
  const [first, second] = await Promise.all([ask(), ask()]);
  const third = await ask();
  t.equal(first.statusCode, 200);
  t.strictSame(second.json(), first.json());
  t.strictSame(third.json(), first.json());
  t.match(first.json().rows[0].race, { prompt: String, late: String });
  t.equal(searches, 8, 'four pairs, prompt and late');
});

t.test('a comparison ends with its request', async (t) => {
  const app = await build(t);
  await app.listen({ port: 0 });
  const { port } = app.server.address() as AddressInfo;
  searches = 0;
  const headers = { 'content-type': 'application/json' };
  const asked = request({ port, path: '/v1/comparisons', method: 'POST', headers });
  asked.on('error', () => {});
  asked.end(JSON.stringify(all));
  await eventually(
    async () => searches,
    (count) => count >= 4,
    60_000,
  );
  asked.destroy();
  let last = -1;
  const rest = async (): Promise<boolean> => {
    const before = last;
    last = searches;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return before === searches;
  };
  t.ok(await eventually(rest, (isAtRest) => isAtRest, 120_000), 'nothing is searched any more');
  const pairs = kernels.length * cpu_models.length;
  t.ok(searches < pairs, `${searches} searches of ${2 * pairs}`);
});

t.test('so many at once, and no more', async (t) => {
  const app = await build(t);
  const some = { ...all, kernels: kernels.slice(0, 5), cpu_models: cpu_models.slice(0, 4) };
  const ask = () => app.inject({ method: 'POST', url: '/v1/comparisons', payload: some });
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  const refused = answers.filter(({ statusCode }) => statusCode !== 200);
  t.equal(answers.length - refused.length, 8);
  for (const answer of refused) {
    problemOf(t, answer, 'too_many_requests');
    t.equal(answer.headers['retry-after'], '1');
  }
  t.equal((await ask()).statusCode, 200, 'later there is room again');
});
