/** The second stage: whether whoever asks may ask this, judged by the header of the request alone. */
import type { FastifyInstance } from 'fastify';
import { useAuthentication } from './authentication.js';
import { useAuthorisation } from './authorisation.js';
import { useNegotiation } from './negotiation.js';
import { useOrigin } from './origin.js';
import { useQuota } from './quota.js';

export function admit(app: FastifyInstance): void {
  useOrigin(app);
  useAuthentication(app);
  // It counts by token, and counts also what is refused for the scope of the token.
  useQuota(app);
  useAuthorisation(app);
  // What is sent, and as what, is told only to those who may see it.
  useNegotiation(app);
}
