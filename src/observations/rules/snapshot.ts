/** What a collector says before it reads every CPU once. */
import type { ObservedRecord } from '../record.js';

export interface Snapshot {
  /** 0: the readings have no heading, and what holds for all of the text is said elsewhere. */
  readonly line: number;
  /** PEBS events open on the machine; null: not said. */
  readonly pebsEvents: number | null;
  /** The machine and its boot, as far as they are named. */
  readonly boot: string | null;
  /** RFC 3339, or null. */
  readonly at: string | null;
}

/** `pebsEvents` of the heading, or else of the whole text. */
export function readSnapshot(record: ObservedRecord, pebsEvents: number | null): Snapshot {
  const attributes = record.attributes ?? {};
  return {
    line: record.line,
    pebsEvents: readCount(attributes.pebs_events) ?? pebsEvents,
    boot: bootOf(attributes),
    at: attributes.ts ?? null,
  };
}

function bootOf({ host, boot_id: boot }: Readonly<Record<string, string>>): string | null {
  return host === undefined ? (boot ?? null) : `${host} ${boot ?? ''}`;
}

export function readCount(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** When a register was read: the heading says it, or else the line itself. */
export const timeOf = (record: ObservedRecord, snapshot: Snapshot | null): string | null =>
  snapshot?.at ?? record.at;

/**
 * Seconds that surely lie between two times, or null where they are no dates. A printed time is cut: between `…:00` and `…:01`
 * there may be no time at all.
 */
export function secondsApart(from: string | null, to: string | null): number | null {
  const first = readTime(from);
  const second = readTime(to);
  if (first === null || second === null) return null;
  return second.seconds - first.seconds - Math.max(first.unit, second.unit);
}

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,](\d{1,9}))?(?:Z|[+-]\d\d:?\d\d)?$/;

function readTime(text: string | null): { seconds: number; unit: number } | null {
  const match = TIME.exec(text ?? '');
  if (match === null) return null;
  const milliseconds = Date.parse(match[0].replace(',', '.').replace(' ', 'T'));
  return Number.isNaN(milliseconds)
    ? null
    : { seconds: milliseconds / 1000, unit: Math.max(10 ** -(match[1]?.length ?? 0), 0.001) };
}
