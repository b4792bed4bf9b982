/** Bodies that are texts of any length: their routes read them as they arrive, and no part of them is kept here. */
import { createHash, type Hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError, tryLater } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types of a body that the handler reads itself, with their schemas for the document. */
    takes?: Readonly<Record<string, { readonly schema: object }>>;
  }
}

/** What tools call their output if nobody tells them; curl says that everything is a form. */
const UNTOLD = ['', 'application/x-www-form-urlencoded'];
/** So much of a body that is refused is read on, for so long: clients that are still sending may not hear the answer. */
const DISCARDED_BYTES_MAX = 64 * 2 ** 20;
const DISCARDING_MILLIS_MAX = 10_000;

/** Routes that all take such bodies, walled off from those that take JSON. */
export function takingTexts(routes: FastifyPluginAsyncTypebox): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(async (own: typeof app) => {
      own.removeAllContentTypeParsers();
      own.addContentTypeParser('*', (request, _payload, done) => {
        const types = Object.keys(request.routeOptions.config.takes ?? {});
        const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
        if (types.concat(UNTOLD).includes(type ?? '')) return done(null, undefined);
        done(unknownType(String(type), types), undefined);
      });
      await routes(own, {});
    });
  };
}

export class TextBody {
  private readonly request: FastifyRequest;
  private readonly hash: Hash | undefined;

  constructor(request: FastifyRequest) {
    this.request = request;
    this.hash = request.openKey === null ? undefined : createHash('sha256');
  }

  /** Throws where it is in another way encoded. */
  get isEncoded(): boolean {
    return isGzip(this.request.headers['content-encoding']);
  }

  /** As far as it says itself. */
  get bytes(): number {
    return Number(this.request.headers['content-length'] ?? 0);
  }

  /** As it arrives, until the service stops. */
  async *chunks(): AsyncGenerator<Buffer> {
    const { raw, server } = this.request;
    const iterator = raw.iterator({ destroyOnReturn: false });
    const stop = new Stop(server.closing);
    try {
      for (;;) {
        const { done, value } = await stop.or(iterator.next());
        if (done === true) return;
        this.hash?.update(value);
        yield value;
      }
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw new ProblemError('bad_request', 'The body did not arrive to its end.');
    } finally {
      stop.forget();
      // Not awaited: it waits for bytes that may never come.
      void iterator.return?.();
    }
  }

  /** Reads it for its digest only. */
  async skip(): Promise<void> {
    for await (const _ of this.chunks());
  }

  /** What tells it from other bodies, once it has come to its end; only of requests with a key. */
  digest(): string {
    return this.hash?.copy().digest('base64url') ?? '';
  }

  /** Reads on to the end, if that is near, so that the client hears the answer; otherwise the connection is to be closed. */
  async discard(reply: FastifyReply): Promise<void> {
    if (!(await this.readOn())) reply.header('connection', 'close');
  }

  private async readOn(): Promise<boolean> {
    const { closing } = this.request.server;
    if (closing.aborted || this.bytes > DISCARDED_BYTES_MAX) return false;
    const late = sleep(DISCARDING_MILLIS_MAX, false, { ref: false });
    return Promise.race([this.readToEnd().catch(() => false), late]);
  }

  private async readToEnd(): Promise<boolean> {
    let bytes = 0;
    for await (const chunk of this.request.raw.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > DISCARDED_BYTES_MAX) return false;
    }
    return true;
  }
}

function isGzip(encoding: string | undefined): boolean {
  if (encoding === undefined || encoding === 'identity') return false;
  if (/^(x-)?gzip$/i.test(encoding)) return true;
  throw new ProblemError(
    'unsupported_media_type',
    `The body has the content encoding ${JSON.stringify(encoding.slice(0, 40))}; send it plain, or compressed by gzip.`,
    [{ pointer: '/content-encoding', detail: 'must be gzip or identity', in: 'header' }],
  );
}

/** Ends waiting when the service begins to stop. (A race against one long promise would keep every chunk until its end.) */
class Stop {
  private readonly signal: AbortSignal;
  private refuse: (error: unknown) => void = () => {};

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener('abort', this.stop, { once: true });
  }

  or<T>(waitedFor: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.refuse = reject;
      waitedFor.then(resolve, reject);
      if (this.signal.aborted) this.stop();
    });
  }

  forget(): void {
    this.signal.removeEventListener('abort', this.stop);
  }

  private readonly stop = (): void => {
    this.refuse(tryLater('unavailable', 'The service is stopping.', 1));
  };
}

function unknownType(type: string, known: readonly string[]): ProblemError {
  const form =
    type === 'multipart/form-data' ? ' With curl, use --data-binary @FILE instead of -F.' : '';
  return new ProblemError(
    'unsupported_media_type',
    `The body is taken as ${known.join(', ')}, not as ${type.slice(0, 60)}.${form}`,
    [{ pointer: '/content-type', detail: `must be one of ${known.join(', ')}`, in: 'header' }],
  );
}
