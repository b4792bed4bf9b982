/** The verdict of a search: a glyph that is told apart without colour, and a number. */

export type VerdictKind = 'violated' | 'holds' | 'running' | 'undecided' | 'failed' | 'none';

const GLYPHS: Readonly<Record<VerdictKind, string>> = {
  violated: '▲',
  holds: '✓',
  running: '◐',
  undecided: '?',
  failed: '✕',
  none: '◌',
};

/** Hollow: what is expected, where nothing was searched. */
const HOLLOW: Readonly<Partial<Record<VerdictKind, string>>> = { violated: '△', holds: '○' };

const WORDS: Readonly<Record<VerdictKind, string>> = {
  violated: 'violated',
  holds: 'holds',
  running: 'searching',
  undecided: 'undecided',
  failed: 'failed',
  none: 'not searched',
};

interface Props {
  readonly kind: VerdictKind;
  /** Not searched here: what the catalogue expects. */
  readonly isExpected?: boolean;
  /** Steps of the shortest way, or states. */
  readonly number?: number | undefined;
}

export function Verdict({ kind, isExpected = false, number }: Props) {
  const glyph = (isExpected ? HOLLOW[kind] : undefined) ?? GLYPHS[kind];
  return (
    <span class="verdict" data-kind={kind} data-expected={isExpected || undefined}>
      <span class="glyph" aria-hidden="true">
        {glyph}
      </span>
      <span class="unseen">{isExpected ? `expected: ${WORDS[kind]}` : WORDS[kind]} </span>
      {number !== undefined && <span>{number.toLocaleString('en')}</span>}
    </span>
  );
}
