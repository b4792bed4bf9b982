/** Something is on its way: nothing at first, grey lines when it takes longer. */
import { useHeader } from '../frame/header-content.js';
import { useSlow } from '../load.js';

const WIDTHS = ['60%', '85%', '75%', '80%', '50%'];

export function Waiting({ what, lines = 5 }: { readonly what: string; readonly lines?: number }) {
  const isSlow = useSlow(true);
  if (!isSlow) return <div role="status" aria-label={what} />;
  return (
    <div class="skeletons" role="status" aria-label={what}>
      {Array.from({ length: lines }, (_, at) => (
        <div class="skeleton" key={at} style={{ width: WIDTHS[at % WIDTHS.length] }} />
      ))}
    </div>
  );
}

/** A whole screen that is on its way. */
export function WaitingScreen({ what }: { readonly what: string }) {
  useHeader({ title: '' });
  return (
    <div class="screen">
      <Waiting what={what} lines={10} />
    </div>
  );
}
