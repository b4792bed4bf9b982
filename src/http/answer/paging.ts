/**
 * Pages of a list. A cursor identifies the last item seen by its position and its key, so that pages
 * stay right when earlier items, or that item itself, are deleted.
 */
import type { FastifyReply } from 'fastify';
import type { PageQuery } from '../../../schemas/common.js';
import type { Numbered } from '../../service/numbered.js';
import { ProblemError } from '../../service/problem-error.js';

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  has_more: boolean;
}

/** Cuts a page out of a list in stable order; `key` is unique per item. */
export function page<T>(
  items: readonly T[],
  query: PageQuery,
  key: (item: T) => string | number,
): Page<T> {
  const start = query.cursor === undefined ? 0 : positionAfter(items, query.cursor, key);
  const end = start + query.limit;
  const shown = items.slice(start, end);
  const last = shown.at(-1);
  const hasMore = last !== undefined && end < items.length;
  return {
    items: shown,
    next_cursor: hasMore ? encode(end - 1, String(key(last))) : null,
    has_more: hasMore,
  };
}

/** Also sends a `Link` header to the next page. */
export function sendPage<T>(
  reply: FastifyReply,
  items: readonly T[],
  query: PageQuery,
  key: (item: T) => string | number,
): Page<T> {
  const result = page(items, query, key);
  if (result.next_cursor !== null) linkNext(reply, { cursor: result.next_cursor });
  return result;
}

interface RowsOptions {
  /** At most so many on a page, whatever is asked for. */
  readonly itemsMax?: number;
  /** The numbers go down, so what is added comes before the first page and moves no other. */
  readonly isNewestFirst?: boolean;
}

/** A page of items that the database numbers: `list` gives those that follow a number, in order. */
export async function sendRows<T>(
  reply: FastifyReply,
  query: PageQuery,
  list: (after: number, limit: number) => Promise<readonly Numbered<T>[]>,
  { itemsMax = query.limit, isNewestFirst = false }: RowsOptions = {},
): Promise<Page<T>> {
  const limit = Math.min(query.limit, itemsMax);
  const start = isNewestFirst ? Number.MAX_SAFE_INTEGER : 0;
  const rows = await list(query.cursor === undefined ? start : numberIn(query.cursor), limit + 1);
  return pageOfRows(reply, rows.slice(0, limit), rows.length > limit);
}

/** The same of items of which `list` gives as many as it likes, and says whether there are more. */
export async function sendSome<T>(
  reply: FastifyReply,
  { cursor, limit }: PageQuery,
  list: (
    after: number,
    limit: number,
  ) => Promise<{ rows: readonly Numbered<T>[]; hasMore: boolean }>,
): Promise<Page<T>> {
  const { rows, hasMore } = await list(cursor === undefined ? 0 : numberIn(cursor), limit);
  return pageOfRows(reply, rows, hasMore);
}

function pageOfRows<T>(
  reply: FastifyReply,
  rows: readonly Numbered<T>[],
  hasMore: boolean,
): Page<T> {
  const cursor = hasMore ? encode(rows.at(-1)?.seq ?? 0, 'seq') : null;
  if (cursor !== null) linkNext(reply, { cursor });
  return { items: rows.map(({ item }) => item), next_cursor: cursor, has_more: hasMore };
}

/** Links the URL of the request with some query parameters replaced. */
export function linkNext(reply: FastifyReply, changes: Readonly<Record<string, string>>): void {
  const [path = '', search = ''] = reply.request.url.split('?', 2);
  const parameters = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) parameters.set(name, value);
  reply.header('link', `<${path}?${parameters}>; rel="next"`);
}

function encode(index: number, key: string): string {
  return Buffer.from(`${index}:${key}`).toString('base64url');
}

function positionAfter<T>(
  items: readonly T[],
  cursor: string,
  key: (item: T) => string | number,
): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  const parts = /^(0|[1-9][0-9]{0,14}):(.{1,200})$/.exec(text);
  if (parts === null || encode(Number(parts[1]), parts[2] ?? '') !== cursor) throw badCursor();
  const index = Number(parts[1]);
  const isSeen = (item: T): boolean => String(key(item)) === parts[2];
  const seen = items[index];
  if (seen !== undefined && isSeen(seen)) return index + 1;
  const moved = items.findIndex(isSeen);
  // The item is gone, so what followed it has moved up into its place.
  return moved === -1 ? Math.min(index, items.length) : moved + 1;
}

function numberIn(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  const number = Number(/^(0|[1-9][0-9]{0,14}):seq$/.exec(text)?.[1]);
  if (Number.isNaN(number) || encode(number, 'seq') !== cursor) throw badCursor();
  return number;
}

function badCursor(): ProblemError {
  const detail = 'is not a cursor of this list';
  return new ProblemError('validation', `In the query, /cursor: ${detail}.`, [
    { pointer: '/cursor', detail, in: 'query' },
  ]);
}
