/** How runs end: by the result that a machine says, or because it says none in time. */
import type { LockedRun, ReportedResult } from '../../store/lease-store.js';
import { runAfter, type Worth, worthOf } from './lease-rules.js';

/** Takes a result for what it is worth. */
export async function takeResult(
  run: LockedRun,
  token: number,
  reported: ReportedResult,
): Promise<Worth> {
  const worth = worthOf(run, await run.attempt(token), token, reported.result);
  if (worth === 'counts') {
    await run.end('completed', runAfter(run.fence, run.isCancelled, reported.result), reported);
  }
  if (worth === 'late') {
    await run.report(token, reported);
    // Nobody may have noticed yet that its lease is over.
    if (token === run.fence) await endIfOver(run);
  }
  return worth;
}

export async function endIfOver(run: LockedRun): Promise<void> {
  if (run.state !== 'leased' || !run.isOver) return;
  await run.end('expired', runAfter(run.fence, run.isCancelled));
}
