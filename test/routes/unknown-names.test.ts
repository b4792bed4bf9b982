/** Names that the catalogue does not have: the answer says what may have been meant, and does not speak of machines. */
import t from 'tap';
import { problemOf } from '../helper.js';
import { openLab } from './lab.js';

t.test('in a body', async (t) => {
  const lab = await openLab(t);
  const HOST = { cpu_model: 'cascade-lake', kernel: 'upstream-base' };
  const matrix = {
    kernels: ['upstream-base'],
    cpu_models: ['cascade-lake'],
    scenarios: ['matrix-upstream-base-k3-late'],
  };
  const model = { ...HOST, vcpus: [{}] };
  for (const [path, body, pointer, said] of [
    ['hosts', { ...HOST, cpu_model: 'cascadelake' }, '/cpu_model', /mean "cascade-lake"\?/],
    ['hosts', { ...HOST, kernel: '6.12' }, '/kernel', /mean "linux-6\.12\.117" or /],
    [
      'hosts',
      { ...HOST, kernel: 'windows-nt' },
      '/kernel',
      /windows-nt\); there are linux-7\.3\.4, /,
    ],
    [
      'comparisons',
      { kernels: ['upstream'], cpu_models: ['cascade-lake'] },
      '/kernels/0',
      /mean "upstream-base"\?/,
    ],
    [
      'explorations',
      { scenario: 'matrix-upstream-base-k3' },
      '/scenario',
      /mean "matrix-linux-7\.2\.6-k3-prompt" or "matrix-linux-7\.2\.6-k3-late"\? GET \/v1\/scenarios/,
    ],
    [
      'explorations',
      { scenario: 'nothing-like-it-at-all' },
      '/scenario',
      /; GET \/v1\/scenarios lists them/,
    ],
    [
      'campaigns',
      {
        matrix: { ...matrix, scenarios: ['matrix-upstream-base-k3'] },
        walks: 1,
        steps_per_walk: 1,
      },
      '/matrix/scenarios/0',
      /mean "matrix-linux-7\.2\.6-k3-prompt" or "matrix-linux-7\.2\.6-k3-late"\? GET \/v1\/scenarios/,
    ],
    ['explorations', { model, properties: ['I1', 'I77'] }, '/properties/1', /mean "I7"\?/],
    ['explorations', { model, compare_with: 'pebs-v9' }, '/compare_with', /did you mean/],
    [
      'campaigns',
      { matrix: { ...matrix, kernels: ['pebs-v0'] }, walks: 1, steps_per_walk: 1 },
      '/matrix/kernels/0',
      /did you mean/,
    ],
  ] as const) {
    const response = await lab.send('POST', `/v1/${path}`, body);
    const problem = problemOf(t, response, 'unknown_name');
    t.equal(problem.title, 'The catalogue has no entry of this name');
    t.equal(problem.errors[0]?.pointer, pointer);
    t.match(problem.detail, said);
  }
  const costed = await lab.send('POST', '/v1/explorations', { scenario: 'Bc' });
  t.match(problemOf(t, costed, 'rule_violated').detail, /Bc.*POST \/v1\/comparisons/);
  const world = await lab.send('POST', '/v1/explorations', { scenario: 'main-race-late' });
  t.match(
    problemOf(t, world, 'rule_violated').detail,
    /main-race-late, a world without .* matrix-linux-7\.3\.4-k1-late/,
  );
});

t.test('in an address', async (t) => {
  const lab = await openLab(t);
  for (const [path, said] of [
    [
      'kernels/6.12',
      /^There is no kernel 6\.12, did you mean "linux-6\.12\.117" or .*\? There are linux-7\.3\.4, /,
    ],
    ['kernels/upstream', /mean "upstream-base"\?/],
    ['cpu-models/emr', /^There is no CPU model emr; there are haswell-x, /],
    ['cpu-models/emeraldrapids', /mean "emerald-rapids"\?/],
    ['invariants/I77', /mean "I7"\?/],
    ['scenarios/matrix-upstream-base-k3', /mean "matrix-linux-7\.2\.6-k3-prompt" or /],
  ] as const) {
    t.match(problemOf(t, await lab.get(`/v1/${path}`), 'not_found').detail, said);
  }
});

t.test('what stands in the way on a busy CPU is named', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids', 'upstream-base', { cpus: 2 });
  const inGuest = await host.vcpu({ cpu: 1 });
  const other = await host.vcpu({ cpu: 1 });
  await host.move(inGuest, { kind: 'vm_entry' });
  const enter = { kind: 'vm_entry' };
  const path = `/vcpus/${other.id}/transitions`;
  t.match(
    (await host.refuses('conflict', 'POST', path, enter)).detail,
    /^CPU 1 is in the guest of v0\b/,
  );
  t.match(
    (await host.refuses('conflict', 'POST', '/ticks', { cpu: 1 })).detail,
    /^CPU 1 is in the guest of v0\b/,
  );
  await host.move(inGuest, { kind: 'vm_exit' });
  await host.move(inGuest, { kind: 'micro_step', count: 3 });
  t.match(
    (await host.refuses('conflict', 'POST', path, enter)).detail,
    /^CPU 1 is in the middle of a run of v0\b/,
  );
  await host.move(inGuest, { kind: 'round_trip' });
  await host.act('pmu/disable', { cpu: 1 });
  t.match(
    (await host.refuses('conflict', 'POST', path, enter)).detail,
    /^CPU 1 is between PMU disable and PMU enable\b/,
  );
});

t.test('a body that is not called JSON is answered with the header to add', async (t) => {
  const { app } = await openLab(t);
  for (const type of ['application/x-www-form-urlencoded', 'text/plain']) {
    const response = await app.inject({
      method: 'POST',
      url: '/v1/hosts',
      payload: '{}',
      headers: { 'content-type': type },
    });
    const { detail } = problemOf(t, response, 'unsupported_media_type');
    t.match(detail, /`Content-Type: application\/json`.*-H "content-type: application\/json"/);
  }
});

t.test('an event tells whether its records go to Intel PT', async (t) => {
  const lab = await openLab(t);
  const host = await lab.host('emerald-rapids');
  const event = await host.event({ aux_output: true });
  t.equal(event.aux_output, true);
  t.equal((await host.eventState(event)).aux_output, true);
  t.equal((await host.event({ counter: 'PMC1' })).aux_output, false);
});
