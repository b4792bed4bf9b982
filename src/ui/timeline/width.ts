/** Whether there is room for steps side by side; otherwise they run down. */
import { signal } from '@preact/signals';

const wide = window.matchMedia('(min-width: 700px)');

export const isWide = signal(wide.matches);
wide.addEventListener('change', ({ matches }) => {
  isWide.value = matches;
});
