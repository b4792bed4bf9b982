/**
 * What every format is written from: the steps of a path or of a host's trace, with the registers before and after each. The
 * frame after a step is the frame before the next, unless the trace has a gap there.
 */
import { counterNames, FIXED } from '../../pmu/arch/counter-set.js';
import { FIXED_CTR_CTRL, isCounterMsr } from '../../pmu/arch/msr.js';
import type { MsrWrite } from '../../pmu/arch/write-sink.js';
import { invariantsIn } from '../../pmu/invariants/index.js';
import { type Frame, OF_GUEST, VIOLATED } from '../../pmu/stepping/frame.js';
import type { GuestWrmsr } from '../../pmu/stepping/run.js';
import type { FrameOrigin, Register } from '../render/frame-items.js';
import { formatMsrValue } from '../values.js';
import type { StoryActor } from '../vocabulary.js';

export interface Recording extends FrameOrigin {
  readonly title: string;
  readonly vcpus: readonly string[];
  readonly steps: readonly RecordedStep[];
  /** The frame of a recording without steps. */
  readonly start: Frame;
}

export interface RecordedStep {
  /** Of a host, its index in the trace. */
  readonly number: number;
  readonly cpu: number;
  /** The vCPU that the CPU runs, or whose guest writes. */
  readonly vcpu: number | undefined;
  readonly actor: StoryActor;
  /** The micro-step, or the name of what happens at once. */
  readonly at: string;
  /** What happens, in words. */
  readonly action: string;
  readonly writes: readonly MsrWrite[];
  /** Where the step is a guest's WRMSR. */
  readonly guestWrite?: GuestWrmsr | undefined;
  /** Null where the trace does not tell them: what lay before it. */
  readonly before: Frame | null;
  readonly after: Frame | null;
}

/** Whether an NMI is handled; an overflow only announces one. */
export function isNmi({ at }: RecordedStep): boolean {
  return at === 'nmi' || at === 'nmi_throttle' || at === 'nmi_reset';
}

/** The names of a register's bits, or of the counters that IA32_FIXED_CTR_CTRL enables. */
export function bitsOf(msr: number, value: number): string[] {
  if (msr === FIXED_CTR_CTRL) {
    return counterNames(value & FIXED);
  }
  return isCounterMsr(msr) ? counterNames(value) : [];
}

/** The bits that are set and not wanted, and those that are wanted and not set; what perf wants is for the host. */
export function wrongBits(
  { msr, value, desired }: Register,
  columns: Int32Array,
): { stuck: string[]; lost: string[] } {
  if (columns[OF_GUEST] !== 0) {
    return { stuck: [], lost: [] };
  }
  const [is, wanted] = [columns[value]!, columns[desired]!];
  return { stuck: bitsOf(msr, is & ~wanted), lost: bitsOf(msr, wanted & ~is) };
}

/** Every bit that the register, or what perf wants in it, has at some time on a CPU. */
export function usedBits(recording: Recording, { msr, value, desired }: Register): string[] {
  return bitsOf(
    msr,
    maskOver(framesOf(recording), (cpu) => cpu[value]! | cpu[desired]!),
  );
}

/** Those that change at some time, or are not as perf wants them. */
export function tellingBits(recording: Recording, { msr, value, desired }: Register): string[] {
  const frames = framesOf(recording);
  const [first] = frames;
  return bitsOf(
    msr,
    maskOver(frames, (cpu, at) => {
      const before = first!.cpus[at]![value]!;
      return (cpu[value]! ^ before) | (cpu[desired]! ^ before);
    }),
  );
}

/** The invariants that fail at some time. */
export function violatedEver(recording: Recording): string[] {
  return invariantsIn(maskOver(framesOf(recording), (cpu) => cpu[VIOLATED]!));
}

/** All bits that the CPUs of some frames have in what is read of them. */
export function maskOver(
  frames: readonly Frame[],
  read: (columns: Int32Array, cpu: number) => number,
): number {
  return frames.reduce(
    (all, { cpus }) => cpus.reduce((own, columns, cpu) => own | read(columns, cpu), all),
    0,
  );
}

/** All frames that are known. */
export function framesOf({ steps, start }: Recording): Frame[] {
  return [start, ...steps.flatMap(({ before, after }) => [before, after])].filter(
    (frame) => frame !== null,
  );
}

/** The invariants that begin to fail with a step. */
export function violationsBegun({ cpu, before, after }: RecordedStep): string[] {
  const was = before?.cpus[cpu]?.[VIOLATED] ?? 0;
  const is = after?.cpus[cpu]?.[VIOLATED] ?? 0;
  return invariantsIn(is & ~was);
}

/** 16 hex digits. */
export function hexOf({ addresses }: FrameOrigin, msr: number, value: number): string {
  return formatMsrValue(msr, value, addresses).slice(2);
}

/** Without what tools read as something else than a part of a name. */
export function identifier(text: string): string {
  return text.replaceAll("'", 'prime').replaceAll(/[^A-Za-z0-9_.:-]/g, '_');
}
