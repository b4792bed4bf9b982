/**
 * Live events: one stream a tab. Events only tell what to ask for again, so that one that was missed leaves no wrong number:
 * after a gap, everything that listens is told to start over.
 */
import { signal } from '@preact/signals';
import type { Api } from './client.js';
import { attemptStream, type StreamEnd } from './event-stream.js';
import { askForToken } from './token.js';

type ServerEvent = Api['Event'];
type Connection = 'off' | 'connecting' | 'live' | 'stale' | 'waiting';

interface Listener {
  event?(event: ServerEvent): void;
  /** Events may have been missed: ask for everything again. */
  gap?(): void;
}

export const connection = signal<Connection>('off');
/** When the stream was last heard of, in milliseconds since 1970. */
export const heardAt = signal(0);
/** The newest last. */
export const recent = signal<readonly ServerEvent[]>([]);

const RECENT_MAX = 500;
const WAIT_MILLIS_MAX = 30_000;
/** The service sends a sign of life every 15 s. */
const SILENCE_MILLIS_MAX = 45_000;
/** A tab that nobody looks at gives its connection back. */
const HIDDEN_MILLIS_MAX = 60_000;

const listeners = new Set<Listener>();
let cursor: string | undefined;
let failures = 0;
let isFirst = true;
let current: AbortController | undefined;
let hideTimer: ReturnType<typeof setTimeout> | undefined;

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function startEvents(): void {
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hideTimer);
    if (document.visibilityState === 'hidden') hideTimer = setTimeout(stop, HIDDEN_MILLIS_MAX);
    else if (current === undefined) void run();
  });
  window.addEventListener('online', () => {
    if (connection.value === 'waiting') restart();
  });
  setInterval(() => {
    const isSilent = Date.now() - heardAt.value > SILENCE_MILLIS_MAX;
    if (connection.value === 'live' && isSilent) connection.value = 'stale';
    else if (connection.value === 'stale' && isSilent) restart();
  }, 5000);
  void run();
}

function stop(): void {
  current?.abort();
  current = undefined;
  connection.value = 'off';
}

function restart(): void {
  stop();
  void run();
}

async function run(): Promise<void> {
  const own = new AbortController();
  current = own;
  while (!own.signal.aborted) {
    connection.value = 'connecting';
    const end = await attemptStream(cursor, own.signal, {
      opened: () => {
        // The first request of the page is for the stream: what it asks for later is newer.
        if (!isFirst && cursor === undefined) tellGap();
        isFirst = false;
        failures = 0;
        connection.value = 'live';
      },
      heard: () => {
        heardAt.value = Date.now();
        if (connection.value === 'stale') connection.value = 'live';
      },
      message: take,
    });
    if (own.signal.aborted) return;
    if (!(await recover(end, own.signal))) return;
  }
}

/** What to do when a stream has ended; false if there is to be no other. */
async function recover(end: StreamEnd, signal: AbortSignal): Promise<boolean> {
  isFirst = false;
  if (end.status === 401) {
    if (await askForToken(end.detail)) return true;
    connection.value = 'off';
    return false;
  }
  if (end.status === 410) {
    cursor = undefined;
    tellGap();
  }
  failures += 1;
  connection.value = 'waiting';
  const base = end.retrySeconds === undefined ? end.retryMillis : end.retrySeconds * 1000;
  const backedOff = Math.min(base * 1.5 ** (failures - 1), WAIT_MILLIS_MAX);
  await wait(backedOff * (0.85 + Math.random() * 0.3), signal);
  return true;
}

function take({ id, type, data }: { id: string; type: string; data: string }): void {
  if (id !== '') cursor = id;
  if (type === 'reset') {
    tellGap();
    return;
  }
  const event = { id, type, ...JSON.parse(data) } as ServerEvent;
  recent.value = [...recent.value, event].slice(-RECENT_MAX);
  for (const listener of [...listeners]) listener.event?.(event);
}

function tellGap(): void {
  for (const listener of [...listeners]) listener.gap?.();
}

function wait(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, millis);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
