/** How often progress is told to those who listen. */
const TELL_MILLIS = 2000;

/** Says of each id whether it may speak again. */
export class Pace {
  private readonly spokenAt = new Map<string, number>();

  isDue(id: string): boolean {
    const now = performance.now();
    // Those whose last word is old may speak again: they need not be remembered.
    for (const [other, at] of this.spokenAt) {
      if (now - at >= TELL_MILLIS) this.spokenAt.delete(other);
    }
    if (this.spokenAt.has(id)) return false;
    this.spokenAt.set(id, now);
    return true;
  }
}
