/** What is reported of a run, or not in time. */
import type { LockedRun, Report } from '../../store/lease-store.js';
import { runAfter, type Worth, worthOf } from './lease-rules.js';

/** Takes what is reported for what it is worth. */
export async function takeReport(run: LockedRun, token: number, report: Report): Promise<Worth> {
  const worth = worthOf(run, await run.attempt(token), token, report.result);
  if (worth === 'counts') {
    await run.end('completed', runAfter(run.fence, run.isCancelled, report.result), report);
  }
  if (worth === 'late') {
    await run.report(token, report);
    // Nobody may have noticed yet that its lease is over.
    if (token === run.fence) await endIfOver(run);
  }
  return worth;
}

export async function endIfOver(run: LockedRun): Promise<void> {
  if (run.state !== 'leased' || !run.isOver) return;
  await run.end('expired', runAfter(run.fence, run.isCancelled));
}
