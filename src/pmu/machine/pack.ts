/**
 * A machine state as a few 32-bit words and back, for a table of visited states.
 *
 * The layout follows from the world: a counter set takes a bit for each counter the world uses, an address or a data
 * configuration the bits that number the values that can occur. What follows from other fields is not stored: perf's
 * masks and the enable bits follow from the events. Nor is what cannot influence the future: the order of a load area.
 * One function, `transcode`, names every field once; the coder either writes or reads it.
 */
import { type CounterSet, FIXED, GENERAL_PURPOSE, PEBS_VIA_PT } from '../arch/counter-set.js';
import { DS_AREA, GLOBAL_CTRL, PEBS_DATA_CFG, SWITCHED_MSRS } from '../arch/msr.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { ACTIVE, ADDED, HOST_OWNED, NO_COUNTER, type PerfEvent } from '../perf/perf-event.js';
import { E3_READ, K3, K4_READ, K6 } from './micro-step.js';
import type { LogicalCpu, MachineState } from './state.js';
import type { World } from './world.js';

/** Numbers the members of a small set of values. */
class Numbering {
  readonly width: number;
  private readonly values: Int32Array;

  constructor(values: Iterable<number>) {
    this.values = Int32Array.from(new Set(values));
    this.width = widthOf(this.values.length - 1);
  }

  numberOf(value: number): number {
    // Few values: a scan beats a hash.
    const { values } = this;
    for (let number = 0; number < values.length; number += 1) {
      if (values[number] === value) {
        return number;
      }
    }
    throw new RangeError(`the value ${value} was not foreseen when the layout was made`);
  }

  valueOf(number: number): number {
    return this.values[number]!;
  }
}

/** Folds a counter set to the bits a world uses; the other bits of IA32_PERF_GLOBAL_CTRL are all on or all off. */
class SetCodec {
  readonly width: number;
  private readonly low = new Uint16Array(256);
  private readonly fixed = new Uint16Array(256);
  private readonly special = new Uint16Array(16);
  private readonly wide: Int32Array;
  private readonly rest: CounterSet;

  /** `rest` is the mask of bits that only occur together; 0 when there is none. */
  constructor(used: CounterSet, rest: CounterSet) {
    const bits = [...Array(32).keys()].filter((bit) => used & (1 << bit));
    this.rest = rest;
    this.width = bits.length + (rest === 0 ? 0 : 1);
    this.wide = new Int32Array(1 << this.width);
    bits.forEach((bit, place) => {
      const table = bit < 8 ? this.low : bit >= 28 ? this.special : this.fixed;
      const within = bit < 8 ? bit : bit >= 28 ? bit - 28 : bit - 16;
      for (let value = 0; value < table.length; value += 1) {
        if (value & (1 << within)) {
          table[value]! |= 1 << place;
        }
      }
      for (let folded = 0; folded < this.wide.length; folded += 1) {
        if (folded & (1 << place)) {
          this.wide[folded]! |= 1 << bit;
        }
      }
    });
    if (rest !== 0) {
      for (let folded = this.wide.length >> 1; folded < this.wide.length; folded += 1) {
        this.wide[folded]! |= rest;
      }
    }
  }

  fold(set: CounterSet): number {
    const folded =
      this.low[set & 0xff]! | this.fixed[(set >>> 16) & 0xff]! | this.special[set >>> 28]!;
    return this.rest !== 0 && (set & this.rest) !== 0 ? folded | (1 << (this.width - 1)) : folded;
  }

  unfold(folded: number): CounterSet {
    return this.wide[folded]!;
  }
}

/** Writes or reads fields of up to 31 bits, one after the other; no field crosses a word. */
export class BitCoder {
  words: Int32Array = new Int32Array(0);
  reading = false;
  private at = 0;
  private bit = 0;

  begin(words: Int32Array, at: number, reading: boolean): void {
    this.words = words;
    this.at = at;
    this.bit = 0;
    this.reading = reading;
  }

  /** Words used since `begin`, which started at `at`. */
  wordsSince(at: number): number {
    return this.at - at + (this.bit > 0 ? 1 : 0);
  }

  field(value: number, width: number): number {
    if (this.bit + width > 32) {
      this.bit = 0;
      this.at += 1;
    }
    const { bit, at } = this;
    this.bit = bit + width;
    if (this.reading) {
      return (this.words[at]! >>> bit) & ((1 << width) - 1);
    }
    this.words[at]! |= value << bit;
    return value;
  }

  set(value: CounterSet, codec: SetCodec): CounterSet {
    if (this.reading) {
      return codec.unfold(this.field(0, codec.width));
    }
    this.field(codec.fold(value), codec.width);
    return value;
  }

  numbered(value: number, numbering: Numbering): number {
    if (this.reading) {
      return numbering.valueOf(this.field(0, numbering.width));
    }
    this.field(numbering.numberOf(value), numbering.width);
    return value;
  }
}

/** What a world can put into the fields. */
export interface LayoutOptions {
  /** Counters that events of the world may use, guest and host. */
  readonly counters: CounterSet;
  /** Guest counters that guests of the world may enable. */
  readonly guestCounters: CounterSet;
  readonly addresses: readonly number[];
  readonly dataCfgs: readonly number[];
  /** Whether overflows and NMIs can occur. */
  readonly overflows: boolean;
}

export class Layout {
  /** 32-bit words of a packed state, `extraBits` included. */
  readonly words: number;
  private readonly world: World;
  private readonly initial: MachineState;
  private readonly coder = new BitCoder();
  private readonly sets: SetCodec;
  private readonly ctrls: SetCodec;
  private readonly guestSets: SetCodec;
  private readonly addresses: Numbering;
  private readonly dataCfgs: Numbering;
  private readonly overflows: boolean;
  private readonly viaPt: boolean;
  private readonly guests: boolean;
  private readonly extraWidths: readonly number[];
  private readonly cpuWidth: number;
  private readonly vcpuWidth: number;
  private readonly targetWidth: number;
  private readonly usesFixed: boolean;

  /** `extraWidths`: bits of further small numbers that belong to the state, such as spent budgets. */
  constructor(
    world: World,
    initial: MachineState,
    options: LayoutOptions,
    extraWidths: readonly number[],
  ) {
    this.world = world;
    this.initial = initial;
    this.viaPt = world.eventConfigs.some((config) => config.auxOutput);
    const used = options.counters | (this.viaPt ? PEBS_VIA_PT : 0);
    this.sets = new SetCodec(used, 0);
    this.ctrls = new SetCodec(options.counters, world.caps.intelCtrl & ~options.counters);
    this.guestSets = new SetCodec(
      options.guestCounters,
      allGuestBits(initial) & ~options.guestCounters,
    );
    this.addresses = new Numbering(options.addresses);
    this.dataCfgs = new Numbering(options.dataCfgs);
    this.overflows = options.overflows;
    this.guests = world.eventConfigs.some((config) => config.owner !== HOST_OWNED);
    this.extraWidths = extraWidths;
    this.cpuWidth = widthOf(initial.cpus.length - 1);
    this.vcpuWidth = widthOf(initial.vcpus.length);
    this.targetWidth = widthOf(Math.max(initial.events.length, initial.vcpus.length) - 1);
    this.usesFixed = (options.counters & FIXED) !== 0;
    this.words = this.widestWords();
  }

  /** Writes the state to `words[at…]`. */
  pack(state: MachineState, extra: Int32Array, words: Int32Array, at: number): void {
    for (let word = 0; word < this.words; word += 1) {
      words[at + word] = 0;
    }
    this.coder.begin(words, at, false);
    this.transcode(state, extra);
  }

  /** Reads the state at `words[at…]` into a state of the same world. */
  unpack(words: Int32Array, at: number, state: MachineState, extra: Int32Array): void {
    this.coder.begin(words, at, true);
    this.transcode(state, extra);
    this.derive(state);
  }

  private transcode(state: MachineState, extra: Int32Array): void {
    const { coder } = this;
    for (let at = 0; at < this.extraWidths.length; at += 1) {
      extra[at] = coder.field(extra[at]!, this.extraWidths[at]!);
    }
    state.noIsolation = coder.field(state.noIsolation, 1);
    for (let at = 0; at < state.events.length; at += 1) {
      this.event(state.events[at]!, at);
    }
    for (let at = 0; at < state.cpus.length; at += 1) {
      this.cpu(state.cpus[at]!);
    }
    for (let at = 0; at < state.vcpus.length; at += 1) {
      this.vcpu(state.vcpus[at]!);
    }
    for (let at = 0; at < state.cpus.length; at += 1) {
      this.scratch(state.cpus[at]!);
    }
  }

  private event(event: PerfEvent, at: number): void {
    const { coder } = this;
    const config = this.world.eventConfigs[at]!;
    event.status = coder.field(event.status, 3);
    if (config.owner !== HOST_OWNED) {
      event.preciseIp = coder.field(event.preciseIp, 2);
    }
    if (isSingle(config.constraint)) {
      if (coder.reading) {
        const counter = 31 - Math.clz32(config.constraint);
        event.assigned = event.status >= ADDED ? counter : NO_COUNTER;
        event.counter = event.status >= ACTIVE ? counter : NO_COUNTER;
      }
    } else {
      event.counter = coder.field(event.counter + 1, 5) - 1;
      event.assigned = coder.field(event.assigned + 1, 5) - 1;
    }
  }

  private cpu(cpu: LogicalCpu): void {
    const { coder, sets } = this;
    const { hardware, cpuc } = cpu;
    cpu.pc = coder.field(cpu.pc, 6);
    cpu.operation = coder.field(cpu.operation, 4);
    cpu.target = coder.field(cpu.target, this.targetWidth);
    cpu.currentVcpu = coder.field(cpu.currentVcpu + 1, this.vcpuWidth) - 1;
    cpu.exitReason = coder.field(cpu.exitReason, 3);
    cpu.overshoot = coder.field(cpu.overshoot, 1);
    cpuc.enabled = coder.field(cpuc.enabled, 1);
    hardware.globalCtrl = coder.set(hardware.globalCtrl, this.ctrls);
    hardware.pebsEnable = coder.set(hardware.pebsEnable, sets);
    hardware.dsArea = coder.numbered(hardware.dsArea, this.addresses);
    cpuc.ds = coder.numbered(cpuc.ds, this.addresses);
    if (this.world.caps.pebsBaseline) {
      hardware.pebsDataCfg = coder.numbered(hardware.pebsDataCfg, this.dataCfgs);
      cpuc.activePebsDataCfg = coder.numbered(cpuc.activePebsDataCfg, this.dataCfgs);
      cpuc.pebsDataCfg = coder.numbered(cpuc.pebsDataCfg, this.dataCfgs);
    }
    if (this.usesFixed) {
      cpuc.activeFixedCtrl = coder.set(cpuc.activeFixedCtrl, sets);
    }
    if (this.viaPt) {
      cpuc.pebsEnabled = coder.set(cpuc.pebsEnabled, sets);
    }
    if (this.overflows) {
      hardware.status = coder.set(hardware.status, sets);
      hardware.dsRecords = coder.set(hardware.dsRecords, sets);
      cpu.nmiThrottle = coder.set(cpu.nmiThrottle, sets);
    }
  }

  private vcpu(vcpu: VcpuPmu): void {
    const { coder, sets } = this;
    const { autoload } = vcpu;
    if (this.cpuWidth > 0) {
      vcpu.cpu = coder.field(vcpu.cpu, this.cpuWidth);
    }
    vcpu.dsArea = coder.numbered(vcpu.dsArea, this.addresses);
    if (this.guests) {
      vcpu.globalCtrl = coder.set(vcpu.globalCtrl, this.guestSets);
      vcpu.pebsEnable = coder.set(vcpu.pebsEnable, this.guestSets);
      vcpu.counterEnable = coder.set(vcpu.counterEnable, this.guestSets);
      vcpu.crossMapped = coder.set(vcpu.crossMapped, sets);
    }
    vcpu.loadGlobalCtrl = coder.field(vcpu.loadGlobalCtrl, 1);
    vcpu.guestGlobalCtrl = coder.set(vcpu.guestGlobalCtrl, this.ctrls);
    vcpu.hostGlobalCtrl = coder.set(vcpu.hostGlobalCtrl, this.ctrls);
    let listed = 0;
    for (let slot = 0; slot < autoload.count; slot += 1) {
      listed |= 1 << autoload.order[slot]!;
    }
    listed = coder.field(listed, SWITCHED_MSRS);
    autoload.count = 0;
    for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
      if (listed & (1 << msr)) {
        autoload.order[autoload.count] = msr;
        autoload.count += 1;
      }
      if (msr !== GLOBAL_CTRL || !this.world.caps.loadPerfGlobalCtrl) {
        autoload.host[msr] = this.value(msr, autoload.host[msr]!);
        autoload.guest[msr] = this.value(msr, autoload.guest[msr]!);
      }
    }
  }

  /** Fields that matter only inside a few micro-steps; the micro-step is known by now. */
  private scratch(cpu: LogicalCpu): void {
    const { coder } = this;
    const { cpuc, pc } = cpu;
    const list = cpuc.guestSwitchMsrs;
    if (pc === E3_READ) {
      cpuc.pebsEnableRead = coder.set(cpuc.pebsEnableRead, this.sets);
    } else if (coder.reading) {
      cpuc.pebsEnableRead = 0;
    }
    if (pc >= K4_READ && pc < K6) {
      list.present = coder.field(list.present, SWITCHED_MSRS);
      list.pebsMask = coder.set(list.pebsMask, this.sets);
      for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
        list.host[msr] = this.value(msr, list.host[msr]!);
        list.guest[msr] = this.value(msr, list.guest[msr]!);
      }
    } else if (coder.reading && list.present !== 0) {
      list.clear();
    }
  }

  private value(msr: number, value: number): number {
    const { coder } = this;
    switch (msr) {
      case GLOBAL_CTRL:
        return coder.set(value, this.ctrls);
      case DS_AREA:
        return coder.numbered(value, this.addresses);
      case PEBS_DATA_CFG:
        return this.world.caps.pebsBaseline ? coder.numbered(value, this.dataCfgs) : 0;
      default:
        return coder.set(value, this.sets);
    }
  }

  /** Rebuilds what follows from the events: perf's masks and the counters' own enable bits. */
  private derive(state: MachineState): void {
    for (let at = 0; at < state.cpus.length; at += 1) {
      const { cpuc, hardware } = state.cpus[at]!;
      cpuc.activeMask = 0;
      cpuc.intelCtrlGuestMask = 0;
      cpuc.intelCtrlHostMask = 0;
      if (!this.viaPt) {
        cpuc.pebsEnabled = 0;
      }
      if (!this.usesFixed) {
        cpuc.activeFixedCtrl = 0;
      }
      hardware.counterEnable = cpuc.activeFixedCtrl;
    }
    for (let at = 0; at < state.events.length; at += 1) {
      const event = state.events[at]!;
      const config = this.world.eventConfigs[at]!;
      const known = this.initial.events[at]!;
      if (config.owner === HOST_OWNED) {
        event.cpu = config.cpu;
        event.preciseIp = known.preciseIp;
        event.dataCfg = known.dataCfg;
      } else {
        event.cpu = state.vcpus[config.owner]!.cpu;
        event.dataCfg = event.preciseIp === 1 ? 2 : 0;
      }
      if (event.status === ACTIVE) {
        const { cpuc, hardware } = state.cpus[event.cpu]!;
        const counter = 1 << event.counter;
        cpuc.activeMask |= counter;
        if (config.excludeHost) {
          cpuc.intelCtrlGuestMask |= counter;
        }
        if (config.excludeGuest) {
          cpuc.intelCtrlHostMask |= counter;
        }
        if (event.preciseIp > 0) {
          cpuc.pebsEnabled |= counter;
        }
        hardware.counterEnable |= counter & GENERAL_PURPOSE;
      }
    }
    for (let at = 0; at < state.cpus.length; at += 1) {
      const { cpuc } = state.cpus[at]!;
      cpuc.fixedCtrl = cpuc.activeMask & FIXED;
    }
  }

  /** Packs the initial state at every micro-step that has scratch fields, and takes the longest. */
  private widestWords(): number {
    const probe = new Int32Array(64);
    const extra = new Int32Array(this.extraWidths.length);
    const kept = this.initial.cpus.map((cpu) => cpu.pc);
    let words = 0;
    for (const pc of [K3, E3_READ, K4_READ]) {
      for (const cpu of this.initial.cpus) {
        cpu.pc = pc;
      }
      this.coder.begin(probe, 0, false);
      this.transcode(this.initial, extra);
      words = Math.max(words, this.coder.wordsSince(0));
    }
    this.initial.cpus.forEach((cpu, at) => {
      cpu.pc = kept[at]!;
    });
    return words;
  }
}

function allGuestBits(state: MachineState): CounterSet {
  return state.vcpus.reduce(
    (all, vcpu) => all | vcpu.globalCtrl | vcpu.pebsEnable | vcpu.counterEnable,
    0,
  );
}

function isSingle(set: CounterSet): boolean {
  return (set & (set - 1)) === 0;
}

/** Bits that number 0 to `largest`. */
function widthOf(largest: number): number {
  return largest <= 0 ? 0 : 32 - Math.clz32(largest);
}
