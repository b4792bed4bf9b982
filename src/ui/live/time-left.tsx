/** How long it still takes: low, likely and high on one bar with what is behind it; nothing while nothing is known. */
import { duration } from '../widgets/numbers.js';

interface Props {
  readonly since: string;
  readonly left: readonly number[] | undefined;
}

export function TimeLeft({ since, left }: Props) {
  if (left === undefined) return null;
  const [low = 0, likely = 0, high = 0] = left;
  const behind = Math.max(0, (Date.now() - Date.parse(since)) / 1000);
  const all = Math.max(behind + high, 0.001);
  const share = (seconds: number): string => `${(100 * seconds) / all}%`;
  return (
    <div class="time-left">
      <div class="range" aria-hidden="true">
        <i class="behind" style={{ width: share(behind + low) }} />
        <i class="open" style={{ left: share(behind + low), width: share(high - low) }} />
        <i class="likely" style={{ left: share(behind + likely) }} />
      </div>
      <span class="number">
        left {duration(low)} to {duration(high)}, likely {duration(likely)}
      </span>
    </div>
  );
}
