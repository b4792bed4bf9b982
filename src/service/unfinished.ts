/** Limits on unfinished long work: in total, and per token. */

import type { Added, WorkLimits } from '../store/work-store.js';
import { tryLater } from './problem-error.js';

/** The name of the token; null if the service has no tokens: then all clients count as one. */
export type Owner = string | null;

export function ownerName(owner: Owner): string {
  return owner ?? '';
}

/** Clients without tokens cannot be told apart, so one may use all places. */
export function limitsFor(owner: Owner, limits: WorkLimits): WorkLimits {
  return owner === null ? { all: limits.all, own: limits.all } : limits;
}

/** The work that was added, or the problem why it was not. */
export function assertAdded(
  added: Added,
  limits: WorkLimits,
  what: string,
  seconds: number,
): { readonly own: number } {
  if ('own' in added) return added;
  const detail =
    added.full === 'all'
      ? `${limits.all} ${what} are already queued or running.`
      : `${limits.own} ${what} of this token are already queued or running.`;
  throw tryLater('too_many_requests', detail, seconds);
}
