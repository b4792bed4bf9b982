/**
 * R0: KVM writes zero to IA32_PEBS_ENABLE between kvm_entry and kvm_exit only when it puts the register into the MSR-load areas
 * (add_atomic_switch_msr). The write of perf's NMI handler in the same window says nothing, so the context must be known.
 *
 * A thousand windows with host PEBS on, all without such a write, show that the register is not in them.
 */
import type { ObservedRecord } from '../record.js';
import { isZero } from '../value.js';
import { about, type Finding, NAME } from './finding.js';
import { PerCpu } from './per-cpu.js';
import { span, type Window } from './windows.js';

/** Windows that show that KVM does not zero the register. */
export const QUIET_WINDOWS = 1000;

class Path {
  /** Line of KVM's zero in this window. */
  zeroLine = 0;
  /** A zero was written in this window, by KVM or by perf. */
  unsure = false;
  /** perf's last write that is known enabled PEBS. */
  hostOn = false;
  hostOnAtEntry = false;
  quiet = 0;
  /** A loss was the last that was said of the CPU: statistics follow a trace, and do not say where its gap is. */
  lostLast = false;
  proof: Finding | null = null;
}

export class R0Path {
  private readonly paths = new PerCpu(() => new Path());
  private listed: Finding | null = null;

  entry(cpu: number): void {
    const path = this.paths.of(cpu);
    path.zeroLine = 0;
    path.unsure = false;
    path.hostOnAtEntry = path.hostOn;
    path.lostLast = false;
  }

  /** A write of IA32_PEBS_ENABLE. One that faulted was made all the same. */
  write(cpu: number, record: ObservedRecord, window: Window): void {
    const path = this.paths.of(cpu);
    const zero = record.value !== null && isZero(record.value);
    if (window.open && record.context !== 'nmi') {
      if (zero && record.context === 'task') path.zeroLine ||= record.line;
      else path.unsure = true;
    } else if (!record.refused) {
      path.hostOn = !zero;
    }
  }

  exit(cpu: number, record: ObservedRecord, window: Window): void {
    if (!window.open) return;
    const path = this.paths.of(cpu);
    if (path.zeroLine === 0) {
      if (path.hostOnAtEntry && !path.unsure) path.quiet += 1;
      return;
    }
    if (path.proof !== null || record.time.isBefore(window.entryTime)) return;
    path.proof = about(
      'R0',
      'none',
      cpu,
      [window.entryLine, path.zeroLine, record.line],
      `CPU ${cpu}: KVM zeroed ${NAME} between kvm_entry and kvm_exit${span(window.entryTime, record.time)}, outside NMI context: the register is in the MSR-load areas.`,
    );
  }

  /** An entry of the load areas, as a probe printed it. */
  loadListEntry(record: ObservedRecord): void {
    const { value: host, guest, cpu, line } = record;
    if (host === null || guest === null) return;
    // KVM takes an MSR out of the areas where both values are the same.
    if (host.hi === guest.hi && host.lo === guest.lo) return;
    const text = `${NAME} is in the lists that VM-entry and VM-exit load.`;
    this.listed ??= about('R0', 'none', cpu, [line], text);
  }

  /** A probe printed the register's entry of the lists. */
  get isListed(): boolean {
    return this.listed !== null;
  }

  lost(cpu: number): void {
    this.forget(cpu);
    this.paths.of(cpu).lostLast = true;
  }

  /** Whether host PEBS is on, and what was written in this window, is not known any more. */
  forget(cpu: number): void {
    const path = this.paths.of(cpu);
    path.hostOn = false;
    path.hostOnAtEntry = false;
    path.zeroLine = 0;
  }

  /** `lostAnywhere`: records were lost at unknown places, so that no window proves anything. */
  proof(lostAnywhere: boolean): Finding | null {
    if (this.listed !== null || lostAnywhere) return this.listed;
    let first: Finding | null = null;
    this.paths.each(({ proof, lostLast }) => {
      if (proof !== null && !lostLast && (first === null || proof.lines[0]! < first.lines[0]!))
        first = proof;
    });
    return first;
  }

  quietWindows(): number {
    let windows = 0;
    this.paths.each(({ quiet, lostLast }) => {
      if (!lostLast) windows += quiet;
    });
    return windows;
  }
}
