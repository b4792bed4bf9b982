import { addressOfPlace } from '../router.js';
import type { Screen } from '../screen.js';
import { Machines } from './machines.js';

export const machinesScreen: Screen = {
  name: 'Machines',
  patterns: ['/machines', '/machines/:observation'],
  View: Machines,
  rail: {
    icon: 'M3 5h18v11H3zM9 20h6M12 16v4M6 12l3-4 3 3 2-2',
    address: () => addressOfPlace('/machines'),
  },
};
