/** How much long work may wait or run, in all and of each who asks for it. */

import type { Added, WorkLimits } from '../store/work-store.js';
import { tryLater } from './problem-error.js';

/** The name of the token that asks; null where the service has none, and then everybody is one. */
export type Owner = string | null;

export function ownerName(owner: Owner): string {
  return owner ?? '';
}

/** Where nobody can be told from anybody, there is nobody to leave places to. */
export function limitsFor(owner: Owner, limits: WorkLimits): WorkLimits {
  return owner === null ? { all: limits.all, own: limits.all } : limits;
}

/** What was added, or a problem that says why nothing was. */
export function assertAdded(
  added: Added,
  limits: WorkLimits,
  what: string,
  seconds: number,
): { readonly own: number } {
  if ('own' in added) return added;
  const detail =
    added.full === 'all'
      ? `${limits.all} ${what} are waiting already.`
      : `${limits.own} ${what} of this token are waiting already; others keep their places.`;
  throw tryLater('too_many_requests', detail, seconds);
}
