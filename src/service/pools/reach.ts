/** Which pools a client may see: a machine's token is for some, and must not even learn that there are others. */
import { missing } from '../refusals.js';

/** Their names; undefined: all. */
export type Reach = readonly string[] | undefined;

export function assertReached(reach: Reach, pool: string): void {
  if (reach !== undefined && !reach.includes(pool)) missing('pool', pool);
}
