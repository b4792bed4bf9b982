/**
 * A machine state as a few 32-bit words and back, for a table of visited states.
 *
 * The layout follows from the world: a counter set takes a bit for each counter the world uses, an address or a data
 * configuration the bits of the largest one that can occur. What follows from other fields is not stored: perf's masks
 * and the enable bits follow from the events. Nor is what cannot influence the future, such as the order of a load area.
 */
import { type CounterSet, FIXED, GENERAL_PURPOSE, PEBS_VIA_PT } from '../arch/counter-set.js';
import { fixedCtrlBits } from '../arch/fixed-ctrl.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, SWITCHED_MSRS } from '../arch/msr.js';
import { FIXED_CTRL_READ, TAGS } from '../perf/cpu-hw-events.js';
import {
  ACTIVE,
  ADDED,
  HOST_OWNED,
  NO_COUNTER,
  NO_EVENT,
  NO_TAG,
  NOT_LISTED,
  type PerfEventConfig,
  STOPPED,
} from '../perf/perf-event.js';
import { placeOf, placesOf } from './event-order.js';
import {
  compilePack,
  compileUnpack,
  type Field,
  fromMinusOne,
  number,
  type Pack,
  type PlacedField,
  place,
  type Unpack,
} from './field-code.js';
import { E3_READ, E5_READ, E5_WRITE, E6_READ, K4_READ, K6 } from './micro-step.js';
import { SetCodec } from './set-codec.js';
import type { MachineState } from './state.js';
import type { World } from './world.js';

/** What a world can put into the fields. */
export interface LayoutOptions {
  /** Counters that events of the world may use, guest and host. */
  readonly counters: CounterSet;
  /** Guest counters that guests of the world may enable. */
  readonly guestCounters: CounterSet;
  /** The largest address identity. */
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

const PC_WIDTH = 6;
const PC_MASK = (1 << PC_WIDTH) - 1;

export class Layout {
  /** 32-bit words of a packed state, the extra numbers included. */
  readonly words: number;
  /** Writes the state to `words[at…]`. */
  readonly pack: Pack;
  /** Reads the state at `words[at…]` into a state of the same world. */
  readonly unpack: Unpack;
  private readonly world: World;
  private readonly initial: MachineState;
  private readonly options: LayoutOptions;
  private readonly sets: SetCodec;
  private readonly ctrls: SetCodec;
  private readonly guestSets: SetCodec;
  private readonly viaPt: boolean;
  private readonly fixedCtrls: SetCodec;
  /** Whether some event has a choice of counters. */
  private readonly choices: boolean;
  /** Whether events can be put on the list beside running ones. */
  private readonly mixes: boolean;
  private readonly marks: boolean;
  /** The events in the order in which they are scheduled in, and the rank of each where none changes. */
  private readonly order: Int32Array;
  private readonly ranks: Int32Array;
  private readonly forgetsCursor: boolean;
  /** By CPU, while places are given out: how many have been. */
  private readonly listed: Int32Array;
  /** By event: the counter it is pinned to, or NO_COUNTER. */
  private readonly pinnedTo: Int8Array;
  /** By CPU: where its `pc` is packed. */
  private readonly pcs: readonly PlacedField[];

  constructor(world: World, initial: MachineState, options: LayoutOptions) {
    this.world = world;
    this.initial = initial;
    this.options = options;
    this.viaPt = world.eventConfigs.some((config) => config.auxOutput);
    const configs = world.eventConfigs;
    this.order = new Int32Array(initial.events.length);
    orderByPlace(world, initial, this.order);
    this.ranks = Int32Array.from(initial.events, ({ rank }) => rank);
    this.listed = new Int32Array(initial.cpus.length);
    this.forgetsCursor = this.cursorWidth() === 0;
    this.choices = configs.some((config) => !isPinned(config));
    const guests = configs.filter((config) => config.owner !== HOST_OWNED).length;
    this.mixes = options.detaches || options.strays || (guests > 0 && guests < configs.length);
    this.marks =
      world.perfOptions.groupThrottle && configs.some(({ leader }) => leader !== NO_EVENT);
    const fixedPebs = initial.events.some(
      (event, at) => event.preciseIp > 0 && (configs[at]!.constraint & FIXED) !== 0,
    );
    const fixedBits = fixedCtrlBits(
      options.counters,
      fixedPebs,
      fixedPebs && world.caps.pebsBaseline,
    );
    this.fixedCtrls = new SetCodec(fixedBits === 0 ? 0 : fixedBits | FIXED_CTRL_READ, 0);
    this.sets = new SetCodec(options.counters | (this.viaPt ? PEBS_VIA_PT : 0), 0);
    this.ctrls = new SetCodec(options.counters, world.caps.intelCtrl & ~options.counters);
    this.pinnedTo = Int8Array.from(world.eventConfigs, (config) =>
      isPinned(config) ? 31 - Math.clz32(config.constraint) : NO_COUNTER,
    );
    const guestRest = initial.vcpus.reduce((all, vcpu) => all | vcpu.globalCtrl, 0);
    this.guestSets = new SetCodec(options.guestCounters, guestRest & ~options.guestCounters);
    const fields = [
      ...options.extraWidths.map((width, at) => number(`extra[${at}]`, width)),
      number('state.noIsolation', 1),
      ...initial.events.flatMap((_, at) => this.eventFields(at)),
      ...initial.cpus.flatMap((_, at) => this.cpuFields(`state.cpus[${at}]`)),
      ...initial.vcpus.flatMap((_, at) => this.vcpuFields(`state.vcpus[${at}]`)),
      ...initial.cpus.flatMap((_, at) => this.scratchFields(`state.cpus[${at}]`)),
    ].filter(({ width }) => width > 0);
    const placed = place(fields);
    this.pcs = initial.cpus.map(
      (_, at) => placed.find((field) => field.place === `state.cpus[${at}].pc`)!,
    );
    this.words = Math.max(1, ...placed.map(({ word }) => word + 1));
    const codecs = {
      set: this.sets,
      ctrl: this.ctrls,
      guest: this.guestSets,
      fixed_ctrl: this.fixedCtrls,
    };
    this.pack = compilePack(placed, this.words, codecs);
    const read = compileUnpack(placed, codecs);
    this.unpack = (words, at, state, extra) => {
      read(words, at, state, extra);
      this.derive(state);
    };
  }

  /** The micro-step a CPU executed last, read off a packed state. */
  pcOf(words: Int32Array, at: number, cpu: number): number {
    const { word, shift } = this.pcs[cpu]!;
    return (words[at + word]! >>> shift) & PC_MASK;
  }

  private eventFields(at: number): Field[] {
    const config = this.world.eventConfigs[at]!;
    const { options, initial } = this;
    const event = `state.events[${at}]`;
    const order = widthOf(initial.events.length - 1);
    return [
      number(`${event}.status`, 3),
      number(`${event}.mark`, this.marks ? 1 : 0),
      number(`${event}.unseen`, this.world.perfOptions.losesMovedEvents ? 1 : 0),
      number(`${event}.stray`, this.world.perfOptions.throttlesIdleMembers ? 1 : 0),
      number(`${event}.rank`, options.reorders ? order : 0),
      number(`${event}.detached`, options.detaches ? 1 : 0),
      fromMinusOne(`${event}.position`, options.detaches ? widthOf(initial.events.length) : 0),
      fromMinusOne(`${event}.tag`, this.mixes ? widthOf(TAGS * initial.cpus.length) : 0),
      ...(config.owner === HOST_OWNED ? [] : [number(`${event}.preciseIp`, 2)]),
      // Where no event has a choice, the counter follows from the status.
      ...(this.choices
        ? [fromMinusOne(`${event}.counter`, 5), fromMinusOne(`${event}.assigned`, 5)]
        : []),
    ];
  }

  private cpuFields(cpu: string): Field[] {
    const { initial, options, world } = this;
    const { events, vcpus } = initial;
    const address = widthOf(options.addressMax);
    const dataCfg = world.caps.pebsBaseline ? widthOf(options.dataCfgMax) : 0;
    const overflow = options.overflows ? 1 : 0;
    const stray = options.strays ? 1 : 0;
    return [
      number(`${cpu}.pc`, PC_WIDTH),
      number(`${cpu}.operation`, 4),
      number(
        `${cpu}.target`,
        widthOf(Math.max(events.length - 1, vcpus.length - 1, options.ticks ? 3 : 0)),
      ),
      number(`${cpu}.cursor`, this.cursorWidth()),
      number(`${cpu}.cpuc.throttled`, options.ticks && options.overflows ? 1 : 0),
      ...events.map((_, place) =>
        number(`${cpu}.cpuc.tags[${place}]`, this.mixes ? widthOf(TAGS - 1) : 0),
      ),
      fromMinusOne(`${cpu}.currentVcpu`, widthOf(vcpus.length)),
      number(`${cpu}.exitReason`, 3),
      number(`${cpu}.overshoot`, 1),
      number(`${cpu}.cpuc.enabled`, 1),
      this.ctrl(`${cpu}.hardware.globalCtrl`),
      this.set(`${cpu}.hardware.pebsEnable`),
      number(`${cpu}.hardware.dsArea`, address),
      number(`${cpu}.cpuc.ds`, address),
      number(`${cpu}.hardware.pebsDataCfg`, dataCfg),
      number(`${cpu}.cpuc.activePebsDataCfg`, dataCfg),
      number(`${cpu}.cpuc.pebsDataCfg`, dataCfg),
      this.fixedCtrl(`${cpu}.hardware.fixedCtrl`),
      this.fixedCtrl(`${cpu}.cpuc.fixedCtrl`),
      this.fixedCtrl(`${cpu}.cpuc.activeFixedCtrl`),
      this.set(`${cpu}.cpuc.pebsEnabled`, this.viaPt || options.strays ? 1 : 0),
      this.set(`${cpu}.cpuc.activeMask`, stray),
      this.set(`${cpu}.cpuc.intelCtrlGuestMask`, stray),
      this.set(`${cpu}.cpuc.intelCtrlHostMask`, stray),
      this.set(`${cpu}.hardware.counterEnable`, stray),
      this.set(`${cpu}.hardware.status`, overflow),
      this.set(`${cpu}.hardware.dsRecords`, overflow),
      this.set(`${cpu}.nmiThrottle`, overflow),
    ];
  }

  private vcpuFields(vcpu: string): Field[] {
    const { initial, options } = this;
    const guests = options.guestCounters === 0 ? 0 : 1;
    const overflow = options.overflows ? guests : 0;
    const autoload = `${vcpu}.autoload`;
    return [
      number(`${vcpu}.cpu`, widthOf(initial.cpus.length - 1)),
      number(`${vcpu}.dsArea`, widthOf(options.addressMax)),
      this.guest(`${vcpu}.globalCtrl`, guests),
      this.guest(`${vcpu}.pebsEnable`, guests),
      this.guest(`${vcpu}.counterEnable`, guests),
      this.guest(`${vcpu}.reprogram`, overflow),
      this.set(`${vcpu}.crossMapped`, guests),
      number(`${vcpu}.loadGlobalCtrl`, 1),
      this.ctrl(`${vcpu}.guestGlobalCtrl`),
      this.ctrl(`${vcpu}.hostGlobalCtrl`),
      number(`${autoload}.present`, SWITCHED_MSRS),
      ...this.listedMsrs().flatMap((msr) => [
        this.value(msr, `${autoload}.host[${msr}]`),
        this.value(msr, `${autoload}.guest[${msr}]`),
      ]),
    ];
  }

  /**
   * The tick goes through its list once. Rescheduling sees from the events' statuses how far it is, but for a flexible event
   * that found no counter.
   */
  private cursorWidth(): number {
    const { initial, options } = this;
    return options.ticks
      ? widthOf(2 * placesOf(initial))
      : options.detaches
        ? widthOf(placesOf(initial))
        : 0;
  }

  /** What matters only inside a few micro-steps. */
  private scratchFields(cpu: string): Field[] {
    const list = `${cpu}.cpuc.guestSwitchMsrs`;
    const building = `${cpu}.pc >= ${K4_READ} && ${cpu}.pc < ${K6}`;
    const fields = [
      number(`${list}.present`, SWITCHED_MSRS),
      this.set(`${list}.pebsMask`),
      ...[GLOBAL_CTRL, ...this.listedMsrs().filter((msr) => msr !== GLOBAL_CTRL)].flatMap((msr) => [
        this.value(msr, `${list}.host[${msr}]`),
        this.value(msr, `${list}.guest[${msr}]`),
      ]),
    ];
    return [
      { ...this.set(`${cpu}.cpuc.pebsEnableRead`), when: `${cpu}.pc === ${E3_READ}` },
      {
        ...this.fixedCtrl(`${cpu}.cpuc.fixedCtrlRead`),
        when: `${cpu}.pc === ${E5_READ} || ${cpu}.pc === ${E5_WRITE}`,
      },
      { ...this.ctrl(`${cpu}.cpuc.globalCtrlRead`), when: `${cpu}.pc === ${E6_READ}` },
      ...fields.map((field) => ({ ...field, when: building })),
    ];
  }

  /** The MSRs that can be in a load area of this world. */
  private listedMsrs(): number[] {
    const { caps } = this.world;
    return [...Array(SWITCHED_MSRS).keys()].filter(
      (msr) =>
        (msr !== GLOBAL_CTRL || !caps.loadPerfGlobalCtrl) &&
        (msr !== PEBS_DATA_CFG || caps.pebsBaseline),
    );
  }

  private value(msr: number, place: string): Field {
    switch (msr) {
      case GLOBAL_CTRL:
        return this.ctrl(place);
      case DS_AREA:
        return number(place, widthOf(this.options.addressMax));
      case PEBS_DATA_CFG:
        return number(place, widthOf(this.options.dataCfgMax));
      default:
        return this.set(place);
    }
  }

  private set(place: string, copies = 1): Field {
    return { place, width: copies * this.sets.width, kind: 'set' };
  }

  private fixedCtrl(place: string): Field {
    return { place, width: this.fixedCtrls.width, kind: 'fixed_ctrl' };
  }

  private ctrl(place: string): Field {
    return { place, width: this.ctrls.width, kind: 'ctrl' };
  }

  private guest(place: string, copies: number): Field {
    return { place, width: copies * this.guestSets.width, kind: 'guest' };
  }

  /** Rebuilds what follows from the stored fields. */
  private derive(state: MachineState): void {
    const { eventConfigs } = this.world;
    const { mixes, order, listed, options } = this;
    const { strays } = options;
    for (let at = 0; at < state.cpus.length; at += 1) {
      const { cpuc, hardware } = state.cpus[at]!;
      if (!strays) {
        cpuc.activeMask = 0;
        cpuc.intelCtrlGuestMask = 0;
        cpuc.intelCtrlHostMask = 0;
        hardware.counterEnable = hardware.fixedCtrl & FIXED;
      }
      if (!strays && !this.viaPt) {
        cpuc.pebsEnabled = 0;
      }
      listed[at] = 0;
      if (this.forgetsCursor) {
        state.cpus[at]!.cursor = 0;
      }
      // Unless events are put on the list beside running ones, no tag is looked at again.
      for (let place = 0; !mixes && place < order.length; place += 1) {
        cpuc.tags[place] = 0;
      }
    }
    for (let at = 0; at < state.vcpus.length; at += 1) {
      const vcpu = state.vcpus[at]!;
      vcpu.autoload.list(vcpu.autoload.present);
      // Only the guest looks at these, and nobody acts on what it sees.
      vcpu.globalStatus = 0;
      vcpu.pmi = 0;
    }
    if (options.reorders) {
      orderByPlace(this.world, state, order);
    }
    for (let nth = 0; nth < order.length; nth += 1) {
      const at = order[nth]!;
      const event = state.events[at]!;
      const config = eventConfigs[at]!;
      const { status } = event;
      if (!this.choices) {
        const counter = this.pinnedTo[at]!;
        event.assigned = status >= ADDED ? counter : NO_COUNTER;
        const isPlaced = mixes ? event.tag !== NO_TAG : status >= ACTIVE;
        event.counter = isPlaced ? counter : NO_COUNTER;
      }
      if (!this.marks) {
        event.mark = status === STOPPED ? 1 : 0;
      }
      if (options.closes && !options.reorders) {
        event.rank = this.ranks[at]!;
      }
      if (config.owner !== HOST_OWNED) {
        event.cpu = state.vcpus[config.owner]!.cpu;
        event.dataCfg = event.preciseIp === 1 ? 2 : 0;
      }
      if (!options.detaches) {
        event.position = NOT_LISTED;
      }
      if (status < ADDED) {
        continue;
      }
      const { cpuc, hardware } = state.cpus[event.cpu]!;
      if (!options.detaches) {
        event.position = listed[event.cpu]!;
        listed[event.cpu]! += 1;
      }
      if (!mixes) {
        event.tag = TAGS * event.cpu;
      }
      if (status === ACTIVE && !strays) {
        const set = 1 << event.counter;
        cpuc.activeMask |= set;
        cpuc.intelCtrlGuestMask |= config.excludeHost ? set : 0;
        cpuc.intelCtrlHostMask |= config.excludeGuest ? set : 0;
        cpuc.pebsEnabled |= event.preciseIp > 0 ? set : 0;
        hardware.counterEnable |= set & GENERAL_PURPOSE;
      }
    }
  }
}

/** Writes the indices of the events to `order` as they are scheduled in; insertion, since there is a handful. */
function orderByPlace(world: World, state: MachineState, order: Int32Array): void {
  for (let at = 0; at < order.length; at += 1) {
    const place = placeOf(world, state, at);
    let nth = at;
    while (nth > 0 && placeOf(world, state, order[nth - 1]!) > place) {
      order[nth] = order[nth - 1]!;
      nth -= 1;
    }
    order[nth] = at;
  }
}

/** An event that can be on one counter only. */
function isPinned({ constraint }: PerfEventConfig): boolean {
  return (constraint & (constraint - 1)) === 0;
}

/** Bits that number 0 to `largest`. */
function widthOf(largest: number): number {
  return largest <= 0 ? 0 : 32 - Math.clz32(largest);
}
