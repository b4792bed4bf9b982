/** The process in environments of its own: started, listened to, and what it says where it does not start. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const SERVER = fileURLToPath(new URL('../../src/server.js', import.meta.url));

export interface Process {
  readonly ended: Promise<{ code: number | null; err: string }>;
  readonly output: () => string;
  readonly kill: () => void;
  /** Its address, once it listens; undefined where it ends before. */
  readonly listening: Promise<string | undefined>;
}

export function start(t: Test, env: Record<string, string>): Process {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [SERVER], { env: { PATH, PORT: '0', ...env } });
  t.teardown(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<{ code: number | null; err: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, err }));
  });
  const listening = new Promise<string | undefined>((resolve) => {
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const address = /Server listening at (http:[^"]+)/.exec(out)?.[1];
      if (address !== undefined) resolve(address);
    });
    void ended.then(() => resolve(undefined));
  });
  return { ended, listening, output: () => out + err, kill: () => void child.kill('SIGTERM') };
}

/** It ends by itself, with one complaint. */
export async function refuses(
  t: Test,
  env: Record<string, string>,
  complaint: RegExp,
): Promise<void> {
  const service = start(t, env);
  const address = await service.listening;
  t.equal(address, undefined, 'it does not listen');
  if (address !== undefined) service.kill();
  const { code, err } = await service.ended;
  t.equal(code, 1);
  t.match(err, complaint);
  t.match(err, /^pebslab: \S.*\n$/, 'one line');
  t.notMatch(err, /\n\s+at |node:/, 'no stack');
  t.notMatch(service.output(), /hunter2/, 'no password');
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pebslab-env-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file system of its own; undefined where this machine permits none. */
export async function mount(t: Test, options: string): Promise<string | undefined> {
  const path = await folder(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  t.teardown(() => execFileSync('umount', ['-l', path]));
  return path;
}
