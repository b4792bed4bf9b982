import { addressOfPlace } from '../router.js';
import type { Screen } from '../screen.js';
import { Live } from './live.js';

export const liveScreen: Screen = {
  name: 'Live',
  patterns: ['/live'],
  View: Live,
  rail: {
    icon: 'M12 10a2 2 0 1 0 0 4 2 2 0 0 0 0-4M8 8a5.6 5.6 0 0 0 0 8M16 8a5.6 5.6 0 0 1 0 8M5 5a9.9 9.9 0 0 0 0 14M19 5a9.9 9.9 0 0 1 0 14',
    address: () => addressOfPlace('/live'),
  },
};
