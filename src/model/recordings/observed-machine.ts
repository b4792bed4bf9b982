/** The machine of a search as someone sees it who traces one of its CPUs. */

import { msrIndex } from '../../pmu/arch/msr.js';
import { WriteSink } from '../../pmu/arch/write-sink.js';
import { MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import { MachineModel } from '../machine-model.js';
import { cpuOf, kindOf, targetOf } from '../steps/index.js';
import { u64OfMsr } from '../values.js';
import { ACTOR_KINDS } from '../vocabulary.js';
import { exitFacet, IN_NMI, NOT_IN_NMI, type Symbols } from './symbols.js';
import { isInNmi, tracesEntry, tracesExit, tracesWrite } from './traced.js';

/** Values of registers are integers of 32 bits. */
const VALUES = 2 ** 32;

export class ObservedMachine extends MachineModel {
  private readonly symbols: Symbols;
  private readonly before: MachineState;
  private readonly used = new Int32Array(ACTOR_KINDS.length);
  private readonly traced = new WriteSink();
  /** The symbols of writes that were seen before, by MSR, value and context. */
  private readonly writes = new Map<number, number>();

  /** Traced is CPU 0. */
  constructor(explored: ExploredWorld, symbols: Symbols) {
    super(explored, []);
    this.symbols = symbols;
    this.before = new MachineState(explored.initial);
  }

  emits(states: Int32Array, at: number, label: number, out: Int32Array): number {
    if (cpuOf(label) !== 0) return 0;
    const { before, explored, symbols, traced } = this;
    this.layout.unpack(states, at, before, this.used);
    const cpu = before.cpus[0]!;
    const { by, executes: ask } = kindOf(label);
    const executes = ask?.(explored, before, cpu, targetOf(label));
    let count = 0;
    if (symbols.showsRuns && tracesEntry(executes)) out[count++] = symbols.entry(cpu.target);
    if (symbols.showsRuns && tracesExit(executes, cpu.exitReason)) {
      out[count++] = symbols.exit(cpu.target, exitFacet(cpu.exitReason));
    }
    const context = isInNmi(by, executes) ? IN_NMI : NOT_IN_NMI;
    traced.listed = [];
    this.steps.take(before, this.used, label, traced);
    for (const { msr, via, value } of traced.listed) {
      const symbol = tracesWrite(via) ? this.writeOf(msr, value, context) : 0;
      if (symbol !== 0) out[count++] = symbol;
    }
    // Without any event perf has no handler, and nothing is written.
    if (context === IN_NMI && symbols.showsNmis && count > 0) out[count++] = symbols.nmi();
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
