/** Ids of resources: a prefix that says what it names, and twelve characters drawn at random. */
import { randomBytes } from 'node:crypto';

export function randomId(prefix: 'host' | 'exp' | 'camp'): string {
  const drawn = BigInt(`0x${randomBytes(8).toString('hex')}`).toString(36);
  return `${prefix}_${drawn.slice(0, 12)}`;
}
