/** Gives every record to the rules that want it. Nothing is allocated where nothing is found: a trace has millions. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import type { FactsBook } from '../facts-book.js';
import type { ObservedRecord } from '../record.js';
import { PEBS_ENABLE } from '../registers.js';
import { and } from '../value.js';
import type { StuckBits } from './finding.js';
import { NoCpu } from './no-cpu.js';
import { Notices } from './notices.js';
import { R0Path } from './r0-path.js';
import { R0bWriter } from './r0b-writer.js';
import { R1Idle } from './r1-idle.js';
import { R2Dump } from './r2-dump.js';
import { R3Window } from './r3-window.js';
import { R4Heal } from './r4-heal.js';
import { R6Data } from './r6-data.js';
import { readCount, readSnapshot, type Snapshot } from './snapshot.js';
import { Tests } from './tests.js';
import { makeWindows } from './windows.js';

export class Judge {
  readonly path = new R0Path();
  readonly writer = new R0bWriter();
  readonly dump = new R2Dump();
  readonly heal = new R4Heal();
  readonly data = new R6Data();
  readonly noCpu = new NoCpu();
  readonly notices = new Notices();
  readonly tests = new Tests();
  private readonly idle = new R1Idle();
  private readonly overlap = new R3Window();
  private readonly windows = makeWindows();
  private readonly pebsEvents: number | null;
  private snapshot: Snapshot | null;
  /** The text or its sender says how many PEBS events are open. */
  knowsPebsEvents: boolean;

  constructor(facts: FactsBook) {
    this.pebsEvents = readCount(facts.value('pebs_events') ?? undefined);
    this.knowsPebsEvents = this.pebsEvents !== null;
    this.snapshot =
      this.pebsEvents === null
        ? null
        : { line: 0, pebsEvents: this.pebsEvents, boot: null, at: null };
  }

  record(record: ObservedRecord): void {
    const { cpu } = record;
    if (cpu !== null) this.data.see(cpu);
    switch (record.kind) {
      case 'reading':
        this.reading(record);
        break;
      case 'write':
        if (record.msr === PEBS_ENABLE) this.write(record);
        break;
      case 'vm_entry':
        if (cpu !== null) this.entry(cpu, record);
        break;
      case 'vm_exit':
        if (cpu !== null) this.exit(cpu, record);
        break;
      case 'active_mask':
        if (cpu !== null) this.activeMask(cpu, record);
        break;
      case 'snapshot':
        this.heading(record);
        break;
      case 'loss':
        this.loss(record);
        break;
      case 'unreadable':
        this.data.unreadable(cpu, record.line);
        break;
      case 'pmu_cleared':
        if (cpu !== null) this.data.cleared(cpu, record.line);
        break;
      case 'load_list':
        if (record.msr === PEBS_ENABLE) this.path.loadListEntry(record);
        if (cpu !== null) this.notices.loadListEntry(cpu, record);
        break;
      case 'device_write':
        if (record.msr !== PEBS_ENABLE) break;
        this.data.deviceWrite(record.line);
        this.notices.deviceWrite(record);
        break;
      case 'list_full':
        this.notices.listFull(record);
        break;
      case 'fault':
        this.notices.fault(record);
        break;
      case 'test':
        this.tests.record(record);
        break;
      case 'job':
        this.tests.job(record);
        break;
      case 'throttle':
        if (cpu !== null) this.notices.throttle(cpu, record.line);
        break;
      case 'unthrottle':
        if (cpu !== null) this.notices.unthrottle(cpu);
        break;
    }
  }

  private reading(record: ObservedRecord): void {
    const { cpu, value, known } = record;
    if (value === null || record.refused) return;
    if (cpu !== null) this.dump.reading(cpu, record);
    if (record.msr !== PEBS_ENABLE) return;
    if (cpu === null) {
      this.noCpu.reading(record);
      return;
    }
    this.data.reading(cpu, record, this.snapshot);
    if (this.data.tainted) return;
    if (known === null) this.heal.reading(cpu, record);
    this.found(this.idle.reading(cpu, record, this.snapshot));
    this.found(this.overlap.reading(cpu, record, shown(value, known)));
  }

  private write(record: ObservedRecord): void {
    const { cpu } = record;
    this.writer.write(record);
    if (this.writer.finding?.lines[0] === record.line) this.notices.kvmWrote(record.line);
    if (record.refused) this.notices.refused(record);
    if (cpu === null) {
      this.noCpu.write(record);
      return;
    }
    const window = this.windows.of(cpu);
    this.data.write(cpu, record, window.open);
    this.path.write(cpu, record, window);
    if (record.refused || record.value === null) return;
    this.overlap.write(cpu, record, window);
    this.idle.forget(cpu);
    this.dump.forget(cpu);
  }

  private entry(cpu: number, record: ObservedRecord): void {
    const window = this.windows.of(cpu);
    // Its exit is missing, and who knows what else.
    if (window.open) this.forget(cpu);
    window.enter(record);
    this.path.entry(cpu);
    this.notices.entry(cpu);
  }

  private exit(cpu: number, record: ObservedRecord): void {
    const window = this.windows.of(cpu);
    this.path.exit(cpu, record, window);
    this.overlap.exit(cpu, record, window);
    window.leave();
  }

  private activeMask(cpu: number, record: ObservedRecord): void {
    this.data.concern(cpu);
    const stuck = this.dump.activeMask(cpu, record);
    if (!this.data.tainted) this.found(stuck);
  }

  private heading(record: ObservedRecord): void {
    const next = readSnapshot(record, this.pebsEvents);
    const before = this.snapshot?.boot ?? null;
    if (before !== null && next.boot !== null && next.boot !== before) this.rebooted();
    this.knowsPebsEvents ||= next.pebsEvents !== null;
    this.snapshot = next;
  }

  /** The machine has been booted anew: what is read from here on does not belong to what was read before. */
  rebooted(): void {
    this.heal.rebooted();
    this.gap(null);
  }

  /** A line gives no record that should have given one: of a CPU, or (null) of any. */
  missed(cpu: number | null): void {
    if (cpu === null) this.forgetAll();
    else this.forget(cpu);
  }

  private loss(record: ObservedRecord): void {
    this.data.loss(record.cpu, record);
    this.gap(record.cpu);
  }

  private gap(cpu: number | null): void {
    this.missed(cpu);
    if (cpu === null) this.windows.each((_, each) => this.path.lost(each));
    else this.path.lost(cpu);
  }

  private forgetAll(): void {
    this.windows.each((_, each) => this.forget(each));
    // Of CPUs that are only read there are no windows.
    this.idle.forgetAll();
    this.dump.forgetAll();
  }

  /** What happens now does not follow on what is known of the CPU. */
  private forget(cpu: number): void {
    this.windows.of(cpu).leave();
    this.path.forget(cpu);
    this.overlap.forget(cpu);
    this.idle.forget(cpu);
    this.dump.forget(cpu);
  }

  private found(stuck: StuckBits | null): void {
    if (stuck !== null) this.heal.stuck(stuck);
  }
}

const shown = (value: U64, known: U64 | null): U64 => (known === null ? value : and(value, known));
