import { addressOfPlace } from '../router.js';
import type { Screen } from '../screen.js';
import { Matrix } from './matrix.js';

export const matrixScreen: Screen = {
  name: 'Matrix',
  patterns: ['/', '/hazards', '/costs', '/mine'],
  View: Matrix,
  rail: {
    icon: 'M4 4h16v16H4zM4 9.3h16M4 14.6h16M9.3 4v16M14.6 4v16',
    address: () => addressOfPlace('/'),
  },
};
