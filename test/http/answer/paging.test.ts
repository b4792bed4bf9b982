import t from 'tap';
import { PageQuerySchema } from '../../../schemas/common.js';
import { page, sendPage } from '../../../src/http/answer/paging.js';
import { build, problemOf } from '../../helper.js';

const ITEMS = Array.from({ length: 10 }, (_, i) => ({ id: `host_${i}` }));
const key = (item: { id: string }): string => item.id;
const idsOf = (items: { id: string }[]): string[] => items.map(key);

t.test('pages cover a list once, in order', async (t) => {
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } =
      cursor === null ? { limit: 3 } : { limit: 3, cursor };
    const result = page(ITEMS, query, key);
    seen.push(...idsOf(result.items));
    t.equal(result.has_more, result.next_cursor !== null);
    cursor = result.next_cursor;
  } while (cursor !== null);
  t.strictSame(seen, idsOf(ITEMS));
});

t.test('a page that ends the list has no next one', async (t) => {
  t.match(page(ITEMS, { limit: 10 }, key), { has_more: false, next_cursor: null });
  t.match(page([], { limit: 10 }, key), { items: [], has_more: false, next_cursor: null });
});

t.test('a cursor stays right when items go away', async (t) => {
  const { next_cursor } = page(ITEMS, { limit: 3 }, key);
  const next = { limit: 3, cursor: next_cursor ?? '' };
  const without = (...ids: string[]) => ITEMS.filter(({ id }) => !ids.includes(id));
  const following = ['host_3', 'host_4', 'host_5'];
  t.strictSame(idsOf(page(without('host_0'), next, key).items), following, 'one before it');
  t.strictSame(idsOf(page(without('host_2'), next, key).items), following, 'the one it names');
  t.strictSame(page([], next, key).items, [], 'all of them');
});

t.test('over HTTP', async (t) => {
  const app = await build(t, {}, (app) => {
    app.get<{ Querystring: { limit: number; cursor?: string } }>(
      '/v1/things',
      { schema: { querystring: PageQuerySchema } },
      async ({ query }, reply) => sendPage(reply, ITEMS, query, key),
    );
  });
  const first = await app.inject('/v1/things?limit=4');
  const link = /^<(.*)>; rel="next"$/.exec(String(first.headers.link));
  const second = await app.inject(link?.[1] ?? '');
  t.strictSame(
    idsOf(second.json().items),
    ['host_4', 'host_5', 'host_6', 'host_7'],
    'Link leads on',
  );
  const last = await app.inject('/v1/things?limit=10');
  t.notOk(last.headers.link, 'the last page links nowhere');
  for (const cursor of ['abc', 'MTIz', '!!', 'x'.repeat(600)]) {
    const problem = problemOf(t, await app.inject(`/v1/things?cursor=${cursor}`), 'validation');
    t.match(problem.errors, [{ pointer: '/cursor', in: 'query' }], `${cursor} is refused`);
  }
});
