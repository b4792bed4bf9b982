/** The collectors, as they are served: what shells think of them, and runs on a machine that is made of files. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import { COLLECTORS } from '../../src/service/collectors.js';
import { capture, read } from '../observations/captures.js';

type Name = keyof typeof COLLECTORS;

const has = (command: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** dash, where it is, knows no bashism. */
const SHELL = String(spawnSync('sh', ['-c', 'command -v dash || command -v sh']).stdout).trim();

const CPUINFO = [0, 3]
  .map(
    (processor) =>
      `processor\t: ${processor}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Intel(R) Xeon(R)\nstepping\t: 2\nmicrocode\t: 0x21000240\nflags\t\t: fpu vme pebs\n`,
  )
  .join('\n');

class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), 'collectors-'));

  constructor(readonly t: Test) {
    t.teardown(() => rmSync(this.folder, { recursive: true }));
    this.file('proc/cpuinfo', CPUINFO);
    this.file('proc/sys/kernel/random/boot_id', '6f0c7b1e-0000-4000-8000-000000000001\n');
    // Only the temporary directory of the collector lies in there.
    mkdirSync(join(this.folder, 'tmp'));
    this.command(
      'uname',
      'case $1 in -r) echo 6.12.90;; -v) echo "#1 SMP";; *) echo host 17;; esac',
    );
    this.command('sleep', `echo "sleep $1" >>${this.folder}/log`);
  }

  file(name: string, text: string): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** A command of the machine, before those of the system. */
  command(name: string, script: string): void {
    this.file(`bin/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(join(this.folder, 'bin', name), 0o755);
  }

  text(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  run(
    name: Name,
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; out: string; err: string }> {
    const { folder } = this;
    const child = spawn(SHELL, ['-s'], {
      env: {
        PATH: `${folder}/bin:${env.PATH ?? process.env.PATH}`,
        TMPDIR: `${folder}/tmp`,
        PROC: `${folder}/proc`,
        DEV_CPU: `${folder}/dev/cpu`,
        TRACING: `${folder}/tracing`,
        ...Object.fromEntries(Object.entries(env).filter(([key]) => key !== 'PATH')),
      },
    });
    child.stdin.end(COLLECTORS[name]);
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk) => {
      said.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said.err += chunk;
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        this.t.strictSame(readdirSync(join(folder, 'tmp')), [], 'no temporary file is left');
        resolve({ code, ...said });
      });
    });
  }
}

function withMsrs(t: Test): Machine {
  const machine = new Machine(t);
  machine.file('dev/cpu/0/msr', '');
  machine.file('dev/cpu/3/msr', '');
  machine.command(
    'rdmsr',
    'case "$*" in "-p 3 -0 0x3f1") echo 0000000000000001;; "-p 0 -0 0x3f1") echo 0000000000000000;; *) exit 2;; esac',
  );
  // The clock goes on by two seconds a call.
  machine.command(
    'date',
    `n=$(cat ${machine.folder}/clock 2>/dev/null || echo 10); echo $((n + 2)) >${machine.folder}/clock; echo 2026-11-20T10:00:\${n}Z`,
  );
  return machine;
}

for (const name of Object.keys(COLLECTORS) as Name[]) {
  t.test(`${name} is a plain script`, async (t) => {
    const check = (command: string, ...args: string[]): void => {
      if (!has(command)) {
        t.comment(`skipped: there is no ${command}`);
        return;
      }
      const { status, stdout, stderr } = spawnSync(command, args, { input: COLLECTORS[name] });
      t.equal(status, 0, `${command}: ${stdout}${stderr}`);
    };
    check('dash', '-n');
    check('shellcheck', '-s', 'sh', '-');
  });
}

t.test('a snapshot reads every CPU in rounds, and is judged', async (t) => {
  const machine = withMsrs(t);
  const { code, out, err } = await machine.run('snapshot.sh', { PEBS_EVENTS: '0' });
  t.equal(code, 0, err);
  t.equal(machine.text('log'), 'sleep 2\n');
  const { answer } = read(out);
  t.match(answer, {
    format: 'rdmsr',
    rejected_total: 0,
    verdict: 'stuck',
    cpus: [
      { cpu: 0, verdict: 'clean' },
      { cpu: 3, verdict: 'stuck' },
    ],
    facts: {
      cpu_model: '207',
      cpus: '2',
      microcode: '0x21000240',
      pebs: 'yes',
      kernel_release: '6.12.90',
      fix_state: 'unfixed',
      predicted_path: 'autoload',
    },
    missing: ['pmu_version'],
  });
  t.match(out, /^# host=host-17 boot_id=6f0c7b1e\S+ pebs_events=0 ts=2026-11-20T10:00:10Z$/m);
  const unknown = await machine.run('snapshot.sh');
  t.match(read(unknown.out).answer, { verdict: 'inconclusive' }, 'nobody says that PEBS is idle');
});

t.test('a snapshot tells what it could not read', async (t) => {
  const machine = withMsrs(t);
  machine.command('rdmsr', 'echo "rdmsr: CPU $2 cannot read MSR 0x000003f1" >&2; exit 4');
  const { code, out } = await machine.run('snapshot.sh', { PEBS_EVENTS: '0' });
  t.equal(code, 0);
  t.match(read(out).answer, { verdict: 'inconclusive', cpus: [{ cpu: 0 }, { cpu: 3 }] });
});

t.test('a snapshot loads the msr driver and unloads it again', async (t) => {
  const machine = withMsrs(t);
  rmSync(join(machine.folder, 'dev'), { recursive: true });
  machine.command(
    'modprobe',
    `echo "$*" >>${machine.folder}/log; mkdir -p ${machine.folder}/dev/cpu/0; : >${machine.folder}/dev/cpu/0/msr`,
  );
  const { code, out } = await machine.run('snapshot.sh');
  t.equal(code, 0);
  t.match(out, /^cpu=0 3f1=0000000000000000$/m);
  t.equal(machine.text('log'), 'msr\nsleep 2\n-r msr\n');
  machine.command('rdmsr', `kill -TERM $PPID; sleep 1`);
  rmSync(join(machine.folder, 'dev'), { recursive: true });
  rmSync(join(machine.folder, 'log'));
  const ended = await machine.run('snapshot.sh');
  t.not(ended.code, 0, 'it was ended');
  t.match(machine.text('log'), /-r msr\n$/, 'and has put all back');
});

t.test('what is missing is named', async (t) => {
  const machine = new Machine(t);
  const PATH = `${machine.folder}/empty`;
  for (const tool of ['mktemp', 'tr', 'head', 'awk', 'cat', 'rm']) {
    const { stdout } = spawnSync('sh', ['-c', `command -v ${tool}`]);
    machine.command(tool, `exec ${String(stdout).trim()} "$@"`);
  }
  t.match(await machine.run('snapshot.sh', { PATH }), {
    code: 1,
    err: /rdmsr is missing: install/,
  });
  machine.command('rdmsr', 'echo 0');
  t.match(await machine.run('snapshot.sh', { PATH }), { code: 1, err: /modprobe is missing/ });
  machine.command('modprobe', 'exit 1');
  t.match(await machine.run('snapshot.sh', { PATH }), { code: 1, err: /run as root/ });
  t.match(await machine.run('trace.sh', { PATH }), { code: 1, err: /no tracefs at/ });
  mkdirSync(join(machine.folder, 'tracing/instances'), { recursive: true });
  t.match(await machine.run('trace.sh', { PATH }), { code: 1, err: /no event msr\/write_msr/ });
  t.match(await machine.run('console.sh', { PATH }), {
    code: 1,
    err: /dmesg or journalctl is missing/,
  });
  machine.command(
    'dmesg',
    'echo "dmesg: read kernel buffer failed: Operation not permitted" >&2; exit 1',
  );
  t.match(await machine.run('console.sh', { PATH }), {
    code: 1,
    err: /cannot be read: dmesg: .* not permitted/,
  });
});

/** tracefs makes the files of an instance with its directory, and takes them away with it. */
function withTracing(t: Test): Machine {
  const machine = withMsrs(t);
  const { folder } = machine;
  const template = 'template/instance';
  for (const event of [
    'msr/write_msr',
    'msr/read_msr',
    'kvm/kvm_entry',
    'kvm/kvm_exit',
    'nmi/nmi_handler',
  ]) {
    machine.file(`tracing/events/${event}/enable`, '0\n');
    machine.file(`${template}/events/${event}/enable`, '0\n');
    machine.file(`${template}/events/${event}/filter`, 'none\n');
  }
  machine.file(`${template}/trace`, capture('ftrace-trace-header.txt'));
  for (const cpu of [3, 4]) {
    machine.file(
      `${template}/per_cpu/cpu${cpu}/stats`,
      'entries: 4\noverrun: 0\ncommit overrun: 0\nbytes: 300\ndropped events: 0\nread events: 4\n',
    );
  }
  mkdirSync(join(folder, 'tracing/instances'));
  machine.command('mkdir', `/bin/cp -r ${folder}/${template} "$1"`);
  machine.command('rmdir', `/bin/mv "$1" ${folder}/removed`);
  machine.command(
    'cat',
    `case $1 in */trace) echo "read, tracing $(/bin/cat "\${1%trace}tracing_on")" >>${folder}/log;; esac; exec /bin/cat "$@"`,
  );
  return machine;
}

t.test('a trace is taken in an instance of its own, and is judged', async (t) => {
  const machine = withTracing(t);
  const { code, out, err } = await machine.run('trace.sh', { SECONDS_TRACED: '5' });
  t.equal(code, 0, err);
  t.equal(machine.text('log'), 'sleep 5\nread, tracing 0\n', 'it is stopped before it is read');
  t.match(read(out).answer, {
    format: 'ftrace',
    verdict: 'stuck',
    path: 'autoload',
    losses: [],
    rejected_total: 0,
    facts: { cpu_model: '207', kernel_release: '6.12.90', predicted_path: 'autoload' },
  });
  t.strictSame(readdirSync(join(machine.folder, 'tracing/instances')), []);
  for (const event of ['write_msr', 'read_msr']) {
    t.equal(
      machine.text(`removed/events/msr/${event}/filter`),
      'msr == 0x3f1 || msr == 0x38f || msr == 0x600 || msr == 0x3f2\n',
    );
    t.equal(machine.text(`removed/events/msr/${event}/enable`), '1\n');
  }
  t.equal(machine.text('removed/tracing_on'), '0\n');
  t.equal(machine.text('removed/events/enable'), '0\n', 'all events are off');
  t.equal(machine.text('removed/buffer_size_kb'), '8192\n');
  t.equal(
    machine.text('tracing/events/msr/write_msr/enable'),
    '0\n',
    "others' tracing is left alone",
  );
});

t.test('the statistics of the buffers say what was lost', async (t) => {
  const machine = withTracing(t);
  machine.file('template/instance/per_cpu/cpu3/stats', 'entries: 4\noverrun: 17\nread events: 4\n');
  const { out } = await machine.run('trace.sh');
  t.match(read(out).answer, { verdict: 'inconclusive', losses: [{ cpu: 3, count: 17 }] });
});

t.test('a trace that is ended leaves no instance', async (t) => {
  const machine = withTracing(t);
  machine.command('sleep', 'kill -TERM $PPID');
  const { code } = await machine.run('trace.sh');
  t.not(code, 0);
  t.strictSame(readdirSync(join(machine.folder, 'tracing/instances')), []);
  t.ok(existsSync(join(machine.folder, 'removed')));
});

t.test('the log of the kernel', async (t) => {
  const machine = new Machine(t);
  machine.file('log.txt', capture('sysrq-stuck.txt'));
  machine.command('dmesg', `cat ${machine.folder}/log.txt`);
  const expected = read(capture('sysrq-stuck.txt')).answer;
  const { code, out } = await machine.run('console.sh');
  t.equal(code, 0);
  t.match(read(out).answer, { format: 'console', verdict: expected.verdict, cpus: expected.cpus });
  machine.command('dmesg', 'exit 1');
  machine.command('journalctl', `cat ${machine.folder}/log.txt`);
  t.equal((await machine.run('console.sh')).out, out, 'by journalctl where dmesg may not');
});

t.test('what was collected is sent', async (t) => {
  if (!has('curl')) {
    t.comment('skipped: there is no curl');
    return;
  }
  const got: { url: string; key: string; token: string; body: string }[] = [];
  let status = 201;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { authorization = '', 'idempotency-key': key } = request.headers;
      got.push({ url: request.url ?? '', key: String(key), token: authorization, body });
      response.writeHead(status).end('{"id":"obs_1"}\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const env = {
    PEBSLAB_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    PEBSLAB_TOKEN: 'secret',
    PEBS_EVENTS: '0',
    NO_PROXY: '*',
  };
  const machine = withMsrs(t);
  t.match(await machine.run('snapshot.sh', env), { code: 0, out: '{"id":"obs_1"}\n' });
  t.equal(got[0]?.url, '/v1/observations?format=rdmsr&machine=host-17&pebs_events=0');
  t.equal(got[0]?.token, 'Bearer secret');
  t.match(got[0]?.key, /^"6f0c7b1e-[\w:-]+"$/);
  t.equal(read(got[0]?.body ?? '').answer.verdict, 'stuck');
  status = 403;
  t.match(await machine.run('snapshot.sh', env), { code: 1, err: /not taken \(HTTP 403\)/ });
});
