/** A bit, as hardware has it and as perf wants it: shapes first, so that colour only repeats them. */

export type BitState = 'set' | 'clear' | 'stuck' | 'lost' | 'unknown';

export function bitState(hardware: boolean | undefined, desired: boolean | undefined): BitState {
  if (hardware === undefined) return 'unknown';
  if (desired === undefined || desired === hardware) return hardware ? 'set' : 'clear';
  return hardware ? 'stuck' : 'lost';
}

const WORDS: Readonly<Record<BitState, string>> = {
  set: 'set, as perf wants it',
  clear: 'clear, as perf wants it',
  stuck: 'stuck: set, and perf wants it clear',
  lost: 'lost: clear, and perf wants it set',
  unknown: 'unknown',
};

/** `label` names the bit for those who do not see it; null where text beside it says so already. */
export function Bit({ state, label }: { readonly state: BitState; readonly label: string | null }) {
  const shape = { class: 'bit', 'data-state': state, viewBox: '0 0 20 20' };
  return label === null ? (
    <svg {...shape} aria-hidden="true">
      <Shape state={state} />
    </svg>
  ) : (
    <svg {...shape} role="img" aria-label={`${label} ${WORDS[state]}`}>
      <Shape state={state} />
    </svg>
  );
}

function Shape({ state }: { readonly state: BitState }) {
  const box = { x: 2.5, y: 2.5, width: 15, height: 15, rx: 2, stroke: 'currentColor' };
  switch (state) {
    case 'set':
      return <rect {...box} fill="currentColor" />;
    case 'clear':
      return <path d="M3 16.5h14" stroke="currentColor" stroke-width="2.5" />;
    case 'stuck':
      return (
        <>
          <rect {...box} fill="none" stroke-width="2" />
          <path d="M3 9 9 3M3 17 17 3M11 17l6-6" stroke="currentColor" stroke-width="1.6" />
          <Letter letter="S" />
        </>
      );
    case 'lost':
      return (
        <>
          <rect {...box} fill="none" stroke-width="1.8" stroke-dasharray="3 2.4" />
          <Letter letter="L" />
        </>
      );
    default:
      return <path d="M3 10h14" stroke="currentColor" stroke-width="2" stroke-dasharray="2 2.5" />;
  }
}

/** With an edge in the colour of the ground, to be read on the hatch. */
function Letter({ letter }: { readonly letter: string }) {
  return (
    <text
      x="10"
      y="14.2"
      text-anchor="middle"
      font-size="12"
      font-weight="800"
      fill="currentColor"
      stroke="var(--ground)"
      stroke-width="3"
      paint-order="stroke"
    >
      {letter}
    </text>
  );
}
