/** Strong ETags on readable resources under /v1, so that polling an unchanged one yields 304. */
import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export function useEtag(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    const readable = request.method === 'GET' || request.method === 'HEAD';
    if (!readable || reply.statusCode !== 200 || !request.url.startsWith('/v1/')) return payload;
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
    // Resources with a version set their own.
    const own = reply.getHeader('etag');
    const etag =
      typeof own === 'string' ? layoutTag(own, request) : `"${hash('sha1', payload, 'base64url')}"`;
    reply.header('etag', etag);
    reply.header('cache-control', 'no-cache');
    const asked = request.headers['if-none-match'];
    if (asked === undefined) return payload;
    const isKnown = names(asked, etag);
    // `*` names no version: it would make every answer cost half.
    if (isKnown) await request.charge?.halve(reply);
    else if (asked.trim() !== '*') return payload;
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    return null;
  });
}

/** Other bytes have another strong tag, even of the same version (RFC 9110, 8.8.1). */
function layoutTag(etag: string, { isIndented }: FastifyRequest): string {
  return isIndented ? etag.replace(/"$/, '-indented"') : etag;
}

/** `If-None-Match` compares weakly (RFC 9110, 13.1.2): a cache may have weakened our tag. */
function names(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
