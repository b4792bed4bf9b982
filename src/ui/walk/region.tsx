/** Whether a violation can still be avoided in a state. */

import type { Api } from '../api/client.js';
import { count } from '../widgets/numbers.js';

interface Props {
  readonly region: Api['Region'] | null;
  readonly steps: number | null;
  readonly isLong?: boolean;
}

const GLYPHS: Readonly<Record<Api['Region'], string>> = {
  avoidable: '✓',
  doomed: '☠',
  violating: '▲',
};

export function RegionMark({ region, steps, isLong = false }: Props) {
  if (region === null)
    return <span class="muted">{isLong ? 'Not known whether avoidable' : '?'}</span>;
  return (
    <span class="region" data-region={region}>
      <span aria-hidden="true">{GLYPHS[region]}</span>
      <span class={isLong ? '' : 'unseen'}> {words(region, steps)}</span>
      {!isLong && region === 'doomed' && <span class="number"> {steps}</span>}
    </span>
  );
}

function words(region: Api['Region'], steps: number | null): string {
  const far = `${count(steps ?? 0, 'step')} on`;
  if (region === 'violating') return 'violated here';
  if (region === 'doomed') return `unavoidable: violated ${far} at the earliest`;
  return steps === null ? 'no violation ahead' : `avoidable; the nearest violation is ${far}`;
}
