/** Files over HTTP: counterexamples, paths of states and traces of hosts in every format, by name and by media type. */
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import t, { type Test } from 'tap';
import {
  type Counterexample,
  CounterexampleSchema,
  WalkStateSchema,
} from '../../schemas/counterexample.js';
import { type Exploration, ExplorationSchema } from '../../schemas/exploration.js';
import type { Host } from '../../schemas/host.js';
import { TracePageSchema } from '../../schemas/trace.js';
import { EXPORT_FORMATS } from '../../src/model/vocabulary.js';
import { EXPORT_TYPES } from '../../src/service/exports.js';
import { bodyOf, build, problemOf } from '../helper.js';
import { RACE_SCRIPT } from './script-samples.js';

const app: FastifyInstance = await build(t);

/** How each format begins. */
const BEGINS: Readonly<Record<(typeof EXPORT_FORMATS)[number], RegExp>> = {
  text: /^\S.*\n\n/,
  mermaid: /^sequenceDiagram\n/,
  vcd: /^\$comment .* \$end\n\$timescale 1 ns \$end\n/,
  chrome: /^\{"displayTimeUnit":"ns",/,
  itf: /^\{"#meta":\{"format":"ITF"/,
  ftrace: /^# tracer: nop\n/,
  jsonl: /^\{"step":\d+,/,
};

const searched = await app.inject({
  method: 'POST',
  url: '/v1/explorations',
  headers: { prefer: 'wait=60' },
  payload: { scenario: 'matrix-upstream-base-k3-late' },
});
const race: Exploration = searched.json();
const made = await app.inject({
  method: 'POST',
  url: '/v1/hosts',
  payload: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6', name: 'lab 1' },
});
const host: Host = made.json();
await app.inject({
  method: 'POST',
  url: `/v1/hosts/${host.id}/scripts`,
  payload: { actions: RACE_SCRIPT },
});
const counterexample = `/v1/explorations/${race.id}/counterexamples/I1-0`;
const { path }: Counterexample = (await app.inject(counterexample)).json();

/** What can be taken away: its address, the schema of its JSON, and the beginning of a file's name. */
const RESOURCES = [
  [counterexample, CounterexampleSchema, /^I1-0_upstream-base_k3-late\./],
  [
    `/v1/explorations/${race.id}/states/${path}`,
    WalkStateSchema,
    /^step-24_upstream-base_k3-late\./,
  ],
  [`/v1/explorations/${race.id}/states/0/0`, WalkStateSchema, /^path-0-0_upstream-base_k3-late\./],
  [`/v1/hosts/${host.id}/trace`, TracePageSchema, /^lab-1_linux-7\.2\.6_emerald-rapids_1-\d+\./],
] as const;

function nameOf(t: Test, { headers }: LightMyRequestResponse): string {
  const disposition = String(headers['content-disposition']);
  const name = /^(?:inline|attachment); filename="([A-Za-z0-9._-]+)"$/.exec(disposition)?.[1];
  t.ok(name, disposition);
  return name ?? '';
}

for (const [url, schema, named] of RESOURCES) {
  t.test(`${url.split('/').slice(4).join('/')} in every format`, async (t) => {
    const names = new Set<string>();
    for (const format of EXPORT_FORMATS) {
      const type = EXPORT_TYPES[format];
      const byName = await app.inject({
        url: `${url}?format=${format}`,
        headers: { accept: 'x/y' },
      });
      const byType = await app.inject({
        url,
        headers: { accept: `${type}, application/json;q=0.1` },
      });
      for (const response of [byName, byType]) {
        t.equal(response.statusCode, 200, response.body.slice(0, 300));
        t.ok(String(response.headers['content-type']).startsWith(type), format);
        t.match(response.body, BEGINS[format]);
        t.equal(response.headers.vary, 'accept');
      }
      t.equal(byName.body, byType.body);
      const name = nameOf(t, byName);
      t.match(name, named);
      names.add(name);
    }
    t.equal(names.size, EXPORT_FORMATS.length, 'each has an ending of its own');
    bodyOf(t, await app.inject(url), schema);
    const json = await app.inject({ url: `${url}?format=json`, headers: { accept: 'text/plain' } });
    bodyOf(t, json, schema);
    t.equal(json.headers['content-disposition'], undefined);
    const problem = problemOf(t, await app.inject(`${url}?format=vcdd`), 'validation');
    t.match(problem.errors?.[0], { pointer: '/format', in: 'query' });
    for (const format of EXPORT_FORMATS) t.match(problem.errors?.[0]?.detail, format);
    const none = await app.inject({ url, headers: { accept: 'image/png' } });
    t.match(problemOf(t, none, 'not_acceptable').detail, EXPORT_TYPES.vcd);
  });
}

t.test('a file of a trace has all of it, or the part that is asked for', async (t) => {
  const url = `/v1/hosts/${host.id}/trace`;
  const { items } = bodyOf(t, await app.inject(`${url}?limit=1000`), TracePageSchema);
  const steps = async (query: string): Promise<number[]> => {
    const { body } = await app.inject(`${url}?format=jsonl${query}`);
    return body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).step);
  };
  const indices = items.map(({ index }) => index);
  t.strictSame(await steps(''), indices);
  t.strictSame(await steps('&after=3&limit=5'), indices.slice(3, 8));
  t.equal(
    bodyOf(t, await app.inject(url), TracePageSchema).items.length,
    Math.min(50, items.length),
  );
  const { body } = await app.inject(`${url}?format=text`);
  t.match(body, 'perf wants IA32_PEBS_ENABLE = 0x0000000000000000');
  t.match(body, 'I1 is violated');
  const folded = await app.inject(`${url}?format=text&steps=all`);
  t.ok(folded.body.length > body.length);
});

t.test('a path that leaves the world, or is too long, is no file', async (t) => {
  const states = `/v1/explorations/${race.id}/states`;
  problemOf(t, await app.inject(`${states}/99?format=vcd`), 'not_found');
  problemOf(t, await app.inject(`${states}/x?format=vcd`), 'not_found');
  const long = `${states}/${new Array(1001).fill('0').join('/')}?format=vcd`;
  problemOf(t, await app.inject(long), 'limit_reached');
  const initial = await app.inject(`${states}?format=itf`);
  t.equal(initial.json().states.length, 1, 'the empty path');
  t.equal(nameOf(t, initial), 'step-0_upstream-base_k3-late.itf.json');
});

t.test('a file is named by its world', async (t) => {
  const made = await app.inject({
    method: 'POST',
    url: '/v1/explorations',
    headers: { prefer: 'wait=60' },
    payload: {
      model: {
        cpu_model: 'emerald-rapids',
        kernel: 'linux-7.2.6',
        events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
        vcpus: [{}],
        actors: [{ kind: 'nmi_throttle' }],
      },
      properties: ["I2'"],
    },
  });
  const { id, properties } = bodyOf(t, made, ExplorationSchema);
  const link = properties[0]?.counterexample?.id ?? '';
  const url = `/v1/explorations/${id}/counterexamples/${encodeURIComponent(link)}?format=vcd`;
  t.equal(nameOf(t, await app.inject(url)), 'I2prime-0_linux-7.2.6_emerald-rapids-prompt.vcd');
  const payload = { scenario: 'h7-migration-pebs-v1' };
  const headers = { prefer: 'wait=60' };
  const named = await app.inject({ method: 'POST', url: '/v1/explorations', headers, payload });
  const other = `/v1/explorations/${bodyOf(t, named, ExplorationSchema).id}/states?format=vcd`;
  t.equal(nameOf(t, await app.inject(other)), 'step-0_pebs-v1_h7-migration.vcd');
});

t.test('the graph of a search is a file', async (t) => {
  const url = `/v1/explorations/${race.id}`;
  const aut = await app.inject(`${url}?format=aut`);
  t.match(aut.headers['content-type'], /^text\/vnd\.cadp\.aut/);
  t.equal(nameOf(t, aut), 'upstream-base_k3-late.aut');
  const [, transitions, states] = /^des \(0, (\d+), (\d+)\)\n/.exec(aut.body) ?? [];
  t.equal(Number(states), race.distinct_states);
  t.equal(aut.body.trimEnd().split('\n').length, Number(transitions) + 1);
  const dot = await app.inject({ url, headers: { accept: 'text/vnd.graphviz' } });
  t.match(dot.body, /^digraph \{\n/);
  t.equal(nameOf(t, dot), 'upstream-base_k3-late_cpu0.dot');
  const graphml = await app.inject(`${url}?format=graphml`);
  t.match(graphml.body, '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">');
  const { nodes } = (await app.inject(`${url}/map`)).json();
  t.equal(graphml.body.match(/<node /g)?.length, nodes.length);
  bodyOf(t, await app.inject(url), ExplorationSchema);
  problemOf(t, await app.inject(`${url}?format=svg`), 'validation');
  problemOf(t, await app.inject(`${url}?format=dot&cpu=1`), 'validation');
  const cut = await app.inject({
    method: 'POST',
    url: '/v1/explorations',
    headers: { prefer: 'wait=60' },
    payload: { scenario: 'matrix-upstream-base-k3-late', bounds: { depth: 5 } },
  });
  const { id } = bodyOf(t, cut, ExplorationSchema);
  problemOf(t, await app.inject(`/v1/explorations/${id}?format=aut`), 'conflict');
});
