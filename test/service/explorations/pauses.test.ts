/** Searches that are paused, or whose instance stops or dies, and that go on. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import root, { type Test } from 'tap';
import { type Exploration, ExplorationSchema } from '../../../schemas/exploration.js';
import { KeptFolders } from '../../../src/service/explorations/kept-folders.js';
import { bodyOf } from '../../helper.js';
import { emptyDatabase, eventually, type Instance, startInstance } from '../../instances.js';
import { HUGE_SEARCH } from '../../worlds.js';

const t = root;
const url = await emptyDatabase(t);
const DATA_DIR = t.testdir();
const api = await startInstance(t, url, { role: 'api' });
const startWorker = (t: Pick<Test, 'teardown'>, dataDir = DATA_DIR): Promise<Instance> =>
  startInstance(t, url, { role: 'worker', dataDir, checkpointMegabytes: 1024 });

/** Half a million states. */
const SEARCH = { ...HUGE_SEARCH, properties: ['I1', 'I11'], bounds: { depth: 40, seconds: 600 } };

const isRunning = ({ state, progress }: Exploration) =>
  state === 'running' && (progress.depth ?? 0) > 10;
const isOver = ({ finished_at }: Exploration) => finished_at !== undefined;

async function ask(t: Test, body: object): Promise<string> {
  const answer = await api.app.inject({ method: 'POST', url: '/v1/explorations', payload: body });
  return bodyOf(t, answer, ExplorationSchema, 202).id;
}

async function act(t: Test, id: string, what: 'pause' | 'resume' | 'cancel'): Promise<Exploration> {
  const answer = await api.app.inject({ method: 'POST', url: `/v1/explorations/${id}/${what}` });
  return bodyOf(t, answer, ExplorationSchema);
}

const read = async (id: string): Promise<Exploration> =>
  (await api.app.inject(`/v1/explorations/${id}`)).json();
const until = (id: string, wanted: (item: Exploration) => boolean) =>
  eventually(() => read(id), wanted);

/** What a search found, without what depends on the clock. */
function findings({ verdict, complete, cut, distinct_states, ...rest }: Exploration): unknown {
  const { total_states, depth, properties } = rest;
  return { verdict, complete, cut, distinct_states, total_states, depth, properties };
}

const isKept = (id: string, dataDir = DATA_DIR) => existsSync(join(dataDir, 'searches', id));

let worker = await startWorker(t);
let undisturbed: Exploration;

t.test('what was kept is removed at the end', async (t) => {
  const first = await ask(t, SEARCH);
  await until(first, () => isKept(first));
  t.ok(isKept(first));
  undisturbed = await until(first, isOver);
  t.match(undisturbed, { state: 'succeeded', verdict: 'violated', cut: 'depthMax' });
  await until(first, () => !isKept(first));
  t.notOk(isKept(first));
});

for (const workers of [2]) {
  t.test(
    `paused three times, ${workers} workers: the findings of an undisturbed search`,
    async (t) => {
      const id = await ask(t, { ...SEARCH, workers });
      for (let nth = 0; nth < 3; nth += 1) {
        const { progress } = await until(id, isRunning);
        const paused = await act(t, id, 'pause');
        t.match(paused, { state: 'paused', attempts: nth + 1 });
        t.notOk('finished_at' in paused);
        t.ok(paused.progress.done >= progress.done * 0.5, `at ${paused.progress.done} states`);
        t.same(await act(t, id, 'pause'), paused, 'once');
        t.ok(isKept(id));
        t.match(await act(t, id, 'resume'), { state: /queued|running/ });
      }
      const found = await until(id, isOver);
      t.strictSame(findings(found), findings(undisturbed));
    },
  );
}

t.test('an instance that stops leaves its levels to the next', async (t) => {
  const id = await ask(t, SEARCH);
  await until(id, isRunning);
  await worker.close();
  t.match(await read(id), { state: 'queued' });
  t.ok(isKept(id));
  worker = await startWorker(root);
  const found = await until(id, isOver);
  t.strictSame(findings(found), findings(undisturbed));
});

t.test('where another instance goes on it begins again, and finds the same', async (t) => {
  const id = await ask(t, SEARCH);
  await until(id, isRunning);
  await act(t, id, 'pause');
  await worker.close();
  const elsewhere = t.testdir();
  worker = await startWorker(root, elsewhere);
  await act(t, id, 'resume');
  const found = await until(id, isOver);
  t.strictSame(findings(found), findings(undisturbed));
});

t.test('what waits is paused at once, and a paused search can be cancelled', async (t) => {
  await worker.close();
  const id = await ask(t, SEARCH);
  t.match(await act(t, id, 'pause'), { state: 'paused', attempts: 0 });
  worker = await startWorker(root);
  t.match(await act(t, id, 'cancel'), { state: 'cancelled', finished_at: String });
  t.match(await act(t, id, 'resume'), { state: 'cancelled' }, 'which is the end');
  t.match(await act(t, id, 'pause'), { state: 'cancelled' });
});

t.test('what a search has kept that ended meanwhile is removed', async (t) => {
  const id = await ask(t, SEARCH);
  await until(id, isRunning);
  await act(t, id, 'pause');
  t.ok(isKept(id));
  await act(t, id, 'cancel');
  await worker.close();
  worker = await startWorker(root);
  t.notOk(isKept(id));
});

t.test('folders: eight at most, each for one search and one build', async (t) => {
  const dataDir = t.testdir();
  const folders = new KeptFolders(dataDir, 80);
  for (let nth = 0; nth < 8; nth += 1) {
    t.match(await folders.folderOf(`exp_${nth}`, { nth }), { bytesMax: 10 * 2 ** 20 });
  }
  t.equal(await folders.folderOf('exp_8', {}), undefined);
  const own = await folders.folderOf('exp_3', { nth: 3 });
  const file = join(own?.folder ?? '', 'states-0-of-1');
  writeFileSync(file, 'kept');
  t.ok(existsSync(file));
  await folders.folderOf('exp_3', { nth: 3 });
  t.ok(existsSync(file), 'the same search finds it again');
  await folders.folderOf('exp_3', { nth: 4 });
  t.notOk(existsSync(file), 'another does not');
  t.equal(await new KeptFolders(dataDir, 0).folderOf('exp_3', {}), undefined, 'or none are wanted');
  t.equal(await new KeptFolders('/proc/none', 80).folderOf('exp_3', {}), undefined);
});
