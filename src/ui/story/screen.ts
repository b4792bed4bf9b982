import type { Screen } from '../screen.js';
import { Story } from './story.js';

/** The first visit; it has no place in the rail, the matrix leads to it. */
export const storyScreen: Screen = { name: 'Story', patterns: ['/story'], View: Story };
