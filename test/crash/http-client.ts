/** Requests over connections that are kept open, as clients of the service have them. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** Longer than the service lets a request wait for its database. */
const ANSWER_MILLIS_MAX = 60_000;

export interface Asked {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true });

  /** Rejects where no whole answer came. */
  ask(port: number, { method, path, body, headers = {} }: Asked): Promise<Answer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request({
        agent: this.agent,
        host: '127.0.0.1',
        port,
        method,
        path,
        timeout: ANSWER_MILLIS_MAX,
        headers: {
          ...headers,
          ...(payload === undefined
            ? {}
            : {
                'content-type': 'application/json',
                'content-length': String(Buffer.byteLength(payload)),
              }),
        },
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          // An answer that was cut off ends, too.
          if (!response.complete) reject(new Error('the answer was cut off'));
          else resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      });
      sent.end(payload);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

export function json<Body>({ text }: Answer): Body {
  return JSON.parse(text) as Body;
}
