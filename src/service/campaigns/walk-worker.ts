/** What a thread of the pool can do. */
export { firstViolation } from './first-violation.js';
export { walkChunk } from './walk-chunk.js';
