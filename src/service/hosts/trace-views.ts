/** The trace of a host as a resource: its entries with the registers before and after each. */
import type { GuestWriteItem, TraceItem, TracePage } from '../../../schemas/trace.js';
import { desiredChanges, registersItem, violatedIn } from '../../model/render/frame-items.js';
import { toldWrmsr } from '../../model/steps/guests.js';
import { formatU64, writeItems } from '../../model/values.js';
import { msrName } from '../../pmu/arch/msr.js';
import { type Frame, frameBefore, frameOf } from '../../pmu/stepping/frame.js';
import type { GuestWrmsr, TraceEntry } from '../../pmu/stepping/run.js';
import type { Host } from './host.js';

/** An entry between two frames; null where an entry of an earlier version does not tell them. */
export interface FramedEntry {
  readonly entry: TraceEntry;
  readonly before: Frame | null;
  readonly after: Frame | null;
}

/** The registers of a host now. */
export function frameNow({ world, state, violated }: Host): Frame {
  return frameOf(world, state, violated);
}

/** The newest entries of a host, oldest first, with the frames around each: going back from the host as it is. */
export function framed(host: Host, entries: readonly TraceEntry[]): FramedEntry[] {
  let frame: Frame | null = frameNow(host);
  const backwards = entries.toReversed().map((entry) => {
    const { changes, missed } = entry;
    const after = frame;
    const before = after && changes ? frameBefore(after, changes) : null;
    frame = before && frameBefore(before, missed);
    return { entry, before, after };
  });
  return backwards.toReversed();
}

/** Registers before the first entry, which are those of now where there is none. */
export function registersBefore(
  host: Host,
  [first]: readonly FramedEntry[],
): TracePage['registers_before'] {
  const frame = first === undefined ? frameNow(host) : first.before;
  return frame && registersItem(host, frame);
}

export function traceItems(host: Host, entries: readonly FramedEntry[]): TraceItem[] {
  return entries.map((one) => traceItem(host, one));
}

function traceItem(host: Host, { entry, before, after }: FramedEntry): TraceItem {
  const { index, cpu, vcpu, actor, at, writes, missed, guestWrite } = entry;
  return {
    index,
    cpu,
    ...(vcpu === undefined ? {} : { vcpu: host.vcpus[vcpu]!.id }),
    actor,
    at,
    ...(before !== null && missed.length > 0
      ? { registers_before: registersItem(host, before) }
      : {}),
    writes: writeItems(writes, host.addresses),
    desired: before === null || after === null ? [] : desiredChanges(host, before, after),
    violated: after === null ? [] : violatedIn(after, cpu),
    ...(guestWrite && {
      guest_write: guestWriteItem(guestWrite),
      note: toldWrmsr(guestWrite, guestWrite.refused),
    }),
  };
}

function guestWriteItem({ msr, value, refused }: GuestWrmsr): GuestWriteItem {
  return { msr: msrName(msr), value: formatU64(value), gp: refused };
}
