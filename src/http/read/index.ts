/** The third stage: path, query and body are read and held to their schemas; a request under a key that was answered ends here. */
import type { FastifyInstance } from 'fastify';
import { useIdempotency } from './idempotency.js';
import { useValidation } from './validation.js';

export function read(app: FastifyInstance): void {
  useValidation(app);
  // The key stands for the request as it was read, with what was left out filled in.
  useIdempotency(app);
}
