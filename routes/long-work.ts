/** What the routes of explorations, campaigns and explanations answer alike. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { WorkQuery } from '../schemas/common.js';
import { type Page, sendRows } from '../src/http/answer/paging.js';
import { sendReply } from '../src/http/read/idempotency.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import type { Reply } from '../src/service/idempotency.js';
import type { LongItem, LongWorks } from '../src/service/long-work/long-works.js';

/** How many go on a page, whatever is asked for: each has thousands of characters. */
const ITEMS_MAX = 100;

/** What was asked for: at once, or its end where the client prefers to wait for it. */
export async function sendStarted<Item extends LongItem>(
  request: FastifyRequest,
  reply: FastifyReply,
  works: LongWorks<Item>,
  created: Reply<Item>,
): Promise<Item> {
  const item = sendReply(reply, created);
  const millis = preferredWaitMillis(request.headers.prefer);
  if (millis === 0) return item;
  const waited = await works.wait(item.id, millis);
  reply.code(waited.finished_at === undefined ? 202 : 200);
  return waited;
}

export function sendWorks<Item extends LongItem>(
  reply: FastifyReply,
  query: WorkQuery,
  works: LongWorks<Item>,
): Promise<Page<Item>> {
  return sendRows(reply, query, (after, limit) => works.list(query, after, limit), {
    itemsMax: ITEMS_MAX,
    isNewestFirst: query.sort === 'newest',
  });
}
