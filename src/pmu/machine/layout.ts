/**
 * A machine state as a few 32-bit words and back, for a table of visited states.
 *
 * The layout follows from the lists of fields and from the world: a counter set takes a bit for each counter the world uses, an
 * address or a data configuration the bits of the largest one that can occur. What follows from other fields is not stored
 * (derived.ts), nor what cannot influence the future, such as the order of a load area.
 * Packing is most of what a search does, so that its functions are compiled for the world: a loop over fields took five
 * times as long.
 */
import { type CounterSet, FIXED, PEBS_VIA_PT } from '../arch/counter-set.js';
import { fixedCtrlBits } from '../arch/fixed-ctrl.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, PEBS_ENABLE, SWITCHED_MSRS } from '../arch/msr.js';
import type { Kept, Kind } from '../fields/field.js';
import type { PlacedField } from '../fields/record.js';
import { FIXED_CTRL_READ, TAGS } from '../perf/cpu-hw-events.js';
import { HOST_OWNED, NO_EVENT, type PerfEventConfig } from '../perf/perf-event.js';
import { type BitCode, fromMinusOneCode, maskCode, numberCode } from './bit-code.js';
import { derivedCode } from './derived.js';
import { placesOf } from './event-order.js';
import { STEP_NAMES } from './micro-step.js';
import { type RecordInState, recordsOf } from './records.js';
import type { MachineState } from './state.js';
import type { World } from './world.js';

/** What a world can put into the fields. */
export interface LayoutOptions {
  /** Counters that events of the world may use, guest and host. */
  readonly counters: CounterSet;
  /** Guest counters that guests of the world may enable. */
  readonly guestCounters: CounterSet;
  /** The largest address handle. */
  readonly addressMax: number;
  /** The largest data configuration; at most 2^24. */
  readonly dataCfgMax: number;
  /** Whether overflows and NMIs can occur. */
  readonly overflows: boolean;
  /** Whether the tick can come. */
  readonly ticks: boolean;
  /** Whether the events' order can change: one may be opened, or a group's leader closed. */
  readonly reorders: boolean;
  /** Whether events can be closed. */
  readonly closes: boolean;
  /** Whether the members of a group can outlive its leader. */
  readonly detaches: boolean;
  /** Whether counters can be on for no active event, or off for one. */
  readonly strays: boolean;
  /** Bits of further small numbers that belong to the state, such as spent budgets. */
  readonly extraWidths: readonly number[];
}

type Pack = (state: MachineState, extra: Int32Array, words: Int32Array, at: number) => void;
type Unpack = (words: Int32Array, at: number, state: MachineState, extra: Int32Array) => void;

/** A value with its bits in a packed state. */
interface Placed {
  /** The expression that holds it. */
  readonly place: string;
  readonly code: BitCode;
  readonly word: number;
  readonly shift: number;
  /** The condition under which it matters; it is 0 otherwise. */
  readonly when?: string | undefined;
}

export class Layout {
  /** 32-bit words of a packed state, the extra numbers included. */
  readonly words: number;
  /** Writes the state to `words[at…]`. */
  readonly pack: Pack;
  /** Reads the state at `words[at…]` into a state of the same world. */
  readonly unpack: Unpack;
  /** Whether it keeps how often the places of perf's list were used. */
  readonly keepsUses: boolean;
  /** By CPU: where its `pc` is packed. */
  private readonly pcs: readonly Placed[];

  constructor(world: World, initial: MachineState, options: LayoutOptions) {
    const kept = keptIn(world, options);
    this.keepsUses = kept.has('mixes');
    const codes = codesOf(world, initial, options);
    const records = recordsOf(initial);
    const values = [
      ...options.extraWidths.map((width, at) => ({
        place: `extra[${at}]`,
        code: numberCode(width),
      })),
      ...records.flatMap((record) =>
        record.fields
          .filter((field) => isKept(field, record, kept, world))
          .flatMap((field) => valuesOf(field, record, codes)),
      ),
    ];
    const placed = place(values);
    this.words = 1 + placed.reduce((most, { word }) => Math.max(most, word), 0);
    this.pcs = records
      .filter(({ kind }) => kind === 'cpu')
      .map(({ word }) => placed.find(({ place: value }) => value === word('pc'))!);
    const variables = records.map(({ name, path }) => `const ${name} = state${path}.words;`);
    this.pack = compile('state, extra, words, at', [...variables, ...packCode(placed, this.words)]);
    this.unpack = compile('words, at, state, extra', [
      ...variables,
      ...placed.map(unpackCode),
      ...derivedCode(world, initial, records, kept),
    ]);
  }

  /** The micro-step a CPU executed last, read off a packed state. */
  pcOf(words: Int32Array, at: number, cpu: number): number {
    const { word, shift, code } = this.pcs[cpu]!;
    return (words[at + word]! >>> shift) & ((1 << code.width) - 1);
  }
}

function compile<Compiled>(parameters: string, lines: readonly string[]): Compiled {
  return new Function(`return (${parameters}) => {\n${lines.join('\n')}\n};`)() as Compiled;
}

/** Puts the values one after the other; none crosses a word. */
function place(values: readonly Omit<Placed, 'word' | 'shift'>[]): Placed[] {
  let word = 0;
  let shift = 0;
  return values
    .filter(({ code }) => code.width > 0)
    .map((value) => {
      if (shift + value.code.width > 32) {
        word += 1;
        shift = 0;
      }
      const placed = { ...value, word, shift };
      shift += value.code.width;
      return placed;
    });
}

function packCode(placed: readonly Placed[], words: number): string[] {
  return Array.from({ length: words }, (_, word) => {
    const parts = placed
      .filter((value) => value.word === word)
      .map(({ place: value, code, shift, when }) => {
        const bits = `${code.pack(value)} << ${shift}`;
        return when === undefined ? bits : `(${when} ? ${bits} : 0)`;
      });
    return `words[at + ${word}] = ${parts.join('\n  | ') || '0'};`;
  });
}

function unpackCode({ place: value, code, word, shift, when }: Placed): string {
  const bits = `(words[at + ${word}] >>> ${shift} & ${2 ** code.width - 1})`;
  const unpacked = code.unpack(bits);
  return `${value} = ${when === undefined ? unpacked : `${when} ? ${unpacked} : 0`};`;
}

/** The conditions under which a world's packed states keep fields. */
function keptIn(world: World, options: LayoutOptions): Set<Kept> {
  const { overflows, ticks, strays, reorders, detaches } = options;
  const { eventConfigs: configs, perfOptions } = world;
  const guests = options.guestCounters !== 0;
  const owned = configs.filter((config) => config.owner !== HOST_OWNED).length;
  const isMixed = owned > 0 && owned < configs.length;
  const conditions: Readonly<Partial<Record<Kept, boolean>>> = {
    always: true,
    overflows,
    ticks_and_overflows: ticks && overflows,
    walks_lists: ticks || detaches,
    guests,
    guest_overflows: guests && overflows,
    strays,
    pebs_strays: strays || configs.some((config) => config.auxOutput),
    choices: configs.some((config) => !isPinned(config)),
    mixes: detaches || strays || isMixed,
    marks: perfOptions.groupThrottle && configs.some(({ leader }) => leader !== NO_EVENT),
    reorders,
    detaches,
    loses_moved_events: perfOptions.losesMovedEvents,
    throttles_idle_members: perfOptions.throttlesIdleMembers,
  };
  return new Set(Object.keys(conditions).filter((name) => conditions[name as Kept]) as Kept[]);
}

function isKept(
  { kept = 'always' }: PlacedField,
  { kind, index }: RecordInState,
  conditions: ReadonlySet<Kept>,
  world: World,
): boolean {
  return kept === 'vcpu_events'
    ? kind === 'event' && world.eventConfigs[index]!.owner !== HOST_OWNED
    : conditions.has(kept);
}

/** The values of a field: one, or one for each place of an array. */
function valuesOf(
  field: PlacedField,
  record: RecordInState,
  codes: Codes,
): Omit<Placed, 'word' | 'shift'>[] {
  const { during } = field;
  const when = during === undefined ? undefined : isDuring(record.word('pc'), during);
  return Array.from({ length: field.length ?? 1 }, (_, nth) => ({
    place: record.word(field.path, nth),
    code: codes(field, nth),
    when,
  }));
}

/** Whether the micro-step executed last is one whose name begins like that, as a condition. */
function isDuring(pc: string, beginnings: readonly string[]): string {
  const steps = STEP_NAMES.flatMap((name, step) =>
    beginnings.some((beginning) => name.startsWith(beginning)) ? [step] : [],
  );
  const [first, last] = [steps[0]!, steps.at(-1)!];
  return steps.length === last - first + 1
    ? `${pc} >= ${first} && ${pc} <= ${last}`
    : steps.map((step) => `${pc} === ${step}`).join(' || ');
}

/** How a world's values of a field go into bits; of an array, those at one place. */
type Codes = (field: PlacedField, nth: number) => BitCode;

const NOTHING = numberCode(0);

function codesOf(world: World, initial: MachineState, options: LayoutOptions): Codes {
  const { caps, eventConfigs } = world;
  const { cpus, vcpus, events } = initial;
  const viaPt = eventConfigs.some((config) => config.auxOutput) ? PEBS_VIA_PT : 0;
  const fixedPebs = events.some(
    ({ preciseIp }, at) => preciseIp > 0 && (eventConfigs[at]!.constraint & FIXED) !== 0,
  );
  const fixedBits = fixedCtrlBits(options.counters, fixedPebs, fixedPebs && caps.pebsBaseline);
  const guestRest = vcpus.reduce((all, vcpu) => all | vcpu.globalCtrl, 0);
  const counters = maskCode(options.counters | viaPt, 0);
  const globalCtrl = maskCode(options.counters, caps.intelCtrl & ~options.counters);
  const address = numberCode(widthOf(options.addressMax));
  const dataCfg = caps.pebsBaseline ? numberCode(widthOf(options.dataCfgMax)) : NOTHING;
  const ofMsr: Readonly<Record<number, BitCode>> = {
    [GLOBAL_CTRL]: globalCtrl,
    [DS_AREA]: address,
    [PEBS_DATA_CFG]: dataCfg,
    [PEBS_ENABLE]: counters,
  };
  const targets = Math.max(events.length - 1, vcpus.length - 1, options.ticks ? 3 : 0);
  const ofKind: Readonly<Record<Kind, (field: PlacedField, nth: number) => BitCode>> = {
    number: ({ width }) => numberCode(width!),
    counters: () => counters,
    global_ctrl: () => globalCtrl,
    fixed_ctrl: () => maskCode(fixedBits === 0 ? 0 : fixedBits | FIXED_CTRL_READ, 0),
    guest_counters: () => maskCode(options.guestCounters, guestRest & ~options.guestCounters),
    address: () => address,
    data_cfg: () => dataCfg,
    cpu: () => numberCode(widthOf(cpus.length - 1)),
    vcpu: () => fromMinusOneCode(widthOf(vcpus.length)),
    target: () => numberCode(widthOf(targets)),
    cursor: () => numberCode(cursorWidth(initial, options)),
    counter: () => fromMinusOneCode(5),
    rank: () => numberCode(widthOf(events.length - 1)),
    position: () => fromMinusOneCode(widthOf(events.length)),
    tag: () => fromMinusOneCode(widthOf(TAGS * cpus.length)),
    // No event of the world stands at the other places.
    tags: (_, place) => (place < events.length ? numberCode(widthOf(TAGS - 1)) : NOTHING),
    msrs: () => numberCode(SWITCHED_MSRS),
    msr_order: () => NOTHING,
    msr_values: (_, msr) => ofMsr[msr]!,
    area_values: (_, msr) =>
      msr === GLOBAL_CTRL && caps.loadPerfGlobalCtrl ? NOTHING : ofMsr[msr]!,
  };
  return (field, nth) => ofKind[field.kind](field, nth);
}

/**
 * The tick goes through its list once. Rescheduling sees from the events' statuses how far it is, but for a flexible event
 * that found no counter.
 */
function cursorWidth(initial: MachineState, { ticks, detaches }: LayoutOptions): number {
  const places = placesOf(initial);
  return ticks ? widthOf(2 * places) : detaches ? widthOf(places) : 0;
}

/** An event that can be on one counter only. */
function isPinned({ constraint }: PerfEventConfig): boolean {
  return (constraint & (constraint - 1)) === 0;
}

/** Bits that number 0 to `largest`. */
function widthOf(largest: number): number {
  return largest <= 0 ? 0 : 32 - Math.clz32(largest);
}
