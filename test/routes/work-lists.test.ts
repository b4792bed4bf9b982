/** Lists of explorations and campaigns: the newest first, and only what is asked for. */
import t from 'tap';
import { type Campaign, CampaignPageSchema, CampaignSchema } from '../../schemas/campaign.js';
import {
  type Exploration,
  ExplorationPageSchema,
  ExplorationSchema,
} from '../../schemas/exploration.js';
import { bodyOf, problemOf } from '../helper.js';
import { eventually } from '../instances.js';
import { openFreshLab } from './lab.js';

const model = (kernel: string) => ({
  cpu_model: 'emerald-rapids',
  kernel,
  events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
  vcpus: [{}],
  actors: [{ kind: 'nmi_throttle' }],
});

t.test('lists', async (t) => {
  const lab = await openFreshLab(t);
  const post = async (kind: string, payload: object) => {
    const headers = { prefer: 'wait=60' };
    return lab.app.inject({ method: 'POST', url: `/v1/${kind}`, headers, payload });
  };
  const search = async (payload: object): Promise<Exploration> =>
    bodyOf(t, await post('explorations', payload), ExplorationSchema);
  const walk = async (name: string, kernels: string[]): Promise<Campaign> => {
    const matrix = { kernels, cpu_models: ['emerald-rapids'], scenarios: ['main-race-late'] };
    const request = { name, matrix, walks: 20, steps_per_walk: 200 };
    return bodyOf(t, await post('campaigns', request), CampaignSchema);
  };
  const listed = async (query: string) => {
    const response = await lab.get(`/v1/explorations${query}`);
    return bodyOf(t, response, ExplorationPageSchema).items.map(({ id }) => id);
  };

  const old = await search({ model: model('upstream-base'), properties: ['I1'] });
  const fixed = await search({ model: model('linux-7.3.4'), properties: ['I1'] });
  const named = await search({ scenario: 'matrix-linux-7.3.4-k3-prompt' });
  t.equal(old.verdict, 'violated');

  await t.test('of explorations', async (t) => {
    t.strictSame(await listed(''), [named.id, fixed.id, old.id]);
    t.strictSame(await listed('?sort=oldest'), [old.id, fixed.id, named.id]);
    t.strictSame(await listed('?verdict=violated'), [old.id]);
    t.strictSame(await listed('?state=succeeded&limit=2'), [named.id, fixed.id]);
    t.strictSame(await listed('?state=failed'), []);
    t.strictSame(await listed('?kernel=linux-7.3.4&sort=oldest'), [fixed.id, named.id]);
    t.strictSame(await listed('?kernel=linux-7.2.6'), [old.id], 'which has an alias');
    t.strictSame(await listed('?scenario=matrix-linux-7.3.4-k3-prompt'), [named.id]);
    const unknown = problemOf(
      t,
      await lab.get('/v1/explorations?kernel=linux-7.3'),
      'unknown_name',
    );
    t.match(unknown.detail, /did you mean "linux-7.3.4"/);
    for (const query of ['sort=best', 'state=done', 'verdict=bad', 'name=x']) {
      problemOf(t, await lab.get(`/v1/explorations?${query}`), 'validation');
    }
  });

  await t.test('of campaigns', async (t) => {
    const first = await walk('nightly', ['upstream-base']);
    const second = await walk('weekly', ['linux-7.3.4', 'linux-6.12.117']);
    const campaigns = async (query: string) =>
      bodyOf(t, await lab.get(`/v1/campaigns${query}`), CampaignPageSchema).items.map(
        ({ id }) => id,
      );
    t.strictSame(await campaigns(''), [second.id, first.id]);
    t.strictSame(await campaigns('?name=nightly'), [first.id]);
    t.strictSame(await campaigns('?kernel=linux-6.12.117'), [second.id]);
    const violated = [second, first].filter(({ verdict }) => verdict === 'violated');
    t.strictSame(
      await campaigns('?verdict=violated'),
      violated.map(({ id }) => id),
    );
    t.strictSame(await campaigns('?state=succeeded&sort=oldest'), [first.id, second.id]);
  });

  await t.test('what comes while pages are read moves none', async (t) => {
    const url = '/v1/explorations?limit=2';
    const page = bodyOf(t, await lab.get(url), ExplorationPageSchema);
    const newer = await search({ model: model('linux-6.12.117'), properties: ['I1'] });
    t.strictSame(await listed(`?limit=2&cursor=${page.next_cursor}`), [old.id]);
    t.strictSame(await listed('?limit=1'), [newer.id]);
  });
});

t.test('a search or campaign is deleted, and ended before if need be', async (t) => {
  const lab = await openFreshLab(t);
  const events = ['PMC0', 'PMC1', 'PMC2', 'PMC3'].map((counter) => ({ counter, precise_ip: 2 }));
  const kinds = ['nmi_throttle', 'event_enable', 'event_disable', 'tick', 'pmu_section'];
  const actors = kinds.map((kind) => ({ kind }));
  const huge = { ...model('upstream-base'), events, vcpus: [{}, {}], actors, nmi_timing: 'late' };
  const search = async (payload: object, prefer: string) => {
    const headers = { prefer };
    return lab.app.inject({ method: 'POST', url: '/v1/explorations', headers, payload });
  };
  const done = await search({ model: model('upstream-base'), properties: ['I1'] }, 'wait=60');
  const running = await search({ model: huge, properties: ['I11'], fold: false }, 'wait=0');
  const { id } = bodyOf(t, running, ExplorationSchema, 202);
  while ((await lab.get(`/v1/explorations/${id}`)).json().state === 'queued');
  const walked = await lab.send('POST', '/v1/campaigns', {
    matrix: {
      kernels: ['upstream-base'],
      cpu_models: ['emerald-rapids'],
      scenarios: ['main-race-late'],
    },
    walks: 100_000,
    steps_per_walk: 1000,
  });
  const campaign = bodyOf(t, walked, CampaignSchema, 202);
  const urls = [
    `/v1/explorations/${bodyOf(t, done, ExplorationSchema).id}`,
    `/v1/explorations/${id}`,
    `/v1/campaigns/${campaign.id}`,
  ];
  for (const url of urls) {
    const response = await lab.send('DELETE', url);
    t.equal(response.statusCode, 204, response.body);
    problemOf(t, await lab.get(url), 'not_found');
    problemOf(t, await lab.send('DELETE', url), 'not_found');
  }
  t.strictSame((await lab.get('/v1/explorations')).json().items, []);
  t.strictSame((await lab.get('/v1/campaigns')).json().items, []);
  const deleted = async (): Promise<string[]> => {
    const { items } = (await lab.get('/v1/events?limit=1000')).json();
    return items
      .filter(({ type }: { type: string }) => type.endsWith('.deleted'))
      .map(({ subject }: { subject: string }) => subject);
  };
  // Events are listed only once no older transaction is in progress, including those in other tests' databases.
  const told = await eventually(deleted, (subjects) => subjects.length === urls.length);
  t.strictSame(
    told,
    urls.map((url) => url.split('/').at(-1)),
  );
  const next = await search({ model: model('linux-7.3.4'), properties: ['I1'] }, 'wait=60');
  t.equal(bodyOf(t, next, ExplorationSchema).state, 'succeeded', 'the worker is free again');
});
