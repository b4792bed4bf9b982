/** The document as pages that people read and try. */
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/**
 * All that the pages need is here. Not `upgrade-insecure-requests`, which swagger-ui would add: over
 * plain HTTP, as most reach this service, a browser would ask for the assets where nobody listens.
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

/** Swagger-ui brings its files along and asks no one outside to validate the document. */
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
