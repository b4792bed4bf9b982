/** The verdict on a real machine: a glyph that is told apart without colour, and the word. */
import type { Api } from '../api/client.js';

export type MachineVerdict = Api['ObservationVerdict'];

const GLYPHS: Readonly<Record<MachineVerdict, string>> = {
  stuck: '▲',
  transient: '◑',
  clean: '✓',
  not_applicable: '–',
  inconclusive: '?',
  none: '◌',
};

const KINDS: Readonly<Partial<Record<MachineVerdict, string>>> = {
  stuck: 'violated',
  transient: 'violated',
  clean: 'holds',
};

export function MachineMark({ verdict }: { readonly verdict: MachineVerdict | undefined }) {
  if (verdict === undefined) return <span class="muted">being read</span>;
  return (
    <span class="verdict" data-kind={KINDS[verdict]}>
      <span class="glyph" aria-hidden="true">
        {GLYPHS[verdict]}
      </span>
      {verdict.replaceAll('_', ' ')}
    </span>
  );
}
