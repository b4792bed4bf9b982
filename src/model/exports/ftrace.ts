/**
 * The trace that Linux would print of the same steps, to lay beside one of a real machine: `write_msr` for what perf and KVM
 * write, `kvm_entry` and `kvm_exit` where vmx_vcpu_run() traces them (recordings/traced.ts), `kvm_msr` for what a guest writes. What hardware loads has no tracepoint and is marked
 * as if written to trace_marker. A step is a microsecond; instruction pointers are not modelled and are 0.
 */
import { msrIndex, VIA_NAMES } from '../../pmu/arch/msr.js';
import type { MsrWrite } from '../../pmu/arch/write-sink.js';
import { stepCode } from '../../pmu/machine/micro-step.js';
import { NO_EXIT } from '../../pmu/machine/state.js';
import { EXIT_REASON } from '../../pmu/stepping/frame.js';
import { isInNmi, tracesEntry, tracesExit, tracesWrite } from '../recordings/traced.js';
import { formatU64 } from '../values.js';
import { hexOf, type RecordedStep, type Recording, violationsBegun } from './recording.js';

/** By exit reason, as `kvm_exit` prints it, and the interruption information. */
const EXITS: readonly (readonly [string, string])[] = [
  ['EXTERNAL_INTERRUPT', '0x800000ec'],
  ['EXTERNAL_INTERRUPT', '0x800000ec'],
  ['EXCEPTION_NMI', '0x80000202'],
  ['HLT', '0x00000000'],
  ['PREEMPTION_TIMER', '0x00000000'],
  ['', ''],
  ['INVALID_STATE FAILED_VMENTRY', '0x00000000'],
];

export function toFtrace(recording: Recording): string {
  const lines = recording.steps.flatMap((step) => {
    const begin = `${taskOf(step)} [${String(step.cpu).padStart(3, '0')}] ${flagsOf(step)} ${timeOf(step)}`;
    return eventsOf(recording, step).map((event) => `${begin}: ${event}`);
  });
  const { cpus } = recording.start;
  return `${[...header(lines.length, cpus.length), ...lines].join('\n')}\n`;
}

function header(entries: number, cpus: number): string[] {
  return `# tracer: nop
#
# entries-in-buffer/entries-written: ${entries}/${entries}   #P:${cpus}
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |`.split('\n');
}

/** The vCPU's thread, as QEMU names it; or whoever uses perf, or nobody. */
function taskOf({ cpu, actor, vcpu }: RecordedStep): string {
  const [comm, pid] =
    vcpu !== undefined
      ? [`CPU ${vcpu}/KVM`, 4200 + vcpu]
      : actor === 'perf'
        ? ['perf', 2000 + cpu]
        : ['<idle>', 0];
  return `${comm.padStart(16)}-${String(pid).padEnd(7)}`;
}

/** Interrupts are off in all that is modelled but a guest's WRMSR; Z is an NMI. */
function flagsOf({ actor, at, guestWrite }: RecordedStep): string {
  if (guestWrite !== undefined) return '.....';
  // The trace of a host says that a branch snapshot is perf's, which is true as well.
  const inNmi = isInNmi(actor, stepCode(at)) || at === 'bpf_snapshot';
  return inNmi ? 'd.Z1.' : 'd..1.';
}

function timeOf({ number }: RecordedStep): string {
  const [seconds, rest] = [Math.floor(number / 1_000_000), number % 1_000_000];
  return `${String(seconds).padStart(5)}.${String(rest).padStart(6, '0')}`;
}

function eventsOf(recording: Recording, step: RecordedStep): string[] {
  const executes = stepCode(step.at);
  return [
    ...(tracesEntry(executes) ? [`kvm_entry: vcpu ${step.vcpu}, rip 0x0`] : []),
    ...exitOf(step),
    ...guestWriteOf(step),
    ...(step.actor === 'nmi' ? [mark(step.action)] : []),
    ...step.writes.map((write) => writeOf(recording, write)),
    ...violationsBegun(step).map((id) => mark(`${id} violated`)),
  ];
}

function exitOf({ at, cpu, vcpu, before }: RecordedStep): string[] {
  const reason = before?.cpus[cpu]?.[EXIT_REASON] ?? NO_EXIT;
  if (!tracesExit(stepCode(at), reason)) {
    return [];
  }
  const [name, information] = EXITS[reason]!;
  const zero = '0x0000000000000000';
  return [
    `kvm_exit: vcpu ${vcpu} reason ${name} rip 0x0 info1 ${zero} info2 ${zero} intr_info ${information} error_code 0x00000000`,
  ];
}

/** As `trace_kvm_msr_write` prints it (Linux arch/x86/kvm/trace.h). */
function guestWriteOf({ guestWrite }: RecordedStep): string[] {
  if (guestWrite === undefined) return [];
  const { msr, value, refused } = guestWrite;
  const hex = withoutZeros(formatU64(value).slice(2));
  return [`kvm_msr: msr_write ${msrIndex(msr).toString(16)} = 0x${hex}${refused ? ' (#GP)' : ''}`];
}

function withoutZeros(hex: string): string {
  return hex.replace(/^0+(?=.)/, '');
}

function writeOf(recording: Recording, { msr, via, value }: MsrWrite): string {
  const what = `${msrIndex(msr).toString(16)}, value ${withoutZeros(hexOf(recording, msr, value))}`;
  return tracesWrite(via) ? `write_msr: ${what}` : mark(`${VIA_NAMES[via]}: ${what}`);
}

function mark(text: string): string {
  return `tracing_mark_write: ${text}`;
}
