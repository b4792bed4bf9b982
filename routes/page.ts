/** The page at /ui/: a client of this API like any other, so its files need no token. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import files from '@fastify/static';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../src/service/problem-error.js';

/** Where src/build/page.ts puts it. */
const FOLDER = fileURLToPath(new URL('../ui', import.meta.url));

/**
 * Nothing from elsewhere, nothing inline, and no text may become markup or script. No `upgrade-insecure-requests`: over
 * plain HTTP, the usual case here, a browser would then ask a port that is closed.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'referrer-policy': 'no-referrer',
  // A viewer in a tab of its own can still be handed a trace.
  'cross-origin-opener-policy': 'same-origin-allow-popups',
};

/** The names of these change with what is in them. */
const HASHED = /^assets\//;
/** Other addresses are places in the page, which it finds itself; scenarios have dots in their names, too. */
const FILE = /\.(js|css|svg|png|ico|json|map|txt|html?|br|gz)$/;

export const pageRoutes: FastifyPluginAsyncTypebox = async (app) => {
  // It asks routes that a worker does not serve.
  if (app.config.role === 'worker') return;
  const exists = existsSync(FOLDER);
  if (exists) {
    await app.register(files, {
      root: FOLDER,
      serve: false,
      preCompressed: true,
      cacheControl: false,
    });
  }

  app.get('/ui', { schema: { hide: true } }, async (_request, reply) =>
    reply.redirect('/ui/', 308),
  );

  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    if (!exists) {
      throw new ProblemError('not_found', 'The page is not built: `npm run build` does that.');
    }
    const { '*': asked = '' } = request.params as { '*'?: string };
    const isHashed = HASHED.test(asked);
    const name = isHashed || FILE.test(asked) ? asked : 'index.html';
    reply.headers(HEADERS);
    reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    return reply.sendFile(name);
  };
  app.get('/ui/', { schema: { hide: true } }, answer);
  app.get('/ui/*', { schema: { hide: true } }, answer);
};
