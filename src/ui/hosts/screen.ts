import { addressOfPlace } from '../router.js';
import type { Screen } from '../screen.js';
import { Hosts } from './hosts.js';

export const hostsScreen: Screen = {
  name: 'Hosts',
  patterns: ['/hosts', '/h/:host'],
  View: Hosts,
  rail: {
    icon: 'M4 5h16v5H4zM4 14h16v5H4zM7 7.5h2M7 16.5h2',
    address: () => addressOfPlace('/hosts'),
  },
};
