/**
 * R3: perf's NMI handler wrote v between kvm_entry and kvm_exit, perf has not written since, and the register has bits that v
 * has not: VM-exit loaded them. What KVM wrote (zero, to quiesce) is nothing to compare with.
 */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { shortHex } from '../bits.js';
import { PrintedTime } from '../printed-time.js';
import type { ObservedRecord } from '../record.js';
import { andNot, isZero, ZERO } from '../value.js';
import { NAME, type StuckBits } from './finding.js';
import { PerCpu } from './per-cpu.js';
import { span, type Window } from './windows.js';

class Overlap {
  /** Line of the NMI's write; 0: perf's last write is unknown, or was made outside a window. */
  writeLine = 0;
  written: U64 = ZERO;
  entryLine = 0;
  readonly entryTime = new PrintedTime();
  /** Line of the kvm_exit after it; 0: not yet. */
  exitLine = 0;
  readonly exitTime = new PrintedTime();
}

export class R3Window {
  private readonly overlaps = new PerCpu(() => new Overlap());

  /** A write of IA32_PEBS_ENABLE that did not fault. */
  write(cpu: number, record: ObservedRecord, window: Window): void {
    const overlap = this.overlaps.of(cpu);
    const value = record.value!;
    if (window.open && record.context === 'nmi') {
      overlap.writeLine = record.line;
      overlap.written = value;
      overlap.entryLine = window.entryLine;
      overlap.entryTime.take(window.entryTime);
      overlap.exitLine = 0;
    } else if (!(window.open && record.context === 'task' && isZero(value))) {
      overlap.writeLine = 0;
    }
  }

  exit(cpu: number, record: ObservedRecord, window: Window): void {
    const overlap = this.overlaps.get(cpu);
    if (overlap === undefined || overlap.writeLine === 0 || overlap.exitLine !== 0) return;
    if (!window.open) return;
    if (record.time.isBefore(window.entryTime)) {
      overlap.writeLine = 0;
      return;
    }
    overlap.exitLine = record.line;
    overlap.exitTime.take(record.time);
  }

  /** A reading of IA32_PEBS_ENABLE, as far as it is known. */
  reading(cpu: number, record: ObservedRecord, shown: U64): StuckBits | null {
    const overlap = this.overlaps.get(cpu);
    if (overlap === undefined || overlap.writeLine === 0 || overlap.exitLine === 0) return null;
    const bits = andNot(shown, overlap.written);
    if (isZero(bits) || record.time.isBefore(overlap.exitTime)) return null;
    return {
      rule: 'R3',
      cpu,
      bits,
      fixedBits: ZERO,
      lines: [overlap.entryLine, overlap.writeLine, overlap.exitLine, record.line],
      text: `CPU ${cpu}: perf's NMI handler wrote ${shortHex(overlap.written)} to ${NAME} between kvm_entry and kvm_exit${span(overlap.entryTime, overlap.exitTime)} and nothing since, and the register then reads ${shortHex(shown)}.`,
    };
  }

  /** What perf wrote last is not known any more. */
  forget(cpu: number): void {
    const overlap = this.overlaps.get(cpu);
    if (overlap !== undefined) overlap.writeLine = 0;
  }
}
