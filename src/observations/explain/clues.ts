/** What a recording tells of the machine that made it: its events, and who acts. */

import { MISSING } from '../../explorer/observation.js';
import {
  EXIT_FAILED_ENTRY,
  EXIT_FAST,
  IN_NMI,
  NOT_IN_NMI,
  type Seen,
  type Symbols,
} from '../../model/recordings/symbols.js';
import {
  COUNTERS,
  type CounterSet,
  FIXED_BIT,
  fromU64,
  type U64,
} from '../../pmu/arch/counter-set.js';
import {
  EVENTSEL,
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  GLOBAL_STATUS_RESET,
  msrIndex,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
} from '../../pmu/arch/msr.js';
import { type EventClue, EventClues } from './event-clues.js';
import type { GuestWrite } from './guests.js';

/** What is or is not there. */
interface Signs {
  /** Bits of IA32_PEBS_ENABLE that were set at some time. */
  pebsBits: CounterSet;
  /** Counters whose status bit a handler found. */
  overflowed: CounterSet;
  hasNmis: boolean;
  /** Bits of IA32_PEBS_ENABLE were set in an NMI, as a branch snapshot does. */
  setsPebsInNmi: boolean;
  /** A handler has cleared so many selectors that it has reset the PMU. */
  hasResets: boolean;
  /** There is an event with PEBS: IA32_PEBS_ENABLE is written outside any NMI, or a handler has found records. */
  hasPebs: boolean;
  /** A handler has found records. */
  findsRecords: boolean;
  /** IA32_FIXED_CTR_CTRL is written, so that there is an event on a fixed counter. */
  writesFixed: boolean;
  /** perf switches the PMU off outside any NMI. */
  hasSections: boolean;
  hasGaps: boolean;
  hasFastExits: boolean;
  hasFailedEntries: boolean;
}

export interface Clues extends Readonly<Signs> {
  /** In the order in which they were first seen. */
  readonly events: readonly EventClue[];
  /** What IA32_PERF_GLOBAL_CTRL was set to, without 0. */
  readonly globalCtrls: readonly U64[];
  /** What guests wrote, by index of the MSR, each once and in order. */
  readonly guestWrites: readonly GuestWrite[];
  /** Counters that an NMI's handler stopped together, or that a disable took out together, in order but for fixed ones. */
  readonly stoppedTogether: readonly (readonly number[])[];
}

const ENABLE = 1 << 22;
const INT = 1 << 20;
/** Bit 62, in the upper half. */
const DS_BUFFER_OVERFLOW = 1 << 30;
const EVENTSEL0 = msrIndex(EVENTSEL);
/** A handler that resets the PMU clears every selector, and no CPU has fewer. */
const RESET_MIN = 4;

export function cluesOf(recording: Int32Array, symbols: Symbols): Clues {
  const reader = new ClueReader();
  reader.signs.hasSections = symbols.isFiltered;
  for (const symbol of recording) {
    if (symbol === MISSING) reader.signs.hasGaps = true;
    else reader.read(symbols.of(symbol));
  }
  return reader.finish();
}

class ClueReader {
  readonly signs: Signs = {
    pebsBits: 0,
    overflowed: 0,
    hasNmis: false,
    setsPebsInNmi: false,
    hasResets: false,
    hasPebs: false,
    findsRecords: false,
    writesFixed: false,
    hasSections: false,
    hasGaps: false,
    hasFastExits: false,
    hasFailedEntries: false,
  };
  private readonly events = new EventClues();
  private readonly guestWrites = new Map<string, GuestWrite>();
  private readonly globalCtrls = new Map<string, U64>();
  private readonly groups = new Map<string, number[]>();
  /** Counters that the handler under way has stopped. */
  private stopped: number[] = [];
  private isEntered = false;

  read(seen: Seen): void {
    const { signs } = this;
    const { what, facets } = seen;
    if (what === 'vm_entry') {
      signs.hasFailedEntries ||= this.isEntered;
      this.isEntered = true;
    } else if (what === 'vm_exit') {
      this.isEntered = false;
      signs.hasFastExits ||= (facets & EXIT_FAST) !== 0;
      signs.hasFailedEntries ||= facets === EXIT_FAILED_ENTRY;
    } else if (what === 'guest_write') {
      const { of, value } = seen;
      this.guestWrites.set(`${of} ${value.hi} ${value.lo}`, { of, value });
    } else if (what === 'write') {
      signs.hasNmis ||= (facets & IN_NMI) !== 0;
      this.write(seen);
    }
  }

  finish(): Clues {
    this.endNmi();
    const { signs, events, globalCtrls, groups, guestWrites } = this;
    for (const stops of events.takenOut) groups.set(stops.join(), stops);
    return {
      ...signs,
      events: events.all,
      globalCtrls: [...globalCtrls.values()],
      guestWrites: [...guestWrites.values()],
      stoppedTogether: [...groups.values()],
    };
  }

  private write({ of, value, facets }: Seen): void {
    const { signs, events } = this;
    const inNmi = (facets & IN_NMI) !== 0;
    const isZero = value.hi === 0 && value.lo === 0;
    if (!inNmi) this.endNmi();
    switch (of) {
      case msrIndex(GLOBAL_CTRL):
        if (isZero) this.endNmi();
        else this.globalCtrls.set(`${value.hi} ${value.lo}`, value);
        signs.hasSections ||= (facets & NOT_IN_NMI) !== 0;
        events.globalCtrl(fromU64(value).set, facets === IN_NMI);
        return;
      case msrIndex(PEBS_ENABLE):
        signs.pebsBits |= fromU64(value).set;
        signs.setsPebsInNmi ||= inNmi && !isZero;
        signs.hasPebs ||= (facets & NOT_IN_NMI) !== 0;
        return;
      case msrIndex(PEBS_DATA_CFG):
        events.dataCfg = value.lo;
        return;
      case msrIndex(GLOBAL_STATUS_RESET):
        signs.overflowed |= fromU64(value).set & COUNTERS;
        signs.findsRecords ||= (value.hi & DS_BUFFER_OVERFLOW) !== 0;
        signs.hasPebs ||= signs.findsRecords;
        return;
      case msrIndex(FIXED_CTR_CTRL):
        signs.writesFixed = true;
        this.fixed(value, facets === IN_NMI);
        return;
      default:
        this.selector(of - EVENTSEL0, value, facets === IN_NMI);
    }
  }

  private selector(counter: number, { lo }: U64, inNmi: boolean): void {
    const isOn = (lo & ENABLE) !== 0;
    this.events.write(counter, (lo & INT) === 0, isOn, inNmi);
    if (!isOn) this.stopped.push(counter);
  }

  /** Four bits a counter: kernel and user, ANY, and the interrupt, which a precise event does without. */
  private fixed({ lo }: U64, inNmi: boolean): void {
    for (let counter = 0; counter < 8; counter += 1) {
      const bits = (lo >>> (4 * counter)) & 0xf;
      const set = FIXED_BIT + counter;
      const wasOn = this.events.isOn(set);
      if (bits !== 0 && !wasOn) this.events.write(set, (bits & 8) === 0, true, inNmi);
      if (bits === 0 && wasOn) {
        this.events.write(set, false, false, inNmi);
        if (inNmi) this.stopped.push(set);
      }
    }
    this.events.hasFixed = true;
  }

  /** A handler, or something else that stops events, has come to its end. */
  private endNmi(): void {
    if (this.stopped.length >= RESET_MIN) this.signs.hasResets = true;
    else if (this.stopped.length > 1) this.groups.set(this.stopped.join(), this.stopped);
    this.stopped = [];
  }
}
