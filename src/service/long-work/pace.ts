/** Progress of one work is reported no more often. */
const INTERVAL_MILLIS = 2000;

/** Throttles reports by id. */
export class Pace {
  private readonly reportedAt = new Map<string, number>();

  isDue(id: string): boolean {
    const now = performance.now();
    // Drop entries older than the interval.
    for (const [other, at] of this.reportedAt) {
      if (now - at >= INTERVAL_MILLIS) this.reportedAt.delete(other);
    }
    if (this.reportedAt.has(id)) return false;
    this.reportedAt.set(id, now);
    return true;
  }
}
