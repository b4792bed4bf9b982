/**
 * What a run counted: micro-steps, round trips, MSR writes, throttles, and invariant violations with the first place.
 * Tallies add up, so a request's own can be merged into its host's.
 */
import { WriteSink } from '../arch/write-sink.js';
import { INVARIANTS } from '../invariants/index.js';

/** Where an invariant first failed. */
export interface FirstViolation {
  /** Its place in the host's trace. */
  readonly index: number;
  readonly cpu: number;
  /** Index of the running vCPU, or undefined. */
  readonly vcpu: number | undefined;
  /** Name of the micro-step or action after which it failed. */
  readonly at: string;
}

export class Tally {
  readonly sink = new WriteSink();
  microSteps = 0;
  /** Micro-steps, NMIs and other instant actions: their places in the trace. */
  happened = 0;
  roundTrips = 0;
  /** Entries of guests. */
  entries = 0;
  /** Per invariant, how often it came to fail on a CPU; while it fails it is not counted again. */
  readonly violations = new Float64Array(INVARIANTS.length);
  readonly firstViolations: (FirstViolation | undefined)[] = [];

  /** A copy of the counts, to measure from. */
  snapshot(): Tally {
    const copy = new Tally();
    copy.add(this);
    return copy;
  }

  /** Counts everything since the snapshot `times` times more. */
  repeatSince(snapshot: Tally, times: number): void {
    const { counts } = this.sink;
    counts.forEach((count, at) => {
      counts[at] = count + (count - snapshot.sink.counts[at]!) * times;
    });
    this.violations.forEach((count, at) => {
      this.violations[at] = count + (count - snapshot.violations[at]!) * times;
    });
    this.sink.nmis += (this.sink.nmis - snapshot.sink.nmis) * times;
    this.sink.throttles += (this.sink.throttles - snapshot.sink.throttles) * times;
    this.sink.guestPmis += (this.sink.guestPmis - snapshot.sink.guestPmis) * times;
    this.microSteps += (this.microSteps - snapshot.microSteps) * times;
    this.happened += (this.happened - snapshot.happened) * times;
    this.roundTrips += (this.roundTrips - snapshot.roundTrips) * times;
    this.entries += (this.entries - snapshot.entries) * times;
  }

  /** The sum of both. */
  plus(other: Tally): Tally {
    const sum = this.snapshot();
    sum.add(other);
    return sum;
  }

  /** Adds another tally's counts; its first violations count from where this one stands. */
  add(other: Tally): void {
    for (let at = 0; at < INVARIANTS.length; at += 1) {
      const first = other.firstViolations[at];
      if (first !== undefined && this.firstViolations[at] === undefined) {
        this.firstViolations[at] = first;
      }
      this.violations[at] = this.violations[at]! + other.violations[at]!;
    }
    const { counts } = this.sink;
    const added = other.sink.counts;
    for (let at = 0; at < counts.length; at += 1) {
      counts[at] = counts[at]! + added[at]!;
    }
    this.sink.nmis += other.sink.nmis;
    this.sink.throttles += other.sink.throttles;
    this.sink.guestPmis += other.sink.guestPmis;
    this.microSteps += other.microSteps;
    this.happened += other.happened;
    this.roundTrips += other.roundTrips;
    this.entries += other.entries;
  }
}
