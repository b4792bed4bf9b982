/** A CPU's way from kvm_entry to kvm_exit, as far as the text shows it without a gap. */
import { PrintedTime } from '../printed-time.js';
import type { ObservedRecord } from '../record.js';
import { PerCpu } from './per-cpu.js';

export class Window {
  /** Line of the kvm_entry; 0: the CPU is not known to be in a window. */
  entryLine = 0;
  readonly entryTime = new PrintedTime();

  get open(): boolean {
    return this.entryLine !== 0;
  }

  enter(record: ObservedRecord): void {
    this.entryLine = record.line;
    this.entryTime.take(record.time);
  }

  leave(): void {
    this.entryLine = 0;
  }
}

export const makeWindows = (): PerCpu<Window> => new PerCpu(() => new Window());

/** ` (900.100001-900.100020)`, where the tool prints times. */
export function span(from: PrintedTime, to: PrintedTime): string {
  return from.isPrinted && to.isPrinted ? ` (${from.text}-${to.text})` : '';
}
