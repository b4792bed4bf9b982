/** The second stage: whether the client may make this request, judged by the request header alone. */
import type { FastifyInstance } from 'fastify';
import { useAuthentication } from './authentication.js';
import { useAuthorisation } from './authorisation.js';
import { useNegotiation } from './negotiation.js';
import { useOrigin } from './origin.js';
import { useQuota } from './quota.js';

export function admit(app: FastifyInstance): void {
  useOrigin(app);
  useAuthentication(app);
  // It counts by token, including requests refused for the scope of the token.
  useQuota(app);
  useAuthorisation(app);
  // The available media types are reported only to clients that may read the resource.
  useNegotiation(app);
}
