/** The jobs of works that are one piece: searches and explanations. */
import type { WorkJob } from '../../jobs/work-queue.js';
import type { WaitingWork } from '../../store/work-store.js';

const PRIORITY_MAX = 99;

/**
 * Those who ask for much wait behind those who ask for little: the second work of one comes after the first of all. All
 * of them come before the many pieces of campaigns.
 */
export function workJob(kind: string, { id, lane, own }: WaitingWork): WorkJob {
  const priority = Math.min(own, PRIORITY_MAX);
  return { kind, id: `${kind}-${id}`, data: { id, lane }, lane, priority };
}
