/** The trace of a host, read page by page: each micro-step once, in order, and the same at every size of page. */
import type { TraceItem, TracePage } from '../../schemas/trace.js';
import { json } from './http-client.js';
import type { InsistentClient } from './insist.js';
import type { Report } from './report.js';

const KEPT_MAX = 1000;

/** Right only while nobody changes the host. */
export async function checkTrace(
  client: InsistentClient,
  hostPath: string,
  report: Report,
): Promise<void> {
  const whole = await readPages(client, hostPath, KEPT_MAX);
  const pieces = await readPages(client, hostPath, 70);
  report.same(`${hostPath}/trace in small pages`, pieces, whole);
  const indexes = whole.map(({ index }) => index);
  const isSorted = indexes.every((index, at) => at === 0 || index > indexes[at - 1]!);
  report.same(`${hostPath}/trace in order`, isSorted, true);
  const span = (indexes.at(-1) ?? 0) - (indexes[0] ?? 0);
  report.same(`${hostPath}/trace of the newest only`, span < KEPT_MAX, true);
}

async function readPages(
  client: InsistentClient,
  hostPath: string,
  limit: number,
): Promise<TraceItem[]> {
  const items: TraceItem[] = [];
  let after = '';
  for (;;) {
    const answer = await client.get(`${hostPath}/trace?limit=${limit}${after}`);
    const page = json<TracePage>(answer);
    items.push(...page.items);
    if (!page.has_more) return items;
    after = `&after=${page.next_cursor}`;
  }
}
