/** The document as interactive pages. */
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/**
 * All assets are served here. No `upgrade-insecure-requests`, which swagger-ui would add: over plain
 * HTTP, the usual case here, a browser would then request the assets from a port that is closed.
 */
const DOCS_POLICY = {
  'default-src': "'self'",
  'base-uri': "'none'",
  'font-src': "'self' data:",
  'form-action': "'self'",
  'frame-ancestors': "'none'",
  'img-src': "'self' data:",
  'object-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
};

/** Swagger-ui serves its own files and does not ask an external site to validate the document. */
export async function usePages(app: FastifyInstance): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { deepLinking: true, tryItOutEnabled: true, validatorUrl: null },
    staticCSP: DOCS_POLICY,
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.url.startsWith('/docs')) {
      reply.headers({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
    }
    return payload;
  });
}
