/** The README's story is run: every command in one shell, every answer compared with the one printed below it. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { build } from '../helper.js';

/** Sections whose commands are run. */
const HEADINGS = ['## The story in six commands', "## Your machine's trace", '## Your pool'];
const MARK = '--- next answer ---';

interface Chapter {
  readonly command: string;
  readonly answer: string;
}

/** The fenced blocks of a section: each `sh` one is followed by the `json` one of its answer; others are not run. */
function readStory(heading: string): Chapter[] {
  const text = readFileSync('README.md', 'utf8');
  const section = text.split(/^(?=## )/m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`README.md has no section "${heading}"`);
  const blocks = [...section.matchAll(/^```(sh|json)\n([\s\S]*?)^```$/gm)];
  const kinds = blocks.map(([, kind]) => kind);
  if (kinds.length === 0 || kinds.some((kind, at) => kind !== (at % 2 === 0 ? 'sh' : 'json'))) {
    throw new Error(`the story's blocks are ${kinds}, not sh and json in turn`);
  }
  return Array.from({ length: blocks.length / 2 }, (_, at) => ({
    command: blocks[2 * at]?.[2] ?? '',
    answer: blocks[2 * at + 1]?.[2] ?? '',
  }));
}

/** Runs the commands in one shell and returns what each printed. */
function runAll(commands: readonly string[], port: number): Promise<string[]> {
  const script = commands
    .map(
      (command) =>
        `${command.replaceAll('localhost:8080', `127.0.0.1:${port}`)}\necho\necho '${MARK}'\n`,
    )
    .join('');
  return new Promise((resolve, reject) => {
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    shell.stdout.on('data', (chunk) => {
      out += chunk;
    });
    shell.stderr.on('data', (chunk) => {
      err += chunk;
    });
    shell.on('error', reject);
    shell.on('close', (code) => {
      if (code === 0) resolve(out.split(MARK).slice(0, -1));
      else reject(new Error(`bash ended with ${code}: ${err}\n${out}`));
    });
  });
}

/** Ids, times and request ids differ from run to run; nothing else does. */
function withoutIdentity(text: string): unknown {
  return JSON.parse(
    text
      .replace(/"(host|vcpu|ev|req)_[0-9a-z]+"/g, '"$1_…"')
      .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"…"'),
  );
}

// Only some commands need it, but they depend on each other.
const hasJq = spawnSync('jq', ['--version']).status === 0;

for (const heading of HEADINGS) {
  t.test(`the commands of the README are true: ${heading}`, async (t) => {
    const story = readStory(heading);
    if (!hasJq && story.some(({ command }) => command.includes('| jq'))) {
      t.comment('skipped: there is no jq');
      return;
    }
    const app = await build(t);
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    for (const { command } of story) {
      t.match(command, /localhost:8080/, 'a command talks to the service');
    }
    const answers = await runAll(
      story.map(({ command }) => command),
      port,
    );
    t.equal(answers.length, story.length);
    for (const [at, { command, answer }] of story.entries()) {
      const name = command.split('\n')[0]?.slice(0, 80) ?? '';
      t.strictSame(withoutIdentity(answers[at] ?? ''), withoutIdentity(answer), name);
    }
  });
}
