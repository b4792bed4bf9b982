/** A record that waits for the frames of its stack, which follow it line by line. */
import type { ObservedRecord, RecordSink } from '../record.js';
import { Stack } from './contexts.js';

export class HeldRecord {
  private held: ObservedRecord | null = null;
  private stack: Stack | null = null;

  constructor(private readonly sink: RecordSink) {}

  /** The record that waits. */
  get record(): ObservedRecord | null {
    return this.held;
  }

  hold(record: ObservedRecord): void {
    if (this.held !== null) this.release();
    this.held = record;
  }

  addFrame(frame: string): void {
    this.stack ??= new Stack();
    this.stack.add(frame);
  }

  /** ` #GP` stood alone in the next line: a mail program wrapped the access that faulted. */
  refuse(): void {
    if (this.held === null) return;
    this.held.refused = true;
    if (this.held.kind !== 'write') this.held.value = null;
  }

  release(): void {
    const { held, stack } = this;
    if (held === null) return;
    this.held = null;
    if (stack !== null) {
      this.stack = null;
      held.writer = stack.writer;
      // Before 4.7 the flags show an NMI as an interrupt.
      if (held.context === 'unknown' || stack.context === 'nmi') held.context = stack.context;
    }
    this.sink.record(held);
  }
}
