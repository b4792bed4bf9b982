/** The colours of the page for what is drawn by hand: canvases do not know custom properties. */

const NAMES = [
  'ground',
  'surface',
  'raised',
  'line',
  'edge',
  'ink',
  'muted',
  'accent',
  'focus',
  'set',
  'clear',
  'stuck',
  'lost',
  'violated-tint',
] as const;

export type Palette = Readonly<Record<(typeof NAMES)[number], string>>;

/** As they are now, by scheme and contrast. */
export function readPalette(element: HTMLElement): Palette {
  const probe = document.createElement('span');
  // Where colours are forced, all text has one, and the ground is not that of text.
  probe.style.setProperty('forced-color-adjust', 'none');
  element.append(probe);
  const entries = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries) as Palette;
}
