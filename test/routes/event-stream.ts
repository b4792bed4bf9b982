/** A client of the stream of events, for tests. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { eventually, type Instance } from '../instances.js';

/** A stream read through a socket. */
export class Stream {
  text = '';
  ended = false;
  /** The messages so far, without comments and the retry. */
  readonly messages: Record<string, string>[] = [];
  private rest = '';

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.text += chunk;
      const blocks = (this.rest + chunk).split('\n\n');
      this.rest = blocks.pop() ?? '';
      for (const block of blocks) this.take(block);
    });
    response.on('end', () => {
      this.ended = true;
    });
    response.on('error', () => {
      this.ended = true;
    });
  }

  static open(
    t: Pick<Test, 'teardown'>,
    { app }: Instance,
    query = '',
    headers = {},
  ): Promise<Stream> {
    const { port } = app.server.address() as AddressInfo;
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          port,
          host: '127.0.0.1',
          path: `/v1/events${query}`,
          headers: { accept: 'text/event-stream', ...headers },
        },
        (response) => resolve(new Stream(response)),
      );
      t.teardown(() => void request.destroy());
      request.on('error', reject);
      request.end();
    });
  }

  private take(block: string): void {
    const lines = block.split('\n').filter((line) => /^(id|event|data): /.test(line));
    if (lines.length === 0) return;
    this.messages.push(Object.fromEntries(lines.map((line) => line.split(/: (.*)/s, 2))));
  }

  async until(count: number): Promise<Record<string, string>[]> {
    return eventually(
      async () => this.messages,
      ({ length }) => length >= count,
    );
  }

  subjects(): string[] {
    return this.messages.map(({ data = '{}' }) => JSON.parse(data).subject);
  }
}
