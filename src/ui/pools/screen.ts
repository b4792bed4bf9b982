import type { Screen } from '../screen.js';
import { Pools } from './pools.js';

/** The screen of machines leads here; it has no place of its own in the rail. */
export const poolsScreen: Screen = {
  name: 'Pools',
  patterns: ['/pools', '/pools/:pool'],
  View: Pools,
};
