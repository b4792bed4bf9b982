/** Same input, same output, in any process: the engine asks nobody for the time or for luck. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { remains } from './random-walk.js';

function inOwnProcess(seed: number): string {
  const url = new URL('random-walk.js', import.meta.url).href;
  const script = `import(${JSON.stringify(url)}).then((m) => process.stdout.write(m.remains(${seed})))`;
  const child = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (child.status !== 0) {
    throw new Error(child.stderr);
  }
  return child.stdout;
}

t.test('two processes that walk the same way leave the same bytes behind', async (t) => {
  for (const seed of [1, 2]) {
    const first = inOwnProcess(seed);
    t.ok(first.length > 10_000, `${first.length} bytes of state, trace and counts`);
    t.ok(first === inOwnProcess(seed), `seed ${seed}: a second process`);
    t.ok(first === remains(seed), `seed ${seed}: this process`);
  }
});

t.test('another seed walks another way', async (t) => {
  t.not(remains(1), remains(2));
});

t.test('a second walk in the same process is not touched by the first', async (t) => {
  const first = remains(3);
  remains(4);
  t.ok(first === remains(3));
});
