/** What a thread of the pool can do. */
export { firstViolationHere } from './first-violation.js';
export { walkChunkHere } from './walk-chunk.js';
