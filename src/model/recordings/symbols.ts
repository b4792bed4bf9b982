/**
 * What can be seen of a machine from outside, as symbols: the records of a real machine and the steps of a model get the same
 * ones, so that they can be compared.
 *
 * Compared are the values that perf and KVM decide on. Left out are those that the model does not have: counters' values, the
 * addresses of DS areas, and of a selector the event it counts.
 */
import {
  ANY_FACET,
  facetsOfSymbol,
  nameOfSymbol,
  OF_STATE,
  symbolOf,
} from '../../explorer/observation.js';
import type { U64 } from '../../pmu/arch/counter-set.js';
import * as msr from '../../pmu/arch/msr.js';
import { EXIT_ENTRY_FAILURE, EXIT_NMI, EXIT_REENTER } from '../../pmu/machine/state.js';
import { formatU64 } from '../values.js';

/** Facets of a write: in what context it was made. */
export const IN_NMI = 1;
export const NOT_IN_NMI = 2;

/** Facets of an exit: as what the model knows it. */
export const EXIT_PLAIN = 1;
/** KVM handles it in the fast path, which enters the guest again. */
export const EXIT_FAST = 2;
export const EXIT_BY_NMI = 4;
export const EXIT_FAILED_ENTRY = 8;

export interface Seen {
  /** The last four say something of the machine at their place, and no step shows them. */
  readonly what:
    | 'write'
    | 'vm_entry'
    | 'vm_exit'
    | 'nmi'
    | 'guest_write'
    | 'guest_read'
    | 'reading'
    | 'throttle'
    | 'unthrottle';
  /** Index of the MSR, or number of the vCPU; 0 of an NMI. */
  readonly of: number;
  readonly value: U64;
  readonly facets: number;
}

const NOTHING: U64 = { hi: 0, lo: 0 };

/** Of a selector: bit 22 (EN), 20 (INT) and 34 (adaptive records). */
const SELECTOR: U64 = { hi: 1 << 2, lo: (1 << 22) | (1 << 20) };
const WHOLE: U64 = { hi: 0xffffffff, lo: 0xffffffff };
const STATUS_RESET = msr.msrIndex(msr.GLOBAL_STATUS_RESET);
/** Without bits 55, 58, 59 and 63, which the model does not have: Intel PT, what is frozen, and what else has changed. */
const STATUS: U64 = { hi: ~0x8c80_0000 >>> 0, lo: 0xffffffff };

/** By index of an MSR that the model writes and that is compared: the bits that are. */
const COMPARED: ReadonlyMap<number, U64> = new Map([
  ...[msr.GLOBAL_CTRL, msr.PEBS_ENABLE, msr.PEBS_DATA_CFG, msr.FIXED_CTR_CTRL].map(
    (code): [number, U64] => [msr.msrIndex(code), WHOLE],
  ),
  [STATUS_RESET, STATUS],
  ...Array.from({ length: 16 }, (_, counter): [number, U64] => [
    msr.msrIndex(msr.EVENTSEL + counter),
    SELECTOR,
  ]),
]);

/** With perfmon 6, perf writes counter, selector and two more MSRs of each counter at other indices, one after the other. */
const [ALIASES, ALIASES_OF_EACH, SELECTORS] = [0x1900, 4, 16];

function indexOfAlias(index: number): number {
  const counter = (index - ALIASES - 1) / ALIASES_OF_EACH;
  const isSelector = Number.isInteger(counter) && counter >= 0 && counter < SELECTORS;
  return isSelector ? msr.msrIndex(msr.EVENTSEL + counter) : index;
}

/** Bits 54 and 62, in the upper half: there are records of architectural PEBS, or of PEBS in a DS area. */
const ARCH_PEBS_RECORDS = 1 << 22;
const DS_RECORDS = 1 << 30;

/** The model has one bit for both, since no CPU has both kinds. */
function withRecords(hi: number): number {
  return hi & ARCH_PEBS_RECORDS ? (hi & ~ARCH_PEBS_RECORDS) | DS_RECORDS : hi;
}

/** By index, the MSRs whose value the model has at any time. */
const READ: ReadonlyMap<number, number> = new Map(
  [msr.GLOBAL_CTRL, msr.PEBS_ENABLE, msr.PEBS_DATA_CFG, msr.FIXED_CTR_CTRL].map((code) => [
    msr.msrIndex(code),
    code,
  ]),
);

/** By index, the MSRs of a guest that say which of its counters count. */
const OF_GUEST_COUNTERS: ReadonlyMap<number, number> = new Map(
  [
    msr.GLOBAL_CTRL,
    msr.PEBS_ENABLE,
    msr.FIXED_CTR_CTRL,
    ...Array.from({ length: 8 }, (_, counter) => msr.EVENTSEL + counter),
  ].map((code) => [msr.msrIndex(code), code]),
);

/**
 * Those that say where the guest's records go, and what is in them. That the guest may write them is followed, since not every kernel gives
 * it these MSRs. What they hold decides nothing that is seen, and would only multiply states: a search does not keep it, nor anything of
 * the guest's counters, its IA32_PERF_GLOBAL_STATUS and the reset of that.
 */
const OF_GUEST_RECORDS: ReadonlySet<number> = new Set(
  [msr.DS_AREA, msr.PEBS_DATA_CFG].map((code) => msr.msrIndex(code)),
);

/** The MSR of a guest that says which of its counters count. */
export function codeOfGuestCounters(index: number): number | undefined {
  return OF_GUEST_COUNTERS.get(index);
}

/** The MSR of a reading that is compared. */
export function codeOfReading(index: number): number | undefined {
  return READ.get(index);
}

export function isCompared(index: number): boolean {
  return COMPARED.has(index);
}

/** A table as data, to give to another thread. */
export interface SymbolsData {
  readonly seen: readonly Seen[];
  readonly showsNmis: boolean;
  readonly showsRuns: boolean;
  readonly showsGuestWrites: boolean;
  readonly readsGlobalCtrl: boolean;
  readonly written: readonly number[];
}

/** Gives names to what is seen. One table serves a recording and the model that it is compared with. */
export class Symbols {
  /** Without name 0, which would be mistaken for a gap. */
  private readonly seen: Seen[] = [];
  private readonly names = new Map<string, number>();
  /** The recording has records of NMIs, or of entries and exits, so that one without a record is none. */
  showsNmis = false;
  showsRuns = false;
  /** The recording has what guests write. */
  showsGuestWrites = false;
  /** The recording has readings of IA32_PERF_GLOBAL_CTRL, or does not tell whether an NMI wrote it. */
  readsGlobalCtrl = false;
  /** The MSRs that the recording has writes of, by index. */
  private readonly written = new Set<number>();

  static of(data: SymbolsData): Symbols {
    const { seen, showsNmis, showsRuns, showsGuestWrites, readsGlobalCtrl, written } = data;
    const symbols = new Symbols();
    for (const index of written) symbols.written.add(index);
    for (const { what, of, value, facets } of seen) symbols.symbol(what, of, value, facets);
    symbols.showsNmis = showsNmis;
    symbols.showsRuns = showsRuns;
    symbols.showsGuestWrites = showsGuestWrites;
    symbols.readsGlobalCtrl = readsGlobalCtrl;
    return symbols;
  }

  get data(): SymbolsData {
    const { seen, showsNmis, showsRuns, showsGuestWrites, readsGlobalCtrl, written } = this;
    const shows = { showsNmis, showsRuns, showsGuestWrites };
    return { seen, ...shows, readsGlobalCtrl, written: [...written] };
  }

  /** A write is in the recording: its symbol, or 0 where it is not compared. */
  recorded(recorded: number, value: U64, facets: number): number {
    const index = indexOfAlias(recorded);
    if (isCompared(index)) this.written.add(index);
    const isVague = (facets & IN_NMI) !== 0 && (facets & NOT_IN_NMI) !== 0;
    if (index === msr.msrIndex(msr.GLOBAL_CTRL) && isVague) this.readsGlobalCtrl = true;
    return this.write(index, value, facets);
  }

  /** perf writes IA32_PERF_GLOBAL_CTRL whenever it writes anything else, so without it some MSRs were not traced. */
  get isFiltered(): boolean {
    return this.written.size > 0 && !this.written.has(msr.msrIndex(msr.GLOBAL_CTRL));
  }

  showsWrites(index: number): boolean {
    return !this.isFiltered || this.written.has(index);
  }

  /** A write's symbol, or 0 where it is not compared. */
  write(index: number, value: U64, facets: number): number {
    const bits = COMPARED.get(index);
    if (bits === undefined) return 0;
    const hi = index === STATUS_RESET ? withRecords(value.hi) : value.hi;
    const compared = { hi: (hi & bits.hi) >>> 0, lo: (value.lo & bits.lo) >>> 0 };
    // The model acknowledges nothing where none of its bits is set.
    if (index === STATUS_RESET && (compared.hi | compared.lo) === 0) return 0;
    return this.symbol('write', index, compared, facets);
  }

  isInNmi(symbol: number): boolean {
    const { what, facets } = this.of(symbol);
    return what === 'write' && facets === IN_NMI;
  }

  /** perf's handler begins with it. */
  beginsNmi(symbol: number): boolean {
    const { what, of, value } = this.of(symbol);
    return what === 'write' && of === msr.msrIndex(msr.GLOBAL_CTRL) && (value.hi | value.lo) === 0;
  }

  entry(vcpu: number): number {
    return this.symbol('vm_entry', vcpu, NOTHING, ANY_FACET);
  }

  exit(vcpu: number, facets: number): number {
    return this.symbol('vm_exit', vcpu, NOTHING, facets);
  }

  /** A guest's own WRMSR of its PMU, or 0 where it is none that the model has. */
  guestWrite(index: number, value: U64): number {
    const isKnown = OF_GUEST_COUNTERS.has(index) || OF_GUEST_RECORDS.has(index);
    return isKnown ? this.symbol('guest_write', index, value, NOT_IN_NMI) : 0;
  }

  /** What a guest reads of its PMU, or 0 where the model does not have it. */
  guestRead(index: number, value: U64): number {
    return OF_GUEST_COUNTERS.has(index) ? this.symbol('guest_read', index, value, OF_STATE) : 0;
  }

  /** perf's NMI handler has returned. */
  nmi(): number {
    return this.symbol('nmi', 0, NOTHING, ANY_FACET);
  }

  /** A register's value, or 0 where it is not compared. */
  reading(index: number, value: U64): number {
    if (index === msr.msrIndex(msr.GLOBAL_CTRL)) this.readsGlobalCtrl = true;
    return READ.has(index) ? this.symbol('reading', index, value, OF_STATE) : 0;
  }

  /** perf said that it throttles an event, or that it does so no longer. */
  throttle(what: 'throttle' | 'unthrottle'): number {
    return this.symbol(what, 0, NOTHING, OF_STATE);
  }

  /** What a symbol stands for. */
  of(symbol: number): Seen {
    return { ...this.seen[nameOfSymbol(symbol) - 1]!, facets: facetsOfSymbol(symbol) };
  }

  private symbol(what: Seen['what'], of: number, value: U64, facets: number): number {
    const key = `${what} ${of} ${formatU64(value)}`;
    const known = this.names.get(key);
    const name = known ?? this.seen.push({ what, of, value, facets });
    if (known === undefined) this.names.set(key, name);
    return symbolOf(name, facets);
  }
}

/** The facet of an exit in the model. */
export function exitFacet(reason: number): number {
  switch (reason) {
    case EXIT_NMI:
      return EXIT_BY_NMI;
    case EXIT_REENTER:
      return EXIT_FAST;
    case EXIT_ENTRY_FAILURE:
      return EXIT_FAILED_ENTRY;
    default:
      return EXIT_PLAIN;
  }
}

/** Exits that KVM may handle in its fast path. */
const FAST: ReadonlySet<string> = new Set(['PREEMPTION_TIMER', 'MSR_WRITE', 'HLT', 'INVD']);

/** The facets of a recorded exit: what its reason leaves open. */
export function exitFacets(reason: string | null): number {
  if (reason === null) return ANY_FACET;
  if (/FAILED_VMENTRY|INVALID_STATE|INVALID_GUEST_STATE/.test(reason)) return EXIT_FAILED_ENTRY;
  // An exception has the same reason as an NMI.
  if (/^(EXCEPTION_NMI|NMI)/.test(reason)) return EXIT_BY_NMI | EXIT_PLAIN;
  return FAST.has(reason) ? EXIT_PLAIN | EXIT_FAST : EXIT_PLAIN;
}
