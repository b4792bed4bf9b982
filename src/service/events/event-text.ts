/** Events as clients see them: JSON, the text of a stream (server-sent events, WHATWG HTML), and cursors for places. */
import type { Event } from '../../../schemas/event.js';
import type { EventPlace, EventRow } from '../../store/event-store.js';

export function eventItem(row: EventRow): Event {
  return {
    id: cursorOf(row),
    type: row.type as Event['type'],
    subject: row.subject,
    data: row.data as Event['data'],
    created_at: row.createdAt.toISOString(),
  };
}

/** Part of a stream, as bytes that many sockets can share. */
export function eventsText(rows: readonly EventRow[]): Buffer {
  return Buffer.from(rows.map((row) => message(eventItem(row))).join(''));
}

/** Reports that events were missed, and that the stream continues from a place. */
export function resetText(place: EventPlace): Buffer {
  return Buffer.from(message({ id: cursorOf(place), type: 'reset' }));
}

/** Tells a reader, who is told nothing else, from where to continue: an id without data is remembered and not dispatched. */
export function placeText(place: EventPlace): Buffer {
  return Buffer.from(`id: ${cursorOf(place)}\n\n`);
}

function message({ id, type, ...data }: { readonly id: string; readonly type: string }): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function cursorOf({ xid, seq }: EventPlace): string {
  return Buffer.from(`${xid}.${seq}`).toString('base64url');
}

export function placeOf(cursor: string): EventPlace | undefined {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, xid, seq] = /^0*([0-9]{1,19})\.([0-9]{1,15})$/.exec(text) ?? [];
  return xid === undefined || seq === undefined ? undefined : { xid, seq: Number(seq) };
}

/** Whether one place comes after another. Transaction ids may exceed 2^53, so they are compared as digits. */
export function isAfter(one: EventPlace, other: EventPlace): boolean {
  if (one.xid === other.xid) return one.seq > other.seq;
  if (one.xid.length !== other.xid.length) return one.xid.length > other.xid.length;
  return one.xid > other.xid;
}
