/**
 * The events that a recording shows, each as what was started and stopped on a counter. What was opened there one after the other
 * is told apart by what perf did with it.
 */
import { COUNTERS, type CounterSet } from '../../pmu/arch/counter-set.js';

/** An event that the recording shows on a counter. What was started or stopped was there. */
export interface EventClue {
  /** Set bit of the counter. */
  readonly counter: number;
  readonly precise: boolean;
  /** perf left the counter out of IA32_PERF_GLOBAL_CTRL. */
  readonly guestOnly: boolean;
  /** What it may ask of MSR_PEBS_DATA_CFG; several where one event after the other may have been there. */
  readonly dataCfgs: readonly number[];
  /** Whether the tick has adjusted its frequency, and whether it has passed it by. */
  readonly adjusted: boolean;
  readonly notAdjusted: boolean;
  /** It may have had to make way for another one, and gone on elsewhere. */
  readonly moved: boolean;
  /** Whether it was on when the recording began; null where that is not told. */
  readonly wasOn: boolean | null;
}

/** While it is read. */
interface Event {
  readonly counter: number;
  readonly precise: boolean;
  guestOnly: boolean;
  readonly cfgs: number[];
  adjusted: boolean;
  notAdjusted: boolean;
  moved: boolean;
  readonly wasOn: boolean | null;
  /** First seen in the section under way, which has not yet told whether it counts in guests only. */
  isNew: boolean;
}

export class EventClues {
  /** MSR_PEBS_DATA_CFG as it was written last. */
  dataCfg = 0;
  /** IA32_FIXED_CTR_CTRL was written before. */
  hasFixed = false;
  private readonly found = new Map<string, Event>();
  /** By counter, the event that was started or stopped there last. */
  private readonly latest = new Map<number, Event>();
  private on: CounterSet = 0;
  /** IA32_PERF_GLOBAL_CTRL as it was written last, but 0. */
  private host: CounterSet = ~0;
  /** Stopped by a handler, and not started since. */
  private throttled: CounterSet = 0;
  private section: Section | null = null;
  /** Counters whose events were taken out together, in order. */
  readonly takenOut: number[][] = [];

  get all(): EventClue[] {
    return [...this.found.values()].map(({ cfgs, isNew: _, ...event }) => ({
      ...event,
      dataCfgs: wishesOf(event.precise ? cfgs : [0]),
    }));
  }

  isOn(counter: number): boolean {
    return (this.on & (1 << counter)) !== 0;
  }

  /** The selector of a counter, or its part of IA32_FIXED_CTR_CTRL, is written. */
  write(counter: number, precise: boolean, isOn: boolean, inNmi: boolean): void {
    const bit = 1 << counter;
    const before = this.latest.get(counter);
    const event =
      before !== undefined && (before.precise === precise || (!isOn && counter >= 16))
        ? before
        : this.event(
            counter,
            precise,
            before?.guestOnly ?? (this.host & bit) === 0,
            // The first write of IA32_FIXED_CTR_CTRL does not tell which of its counters were on before.
            before !== undefined || (this.hasFixed && isOn) ? false : counter < 16 ? !isOn : null,
          );
    this.latest.set(counter, event);
    if (isOn && precise && event.cfgs.at(-1) !== this.dataCfg) event.cfgs.push(this.dataCfg);
    if (!inNmi) this.section?.write(counter, isOn, (this.throttled & bit) !== 0);
    if (isOn) {
      this.on |= bit;
      this.throttled &= ~bit;
    } else {
      this.on &= ~bit;
      if (inNmi) this.throttled |= bit;
    }
  }

  /** perf switches the counters off, or on again. */
  globalCtrl(set: CounterSet, inNmi: boolean): void {
    if (set !== 0) this.host = set;
    if (inNmi) return;
    if (set === 0) {
      this.section = new Section(this.on, this.throttled);
      return;
    }
    const { section } = this;
    if (section === null) return;
    for (const counter of section.starts) {
      if (this.isOn(counter)) this.startedWith(counter, (set & (1 << counter)) === 0);
    }
    if (section.stops.length > 1 && section.starts.length === 0) this.takenOut.push(section.stops);
    this.adjust(section);
    this.move(section);
    for (const event of this.found.values()) event.isNew = false;
    this.section = null;
  }

  /** An event with the same counter may come both with it and without. */
  private startedWith(counter: number, guestOnly: boolean): void {
    const event = this.latest.get(counter)!;
    if (event.guestOnly === guestOnly) return;
    if (event.isNew) this.found.delete(keyOf(event));
    const other = this.event(counter, event.precise, guestOnly, event.isNew && event.wasOn);
    const cfg = event.cfgs.at(-1);
    if (cfg !== undefined && other.cfgs.at(-1) !== cfg) other.cfgs.push(cfg);
    this.latest.set(counter, other);
  }

  /** The tick stops and starts events in frequency mode, each by itself, and leaves the others alone. */
  private adjust({ before, throttled, stopped, starts }: Section): void {
    const started = starts.reduce((all, counter) => all | (1 << counter), 0);
    const restarted = started & stopped;
    const isTick =
      (stopped & ~restarted) === 0 && (started & ~restarted & ~throttled) === 0 && started !== 0;
    if (!isTick) return;
    for (const [counter, event] of this.latest) {
      const isRestarted = (restarted & (1 << counter)) !== 0;
      // Enabling one that was throttled and then disabled looks the same as a tick.
      if (isRestarted && started === restarted) event.adjusted = true;
      else if (isRestarted) continue;
      else if ((before & (1 << counter)) !== 0 && counter < 16) event.notAdjusted = true;
    }
  }

  /** Where one that was there is stopped, and another one is started elsewhere first. */
  private move({ throttled, stopped, starts }: Section): void {
    const fresh = starts.filter((counter) => ((stopped | throttled) & (1 << counter)) === 0);
    for (const [counter, event] of this.latest) {
      if (((stopped | throttled) & (1 << counter)) === 0 || counter >= 16) continue;
      const again = starts.indexOf(counter);
      event.moved ||= fresh.some(
        (other) =>
          other < 16 &&
          isAlike(this.latest.get(other)!, event) &&
          (again < 0 || starts.indexOf(other) < again),
      );
    }
  }

  private event(
    counter: number,
    precise: boolean,
    guestOnly: boolean,
    wasOn: boolean | null,
  ): Event {
    const key = keyOf({ counter, precise, guestOnly });
    const known = this.found.get(key);
    if (known !== undefined) return known;
    const event: Event = {
      counter,
      precise,
      guestOnly,
      cfgs: [],
      adjusted: false,
      notAdjusted: false,
      moved: false,
      wasOn,
      isNew: this.section !== null,
    };
    this.found.set(key, event);
    return event;
  }
}

function isAlike(one: Event, other: Event): boolean {
  return one.precise === other.precise && one.guestOnly === other.guestOnly;
}

function keyOf({
  counter,
  precise,
  guestOnly,
}: Pick<EventClue, 'counter' | 'precise' | 'guestOnly'>): string {
  return `${counter} ${precise} ${guestOnly}`;
}

/** What perf does between a PMU disable and the PMU enable. */
class Section {
  readonly starts: number[] = [];
  readonly stops: number[] = [];
  stopped: CounterSet = 0;
  readonly before: CounterSet;
  throttled: CounterSet;

  constructor(before: CounterSet, throttled: CounterSet) {
    this.before = before & COUNTERS;
    this.throttled = throttled;
  }

  write(counter: number, isOn: boolean, wasThrottled: boolean): void {
    if (wasThrottled) this.throttled |= 1 << counter;
    if (isOn) this.starts.push(counter);
    else {
      this.stops.push(counter);
      this.stopped |= 1 << counter;
    }
  }
}

/**
 * An event's wish is part of every configuration that it was started with. One alone that fits all comes first, then those of
 * events that were there one after the other.
 */
function wishesOf(cfgs: readonly number[]): number[] {
  if (cfgs.length === 0) return [0];
  return [...new Set([cfgs.reduce((all, cfg) => all & cfg), ...cfgs])];
}
