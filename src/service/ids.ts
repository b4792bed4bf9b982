/** Ids of resources: a prefix that says what it names, and twelve characters drawn at random. */
import { customAlphabet } from 'nanoid';

const draw = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 12);

export function randomId(prefix: 'host' | 'exp' | 'camp' | 'obs' | 'exn' | 'job' | 'run'): string {
  return `${prefix}_${draw()}`;
}
