/** A client of the stream of events that comes back when it loses it, as an EventSource does. */
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MILLIS = 200;

export class EventListener {
  /** What was heard, in order. */
  readonly heard: { readonly id: string; readonly type: string; readonly subject: string }[] = [];
  connections = 0;
  private closed = false;
  private stream: IncomingMessage | undefined;
  private readonly port: number;

  private constructor(port: number) {
    this.port = port;
  }

  /** Resolves when the stream is open. */
  static async open(port: number): Promise<EventListener> {
    const listener = new EventListener(port);
    void listener.listen();
    while (listener.connections === 0) await sleep(10);
    return listener;
  }

  /** Waits until an event is heard, at most so long. Whether it was. */
  async hears(type: string, subject: string, millisMax: number): Promise<boolean> {
    const deadline = performance.now() + millisMax;
    const isIt = (event: { type: string; subject: string }): boolean =>
      event.type === type && event.subject === subject;
    while (!this.heard.some(isIt)) {
      if (performance.now() > deadline) return false;
      await sleep(20);
    }
    return true;
  }

  close(): void {
    this.closed = true;
    this.stream?.destroy();
  }

  private async listen(): Promise<void> {
    while (!this.closed) {
      await this.connect().catch(() => {});
      if (!this.closed) await sleep(PAUSE_MILLIS);
    }
  }

  /** Resolves when the stream is over. */
  private connect(): Promise<void> {
    const last = this.heard.at(-1)?.id;
    const headers = {
      accept: 'text/event-stream',
      ...(last === undefined ? {} : { 'last-event-id': last }),
    };
    return new Promise((resolve, reject) => {
      const asked = get({ host: '127.0.0.1', port: this.port, path: '/v1/events', headers });
      asked.on('error', reject);
      asked.on('response', (stream) => {
        if (stream.statusCode === 200) this.connections += 1;
        this.stream = stream;
        let text = '';
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          const messages = text.split('\n\n');
          text = messages.pop() ?? '';
          for (const message of messages) this.take(message);
        });
        stream.on('error', reject);
        stream.on('close', resolve);
      });
    });
  }

  private take(message: string): void {
    const field = (name: string): string =>
      new RegExp(`^${name}: ?(.*)$`, 'm').exec(message)?.[1] ?? '';
    const data = field('data');
    if (data === '') return;
    const { subject = '' } = JSON.parse(data) as { subject?: string };
    this.heard.push({ id: field('id'), type: field('event'), subject });
  }
}
