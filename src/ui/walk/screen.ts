import type { Screen } from '../screen.js';
import { lastWalk } from '../worlds/last-place.js';
import { Walk } from './walk.js';

export const walkScreen: Screen = {
  name: 'Walk',
  patterns: ['s/:scenario', 'm/:model', 'e/:exploration'].map((world) => `/${world}/walk/*`),
  View: Walk,
  rail: {
    icon: 'M6 4v6m0 4v6M6 12h6l6-6m-6 6 6 6M18 6h.01M18 18h.01M6 4h.01M6 20h.01',
    address: () => lastWalk.value,
  },
};
