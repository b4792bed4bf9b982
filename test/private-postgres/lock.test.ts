/** One service a data directory: whatever died before, whoever comes at the same time, whatever others on the machine do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import { openDataDir } from '../../src/private-postgres/data-dir.js';
import { lockDataDir } from '../../src/private-postgres/lock.js';
import { type Account, canReach, serverAccount } from '../../src/private-postgres/user.js';

const FOLDER = new URL('../../src/private-postgres/', import.meta.url).href;

function makeDir(t: Test): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'pebslab-lock-test-')));
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }));
  return dir;
}

/** A process of its own that tries to take the lock at each line it reads, and says whether it did. */
const STARTER = `
const { openDataDir } = await import(process.argv[1] + 'data-dir.js');
const { lockDataDir } = await import(process.argv[1] + 'lock.js');
process.stdin.on('data', async () => {
  const dir = await openDataDir(process.argv[2]);
  await lockDataDir(dir).then(() => console.log('locked'), ({ message }) => console.log(message));
});
console.log('ready');`;

async function spawnStarter(t: Test, dir: string, account?: Account): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', STARTER, FOLDER, dir], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  t.after(() => child.kill('SIGKILL'));
  await line(child);
  return child;
}

async function line(child: ChildProcess): Promise<string> {
  const [text] = await once(child.stdout!, 'data');
  return String(text).trim();
}

async function tryLock(child: ChildProcess): Promise<string> {
  const said = line(child);
  child.stdin?.write('go\n');
  return said;
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

t.test('of many starters that find a dead lock, one wins', async (t) => {
  const dir = makeDir(t);
  let starters = await Promise.all(Array.from({ length: 6 }, () => spawnStarter(t, dir)));
  for (let round = 1; round <= 6; round += 1) {
    const said = await Promise.all(starters.map(tryLock));
    const winners = starters.filter((_, at) => said[at] === 'locked');
    t.equal(winners.length, 1, `round ${round}`);
    for (const text of said) t.match(text, /^(locked|The data directory .* is in use by another)/);
    t.match(await tryLock(starters.find((one) => !winners.includes(one))!), /is in use/);
    for (const winner of winners) await kill(winner);
    const left = starters.filter((one) => !winners.includes(one));
    starters = [...left, await spawnStarter(t, dir)];
  }
  const locks = readdirSync(dir).filter((name) => name.startsWith('service.lock'));
  t.strictSame(locks, ['service.lock'], 'and none leaves anything behind');
});

t.test('of many starters in one process one wins, and its release makes room', async (t) => {
  const dir = await openDataDir(makeDir(t));
  for (let round = 1; round <= 3; round += 1) {
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDir(dir)));
    const locks = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    t.equal(locks.length, 1, `round ${round}`);
    for (const lock of locks) await lock.release();
  }
});

t.test('no other user of the machine can take the lock', async (t) => {
  if (process.platform !== 'linux') return t.pass('', { skip: 'there are no abstract sockets' });
  const dir = makeDir(t);
  // What an earlier version listened on, and anybody could.
  const hash = createHash('sha256').update(dir).digest('hex');
  const squatter = createServer().listen(`\0${`pebslab-${hash}`.padEnd(107, '-')}`);
  await once(squatter, 'listening');
  t.after(() => squatter.close());
  const lock = await lockDataDir(await openDataDir(dir));
  await lock.release();
});

t.test('a path that is too long for a socket will do', async (t) => {
  const dir = join(makeDir(t), 'x'.repeat(100), 'y'.repeat(100));
  const lock = await lockDataDir(await openDataDir(dir));
  const other = await spawnStarter(t, dir);
  t.match(await tryLock(other), /is in use/);
  await lock.release();
  t.equal(await tryLock(other), 'locked');
  await kill(other);
  const next = await lockDataDir(await openDataDir(dir));
  await next.release();
});

t.test('what root locked and left, the owner of the directory can take', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('', { skip: 'only root has this problem' });
  const dir = join(makeDir(t), 'data');
  const account = (await serverAccount(dir))!;
  const files = [process.execPath, new URL(FOLDER).pathname];
  const reach = await Promise.all(files.map((path) => canReach(account, path, 4)));
  if (reach.includes(false)) return t.pass('', { skip: `${account.name} cannot run the program` });
  mkdirSync(dir);
  chownSync(join(dir, '..'), account.uid, account.gid);
  chownSync(dir, account.uid, account.gid);
  const own = await spawnStarter(t, dir, account);
  t.equal(await tryLock(own), 'locked');
  const root = await spawnStarter(t, dir);
  t.match(await tryLock(root), /is in use/);
  await kill(own);
  t.equal(await tryLock(root), 'locked', 'and root what its owner left');
  const again = await spawnStarter(t, dir, account);
  t.match(await tryLock(again), /is in use/);
  await kill(root);
  t.equal(await tryLock(again), 'locked');
});
