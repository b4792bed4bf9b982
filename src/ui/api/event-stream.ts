/** One connection to the stream of events, from its beginning to its end. */
import { EventParser, type Message } from './event-parser.js';
import { problemOf } from './problem.js';
import { authorization } from './token.js';

export interface StreamEnd {
  /** The HTTP status that refused it; 0 if it was cut, or nothing answered. */
  readonly status: number;
  readonly detail: string;
  readonly retryMillis: number;
  readonly retrySeconds: number | undefined;
}

interface Watcher {
  opened(): void;
  /** Anything came, if only a sign of life. */
  heard(): void;
  message(message: Message): void;
}

export async function attemptStream(
  cursor: string | undefined,
  signal: AbortSignal,
  watcher: Watcher,
): Promise<StreamEnd> {
  const parser = new EventParser();
  const cut = (): StreamEnd => ({
    status: 0,
    detail: 'the stream was cut',
    retryMillis: parser.retryMillis,
    retrySeconds: undefined,
  });
  try {
    const response = await fetch('/v1/events', {
      headers: {
        accept: 'text/event-stream',
        ...authorization(),
        ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
      },
      cache: 'no-store',
      signal,
    });
    if (!response.ok || response.body === null) {
      const { status, message, retrySeconds } = await problemOf(response);
      return { ...cut(), status, detail: message, retrySeconds };
    }
    watcher.opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return cut();
      watcher.heard();
      for (const message of parser.read(value)) watcher.message(message);
    }
  } catch {
    return cut();
  }
}
