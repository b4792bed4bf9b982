/** Findings that judge no CPU: what else of interest happened on the machine. The first few of each kind are listed. */
import { bitNames, shortHex } from '../bits.js';
import type { ObservedRecord } from '../record.js';
import { PEBS_ENABLE } from '../registers.js';
import { isZero } from '../value.js';
import type { ObservedRule, ObservedVerdict } from '../vocabulary.js';
import { about, cpuWord, type Finding, NAME } from './finding.js';
import { PerCpu } from './per-cpu.js';
import { MAX_LINES } from './r6-data.js';

const DS_AREA = 0x600;

/** The load areas of a CPU, as far as they were printed since its last kvm_entry. */
class LoadList {
  pebsLine = 0;
  pebsGuest: ObservedRecord['guest'] = null;
  dsAreaLine = 0;
}

export class Notices {
  readonly findings: Finding[] = [];
  private readonly counts = new Map<ObservedRule, number>();
  private readonly lists = new PerCpu(() => new LoadList());
  private readonly throttled = new PerCpu(() => ({ line: 0 }));
  /** KVM's write of the register, for a fault afterwards. */
  private kvmWriteLine = 0;

  kvmWrote(line: number): void {
    this.kvmWriteLine ||= line;
  }

  listFull(record: ObservedRecord): void {
    const msr = record.msr === null ? 'an MSR' : `MSR 0x${record.msr.toString(16)}`;
    this.add(
      'autoload_overflow',
      'none',
      record,
      `KVM had no room in the MSR-load areas for ${msr}.`,
    );
  }

  deviceWrite(record: ObservedRecord): void {
    const who = record.comm === null ? 'A user' : `${record.comm}`;
    const text = `${who} wrote ${NAME} through /dev/cpu: later readings say nothing of the kernel.`;
    this.add('device_write', 'inconclusive', record, text);
  }

  refused(record: ObservedRecord): void {
    const value = record.value === null ? '' : ` of ${shortHex(record.value)}`;
    const text = `The write${value} to ${NAME} on ${cpuWord(record.cpu)} faulted: the register kept its value.`;
    this.add('refused_write', 'none', record, text);
  }

  fault(record: ObservedRecord): void {
    if (this.kvmWriteLine === 0) return;
    const what = record.text ?? record.name ?? 'a fault';
    const text = `The kernel reported a fault after KVM wrote ${NAME}: ${what}.`;
    this.add('kernel_fault', 'none', record, text, [this.kvmWriteLine, record.line]);
  }

  entry(cpu: number): void {
    const list = this.lists.get(cpu);
    if (list === undefined) return;
    list.pebsLine = 0;
    list.dsAreaLine = 0;
  }

  loadListEntry(cpu: number, record: ObservedRecord): void {
    const list = this.lists.of(cpu);
    const { guest } = record;
    if (guest === null) return;
    if (record.msr === PEBS_ENABLE) {
      list.pebsLine = isZero(guest) ? 0 : record.line;
      list.pebsGuest = guest;
    } else if (record.msr === DS_AREA) {
      list.dsAreaLine = isZero(guest) ? record.line : 0;
    }
    if (list.pebsLine === 0 || list.dsAreaLine === 0) return;
    const text = `CPU ${cpu}: the guest runs with ${NAME} ${shortHex(list.pebsGuest!)} and IA32_DS_AREA 0.`;
    const lines = [list.dsAreaLine, list.pebsLine].sort((a, b) => a - b);
    const bits = bitNames(list.pebsGuest!, null);
    this.add('guest_pebs_without_ds_area', 'none', record, text, lines, bits);
    list.pebsLine = 0;
    list.dsAreaLine = 0;
  }

  throttle(cpu: number, line: number): void {
    this.throttled.of(cpu).line = line;
  }

  unthrottle(cpu: number): void {
    const throttled = this.throttled.get(cpu);
    if (throttled !== undefined) throttled.line = 0;
  }

  /** CPUs on which events are throttled still. */
  throttledFindings(): Finding[] {
    const findings: Finding[] = [];
    this.throttled.each(({ line }, cpu) => {
      if (line === 0) return;
      const text = `CPU ${cpu}: perf throttled an event and did not unthrottle it. That proves nothing by itself.`;
      findings.push({
        rule: 'throttled',
        verdict: 'none',
        cpu,
        msr: null,
        bits: [],
        lines: [line],
        text,
      });
    });
    return findings;
  }

  private add(
    rule: ObservedRule,
    verdict: ObservedVerdict,
    record: ObservedRecord,
    text: string,
    lines: readonly number[] = [record.line],
    bits: readonly string[] = [],
  ): void {
    const count = (this.counts.get(rule) ?? 0) + 1;
    this.counts.set(rule, count);
    if (count <= MAX_LINES) this.findings.push(about(rule, verdict, record.cpu, lines, text, bits));
  }
}
