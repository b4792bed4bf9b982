import { addressOfPlace } from '../router.js';
import type { Screen } from '../screen.js';
import { Compare } from './compare.js';

export const compareScreen: Screen = {
  name: 'Compare',
  patterns: ['/compare'],
  View: Compare,
  rail: { icon: 'M4 8h13l-4-4M20 16H7l4 4', address: () => addressOfPlace('/compare') },
};
