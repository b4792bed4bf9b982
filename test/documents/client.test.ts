/** A client generated from openapi.yaml: a program that uses it compiles, is held to the types, and tells the story. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import t from 'tap';
import { build } from '../helper.js';

/** The race of the README on two kernels; mistakes that the types must refuse are marked as such. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

type HostCreate = components['schemas']['HostCreate'];
type ScriptAction = components['schemas']['ScriptAction'];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? '' });

function must<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

async function race(kernel: string): Promise<string[]> {
  const { id: host } = must(
    await client.POST('/v1/hosts', { body: { cpu_model: 'emerald-rapids', kernel } }),
  );
  const params = { path: { host } };
  must(
    await client.POST('/v1/hosts/{host}/perf-events', {
      params,
      body: { counter: 'PMC0', precise_ip: 2, exclude_guest: true },
    }),
  );
  const { id: vcpu } = must(await client.POST('/v1/hosts/{host}/vcpus', { params, body: {} }));
  const { throttles } = must(
    await client.POST('/v1/hosts/{host}/vcpus/{vcpu}/transitions', {
      params: { path: { host, vcpu } },
      body: {
        kind: 'round_trip',
        inject: [{ at: 'k5_switch:IA32_PERF_GLOBAL_CTRL', nmi: { throttle: ['PMC0'] } }],
      },
    }),
  );
  if (throttles !== 1) throw new Error('nothing was throttled');
  const { msrs } = must(await client.GET('/v1/hosts/{host}/msrs', { params }));
  return msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE')?.stuck ?? [];
}

/** Without a body where none is needed, and with the headers that matter. */
async function bare(): Promise<{ closed: number; page: number }> {
  const made = await client.POST('/v1/hosts', {
    body: { cpu_model: 'emerald-rapids', kernel: 'upstream-base', cpus: 1 },
  });
  const params = { path: { host: must(made).id } };
  must(await client.POST('/v1/hosts/{host}/vcpus', { params }));
  must(await client.POST('/v1/hosts/{host}/ticks', { params }));
  const { id: event } = must(
    await client.POST('/v1/hosts/{host}/perf-events', { params, body: {} }),
  );
  const { response, data } = await client.DELETE('/v1/hosts/{host}/perf-events/{event}', {
    params: { path: { ...params.path, event } },
  });
  const nothing: undefined = data;
  if (nothing !== undefined) throw new Error('a closed event is answered with nothing');
  const page = await client.GET('/v1/hosts', { params: { query: { limit: 1 } } });
  return { closed: response.status, page: must(page).items.length };
}

type ETag = paths['/v1/hosts/{host}']['get']['responses'][200]['headers']['ETag'];
export const tag: ETag = '"1"';

async function refused(): Promise<string> {
  // @ts-expect-error A host has a kernel.
  await client.POST('/v1/hosts', { body: { cpu_model: 'emerald-rapids' } });
  // @ts-expect-error A misspelt field is no field.
  const wrong: HostCreate = { cpu_model: 'x', kernel: 'y', microcod: 1 };
  // @ts-expect-error There is no such action.
  const unknown: ScriptAction = { action: 'tock' };
  await client.POST('/v1/hosts', { body: wrong });
  await client.POST('/v1/hosts/{host}/scripts', {
    params: { path: { host: 'host_0' } },
    body: { actions: [unknown] },
  });
  // @ts-expect-error There is no such route.
  await client.GET('/v1/nowhere');
  const { error } = await client.POST('/v1/hosts', { body: { cpu_model: 'x', kernel: 'y' } });
  return error?.type ?? '';
}

const table = must(
  await client.POST('/v1/comparisons', {
    body: {
      kernels: ['upstream-base', 'linux-6.12.117'],
      cpu_models: ['emerald-rapids'],
      scenarios: ['Bc', 'C'],
    },
  }),
);
// The route also answers in CSV and Markdown.
if (typeof table === 'string') throw new Error('the table is text');
const script = must(
  await client.POST('/v1/hosts/{host}/scripts', {
    params: {
      path: {
        host: must(
          await client.POST('/v1/hosts', { body: { cpu_model: 'haswell-x', kernel: 'pebs-v2' } }),
        ).id,
      },
    },
    body: {
      actions: [
        { action: 'open_event', name: 'cycles', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
        { action: 'add_vcpu', name: 'guest' },
        {
          action: 'transition',
          vcpu: 'guest',
          kind: 'round_trip',
          inject: [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }],
        },
        { action: 'close_event', event: 'cycles' },
      ],
    },
  }),
);
console.log(
  JSON.stringify({
    before: await race('upstream-base'),
    after: await race('linux-6.12.117'),
    refused: await refused(),
    saved: table.rows.map((row) => row.saved_against_first),
    script: script.results.map(({ action }) => action),
    ...(await bare()),
  }),
);
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
  },
  include: ['*.ts'],
};

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => done({ code, output, errors }));
  });
}

t.test('a client generated from openapi.yaml compiles and tells the story', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'pebslab-client-'));
  t.after(() => rmSync(directory, { recursive: true }));
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'), 'dir');
  // The build has made it for the page, from openapi.yaml, with all that the generator does unless told otherwise.
  copyFileSync('src/ui/api/schema.d.ts', join(directory, 'api.d.ts'));
  writeFileSync(join(directory, 'story.ts'), PROGRAM);
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(TSCONFIG));

  const compiled = await run([resolve('node_modules/typescript/bin/tsc'), '-p', '.'], directory);
  t.equal(compiled.code, 0, compiled.output);

  const app = await build(t);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const told = await run(['story.js', `http://127.0.0.1:${port}`], directory);
  t.equal(told.code, 0, told.errors);
  t.strictSame(JSON.parse(told.output), {
    before: ['PMC0'],
    after: [],
    refused: '/problems/unknown_name',
    saved: [0, 0, 7, 3],
    script: ['open_event', 'add_vcpu', 'transition', 'close_event'],
    closed: 204,
    page: 1,
  });
});
