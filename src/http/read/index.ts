/** The third stage: parses path, query and body and validates them; a request whose key has a stored answer ends here. */
import type { FastifyInstance } from 'fastify';
import { useIdempotency } from './idempotency.js';
import { useValidation } from './validation.js';

export function read(app: FastifyInstance): void {
  useValidation(app);
  // The key covers the parsed request, with defaults filled in.
  useIdempotency(app);
}
