import { createHash } from 'node:crypto';

/** A short name for a packed state, the same on every machine; two states of one model share one by accident only. */
export function fingerprint(state: Int32Array): string {
  const bytes = Buffer.alloc(state.length * 4);
  for (const [at, word] of state.entries()) bytes.writeInt32LE(word, at * 4);
  return createHash('sha256').update(bytes).digest('hex').slice(0, DIGITS);
}

const DIGITS = 16;
