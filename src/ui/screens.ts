/** All screens, in the order of the rail. */
import { compareScreen } from './compare/screen.js';
import { hostsScreen } from './hosts/screen.js';
import { liveScreen } from './live/screen.js';
import { machinesScreen } from './machines/screen.js';
import { matrixScreen } from './matrix/screen.js';
import { poolsScreen } from './pools/screen.js';
import type { Screen } from './screen.js';
import { storyScreen } from './story/screen.js';
import { timelineScreen } from './timeline/screen.js';
import { walkScreen } from './walk/screen.js';

export const SCREENS: readonly Screen[] = [
  matrixScreen,
  walkScreen,
  timelineScreen,
  compareScreen,
  liveScreen,
  hostsScreen,
  machinesScreen,
  poolsScreen,
  storyScreen,
];
