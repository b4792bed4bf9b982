/**
 * The machine of a search as someone sees it who traces one of its CPUs.
 *
 * It forgets how often perf used the places of its list, unless it is told not to: states that differ in that alone nearly always go
 * on alike, and there are many. Where they need not it goes on in every way (`guesses`), so that it has all runs of the machine
 * and maybe more.
 */

import type { Successors } from '../../explorer/model.js';
import { EMITTED_MAX, MISSING, type Observation } from '../../explorer/observation.js';
import { readMsr } from '../../pmu/arch/hardware.js';
import { FIXED_CTR_CTRL, msrIndex } from '../../pmu/arch/msr.js';
import { WriteSink } from '../../pmu/arch/write-sink.js';
import { answerUses, askedUses, Forgetting } from '../../pmu/machine/forget.js';
import { isInGuest } from '../../pmu/machine/micro-step.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { ADDED, STOPPED } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';
import { MachineModel } from '../machine-model.js';
import { mayHold } from '../steps/guests.js';
import { candidateOf, cpuOf, kindOf, targetOf } from '../steps/index.js';
import type { Candidate } from '../steps/step-kind.js';
import { u64OfMsr } from '../values.js';
import { NextNmi } from './next-nmi.js';
import {
  codeOfGuestCounters,
  codeOfReading,
  exitFacet,
  IN_NMI,
  NOT_IN_NMI,
  type Symbols,
} from './symbols.js';
import { isInNmi, tracesEntry, tracesExit, tracesWrite } from './traced.js';

/** Values of registers are integers of 32 bits. */
const VALUES = 2 ** 32;

export class ObservedMachine extends MachineModel {
  private readonly symbols: Symbols;
  private readonly traced = new WriteSink();
  private readonly nextNmi: NextNmi;
  /** The symbols of writes that were seen before, by MSR, value and context. */
  private readonly writes = new Map<number, number>();
  /** What the steps to the successors show that were written last, and by successor where that begins and ends. */
  private readonly shown: Int32Array;
  private readonly shownFrom: Int32Array;
  private readonly shownTo: Int32Array;
  private readonly asked: Candidate;
  readonly forgets: boolean;
  readonly forgetting: Forgetting;
  /** How often it went on in more than one way with the same step. */
  guesses = 0;

  /** Traced is CPU 0. */
  constructor(
    explored: ExploredWorld,
    symbols: Symbols,
    private readonly calmBefore = false,
    forgets = true,
  ) {
    super(explored, [], forgets ? GUESSED_MAX : 0);
    this.symbols = symbols;
    this.asked = candidateOf(explored, this.next, 0);
    this.nextNmi = new NextNmi(explored.world, symbols, calmBefore);
    this.forgets = forgets;
    this.forgetting = new Forgetting(explored.world, {
      uses: this.layout.keepsUses,
      globalCtrl: !symbols.readsGlobalCtrl && !symbols.isFiltered,
    });
    this.shown = new Int32Array(this.labels.length * SHOWN_ROOM + EMITTED_MAX);
    this.shownFrom = new Int32Array(this.successorsMax);
    this.shownTo = new Int32Array(this.successorsMax);
  }

  /** The same machine, which forgets nothing. */
  get exact(): ObservedMachine {
    return new ObservedMachine(this.explored, this.symbols, this.calmBefore, false);
  }

  expects(recording: Observation, position: number): void {
    this.nextNmi.expects(recording, position);
  }

  override expand(states: Int32Array, at: number, out: Successors): void {
    const { base, next, spent, nextSpent, labels, nextNmi } = this;
    this.layout.unpack(states, at, base, spent);
    const found = nextNmi.narrowed(base, labels, this.steps.find(base, spent, labels));
    const first = out.count;
    let shown = 0;
    for (let nth = 0; nth < found; nth += 1) {
      const from = shown;
      next.copyFrom(base);
      nextSpent.set(spent);
      shown = this.show(next, nextSpent, labels[nth]!, from);
      const before = out.count;
      if (this.forgets) this.addForgetful(labels[nth]!, out);
      else this.add(labels[nth]!, out);
      for (let added = before - first; added < out.count - first; added += 1) {
        this.shownFrom[added] = from;
        this.shownTo[added] = shown;
      }
    }
  }

  private add(label: number, out: Successors): void {
    this.layout.pack(this.next, this.nextSpent, out.words, out.count * this.words);
    out.labels[out.count++] = label;
  }

  private addForgetful(label: number, out: Successors): void {
    this.forgetting.forgetAfter(this.base, this.next);
    const asked = askedUses(this.next);
    if (asked !== 0) this.guesses += 1;
    // All sets of those that are asked for, the empty one last.
    for (let latest = asked; ; latest = (latest - 1) & asked) {
      answerUses(this.next, asked, latest);
      this.add(label, out);
      if (latest === 0) return;
    }
  }

  emits(nth: number, out: Int32Array): number {
    const from = this.shownFrom[nth]!;
    const length = this.shownTo[nth]! - from;
    for (let at = 0; at < length; at += 1) {
      out[at] = this.shown[from + at]!;
    }
    return length;
  }

  stateSymbol(states: Int32Array, at: number, recorded: number): number {
    const { next, nextSpent, symbols, explored } = this;
    this.layout.unpack(states, at, next, nextSpent);
    const [cpu] = next.cpus;
    const { what, of, value } = symbols.of(recorded);
    // rdmsr and perf's handlers run in the host, and KVM reads for its guests there.
    if (cpu === undefined || isInGuest(cpu.pc)) return MISSING;
    switch (what) {
      case 'reading': {
        const code = codeOfReading(of)!;
        const held = code === FIXED_CTR_CTRL ? cpu.hardware.fixedCtrl : readMsr(cpu.hardware, code);
        return symbols.reading(of, u64OfMsr(code, held, explored.host.addresses));
      }
      case 'guest_read': {
        const read = { msr: codeOfGuestCounters(of)!, value };
        const isOfOne = next.vcpus.some(
          (vcpu, at) => vcpu.cpu === cpu.index && mayHold(explored, next, { vcpu: at, ...read }),
        );
        return isOfOne ? recorded : MISSING;
      }
      case 'throttle':
        return next.events.some(({ mark, status }) => mark !== 0 && status === STOPPED)
          ? recorded
          : MISSING;
      default:
        return next.events.some(({ mark, status }) => mark === 0 && status >= ADDED)
          ? recorded
          : MISSING;
    }
  }

  take(states: Int32Array, at: number, label: number, out: Int32Array): void {
    const { next, nextSpent } = this;
    this.layout.unpack(states, at, next, nextSpent);
    this.steps.take(next, nextSpent, label, this.traced);
    this.layout.pack(next, nextSpent, out, 0);
  }

  /** Takes a step, and puts what it shows into `shown`. */
  private show(state: MachineState, used: Int32Array, label: number, from: number): number {
    const { symbols, traced, shown, asked } = this;
    const cpu = state.cpus[cpuOf(label)]!;
    asked.state = state;
    asked.cpu = cpu;
    asked.target = targetOf(label);
    const { by, executes: ask, guestWrite } = kindOf(label);
    const isTraced = cpu.index === 0;
    const executes = isTraced ? ask?.(asked) : undefined;
    let count = from;
    if (isTraced && symbols.showsRuns) count = this.showRun(executes, cpu, count);
    if (isTraced && symbols.showsGuestWrites && guestWrite !== undefined) {
      const { msr, value } = guestWrite(asked);
      shown[count++] = symbols.guestWrite(msrIndex(msr), value);
    }
    const context = isInNmi(by, executes) ? IN_NMI : NOT_IN_NMI;
    traced.listed = [];
    this.steps.take(state, used, label, traced);
    if (!isTraced) return count;
    for (const { msr, via, value } of traced.listed) {
      const symbol = tracesWrite(via) ? this.writeOf(msr, value, context) : 0;
      if (symbol !== 0) shown[count++] = symbol;
    }
    // Without any event perf has no handler, and nothing is written.
    if (context === IN_NMI && symbols.showsNmis && count > from) shown[count++] = symbols.nmi();
    return count;
  }

  private showRun(executes: number | undefined, cpu: LogicalCpu, from: number): number {
    const { symbols, shown } = this;
    let count = from;
    if (tracesEntry(executes)) shown[count++] = symbols.entry(cpu.target);
    if (tracesExit(executes, cpu.exitReason)) {
      shown[count++] = symbols.exit(cpu.target, exitFacet(cpu.exitReason));
    }
    return count;
  }

  private writeOf(msr: number, value: number, context: number): number {
    const key = ((msr << 2) | context) * VALUES + (value >>> 0);
    let symbol = this.writes.get(key);
    if (symbol === undefined) {
      const { addresses } = this.explored.host;
      const index = msrIndex(msr);
      symbol = this.symbols.showsWrites(index)
        ? this.symbols.write(index, u64OfMsr(msr, value, addresses), context)
        : 0;
      this.writes.set(key, symbol);
    }
    return symbol;
  }
}

/** No more than eight events run that moved up before another is added; few operations go on in several ways. */
const GUESSED_MAX = 1024;
/** Most steps show one symbol or none, and an NMI a dozen. */
const SHOWN_ROOM = 24;
