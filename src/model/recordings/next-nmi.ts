/**
 * What a recording says of the NMI that comes next, so that only those need be tried that can have made it: there are many ways
 * in which several counters can overflow and be throttled.
 */
import { facetsOfSymbol, MISSING, type Observation } from '../../explorer/observation.js';
import { COUNTERS, type CounterSet, fromU64 } from '../../pmu/arch/counter-set.js';
import { GLOBAL_STATUS_RESET, msrIndex, PEBS_ENABLE } from '../../pmu/arch/msr.js';
import { nextStep } from '../../pmu/machine/advance.js';
import {
  isInGuest,
  K3_ZERO_GLOBAL_CTRL,
  K5_SWITCH,
  K9_VMLAUNCH,
  V6_EXIT_LOAD,
} from '../../pmu/machine/micro-step.js';
import { IDLE, type LogicalCpu, type MachineState, RUN_VCPU } from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import { cpuOf, kindOf, targetOf } from '../steps/index.js';
import { overflowedIn, throttledIn } from '../steps/nmis.js';
import { IN_NMI, NOT_IN_NMI, type Seen, type Symbols } from './symbols.js';

/** Bit 62, in the upper half. */
const DS_BUFFER_OVERFLOW = 1 << 30;
const STATUS_RESET = msrIndex(GLOBAL_STATUS_RESET);
/** What a handler writes up to its status: IA32_PERF_GLOBAL_CTRL, on old kernels IA32_PEBS_ENABLE, and that. */
const WRITES_TO_STATUS = 3;

export class NextNmi {
  /** What comes next may have been made in an NMI. */
  private mayCome = true;
  /** What it found may not be recorded. */
  private isOpen = true;
  /** What it found, where that is recorded. */
  private isTold = false;
  /** The records before the first one are missing. */
  private isBefore = false;
  private overflowed: CounterSet = 0;
  private hasRecords = false;
  /** A section begins next, which may stop counters whose overflow an NMI then finds all the same. */
  private beginsSection = false;
  /** What the next handler that finds anything finds; null where none does, or where that is not recorded. */
  private nextFound: Seen | null = null;
  private mayFindAny = false;
  private recording: Observation | null = null;
  /** By place, that of the next status that a handler found, or of the next gap; the length where there is none. */
  private nextStatus = new Int32Array(0);

  /** `calmBefore`: NMIs of which nothing is recorded, since they came before the first record, landed in no operation. */
  constructor(
    private readonly world: World,
    private readonly symbols: Symbols,
    private readonly calmBefore: boolean,
  ) {}

  expects(recording: Observation, position: number): void {
    // Without IA32_PERF_GLOBAL_CTRL an NMI may show nothing at all.
    this.isOpen = this.symbols.isFiltered;
    this.isBefore = position === 0 && recording[0] === MISSING && this.calmBefore;
    this.mayCome = this.isOpen;
    this.isTold = !this.isOpen;
    this.overflowed = 0;
    this.hasRecords = false;
    this.looksAhead(recording, position);
    let left = WRITES_TO_STATUS;
    for (let at = position; left > 0; at += 1, left -= 1) {
      const symbol = recording[at];
      if (symbol === undefined || symbol === MISSING) {
        if (this.isOpen) return;
        this.isOpen = true;
        this.mayCome = true;
        this.isTold = false;
        continue;
      }
      const { what, of, value } = this.symbols.of(symbol);
      const isOfRun = what === 'vm_entry' || what === 'vm_exit';
      if (isOfRun || (facetsOfSymbol(symbol) & IN_NMI) === 0) return;
      this.mayCome = true;
      if (what === 'write' && of === STATUS_RESET) {
        this.isTold = true;
        this.overflowed = fromU64(value).set & COUNTERS;
        this.hasRecords = (value.hi & DS_BUFFER_OVERFLOW) !== 0;
        return;
      }
    }
  }

  private looksAhead(recording: Observation, position: number): void {
    if (recording !== this.recording) this.index(recording);
    const next = recording[position];
    const isOff =
      next !== undefined &&
      next !== MISSING &&
      (facetsOfSymbol(next) & NOT_IN_NMI) !== 0 &&
      this.symbols.beginsNmi(next);
    this.beginsSection = isOff || this.symbols.isFiltered;
    const status = recording[this.nextStatus[position] as number];
    this.mayFindAny = status === MISSING && !this.isBefore;
    this.nextFound = status === undefined || status === MISSING ? null : this.symbols.of(status);
  }

  private index(recording: Observation): void {
    const { length } = recording;
    const isStatus = new Map<number, boolean>([[MISSING, true]]);
    this.recording = recording;
    this.nextStatus = new Int32Array(length + 1).fill(length);
    for (let at = length - 1; at >= 0; at -= 1) {
      const symbol = recording[at] as number;
      let is = isStatus.get(symbol);
      if (is === undefined) {
        const { what, of } = this.symbols.of(symbol);
        is = what === 'write' && of === STATUS_RESET;
        isStatus.set(symbol, is);
      }
      this.nextStatus[at] = is ? at : (this.nextStatus[at + 1] as number);
    }
  }

  /** Leaves of the first `count` labels those that can show what comes next, and returns how many. */
  narrowed(state: MachineState, labels: Int32Array, count: number): number {
    const cpu = state.cpus[0]!;
    // What a guest's overflow leads to is seen later.
    if (isInGuest(cpu.pc)) return count;
    const sure = this.partition(labels, 0, count, (label) => this.isSure(state, cpu, label));
    if (!this.mayCome) return sure;
    const fits = this.partition(labels, sure, count, (label) => this.fits(cpu, label));
    // Where nothing fits, what else a handler can find tells how far runs come.
    return fits > sure || this.isOpen
      ? fits
      : this.partition(labels, sure, count, throttlesNothing);
  }

  /** Brings those of the labels from one place to another that are wanted to the front, and returns where they end. */
  private partition(
    labels: Int32Array,
    from: number,
    to: number,
    isWanted: (label: number) => boolean,
  ): number {
    let end = from;
    for (let at = from; at < to; at += 1) {
      const label = labels[at]!;
      if (isWanted(label)) {
        labels[at] = labels[end]!;
        labels[end] = label;
        end += 1;
      }
    }
    return end;
  }

  /** Steps whatever comes next; of NMIs those without a choice. */
  private isSure(state: MachineState, cpu: LogicalCpu, label: number): boolean {
    if (cpuOf(label) !== 0) return true;
    const { by, about, tracedAs } = kindOf(label);
    if (by !== 'nmi') return true;
    if (tracedAs !== 'overflow') return this.mayCome && about !== 'overflows';
    // Overflows outside the guest are found on arrival, unless their events are stopped before, or the guest is entered.
    if (!this.beginsSection && !this.isEntering(state, cpu)) return false;
    if (this.nextFound === null) return this.mayFindAny;
    const { value } = this.nextFound;
    const counter = 1 << targetOf(label);
    const precise = cpu.cpuc.pebsEnabled | cpu.hardware.pebsEnable;
    return counter & precise
      ? (value.hi & DS_BUFFER_OVERFLOW) !== 0
      : (fromU64(value).set & counter) !== 0;
  }

  /** An NMI may find in the guest, or KVM behind it, what overflowed here, and would not overflow after the next step. */
  private isEntering(state: MachineState, cpu: LogicalCpu): boolean {
    if (cpu.operation !== RUN_VCPU) return false;
    if (cpu.pc >= K9_VMLAUNCH) return cpu.pc <= V6_EXIT_LOAD;
    const next = nextStep(this.world, state, cpu);
    return next === K5_SWITCH + PEBS_ENABLE || next === K3_ZERO_GLOBAL_CTRL;
  }

  private fits({ hardware, cpuc, operation }: LogicalCpu, label: number): boolean {
    if (kindOf(label).about !== 'overflows' || cpuOf(label) !== 0) return false;
    const overflowed = overflowedIn(targetOf(label));
    const throttled = throttledIn(targetOf(label));
    const precise = cpuc.pebsEnabled | hardware.pebsEnable;
    const records = overflowed & precise;
    // Which counter's record it was makes no difference where nothing is throttled.
    const isPlainest =
      (throttled & precise) === 0
        ? (records & (records - 1)) === 0
        : records === (throttled & precise);
    if (!isPlainest) return false;
    const status = (overflowed & ~precise) | hardware.status;
    const hasRecords = (records | hardware.dsRecords) !== 0;
    if (this.isTold && status === this.overflowed && hasRecords === this.hasRecords) return true;
    return (
      this.isOpen &&
      (overflowed & ~precise) === (throttled & ~precise) &&
      !(this.isBefore && (operation !== IDLE || throttled === 0))
    );
  }
}

function throttlesNothing(label: number): boolean {
  return (
    kindOf(label).about === 'overflows' && cpuOf(label) === 0 && throttledIn(targetOf(label)) === 0
  );
}
