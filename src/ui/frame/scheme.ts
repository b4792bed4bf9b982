/** Light, dark, or what the system says; kept by the browser. */
import { signal } from '@preact/signals';

const STORED = 'pebslab.scheme';
const SCHEMES = ['system', 'light', 'dark'] as const;
export type Scheme = (typeof SCHEMES)[number];

export const scheme = signal<Scheme>(stored());
/** Grows whenever colours may have changed, for what is drawn by hand. */
export const colours = signal(0);

function stored(): Scheme {
  return SCHEMES.find((name) => name === localStorage.getItem(STORED)) ?? 'system';
}

export function nextScheme(): void {
  scheme.value = SCHEMES[(SCHEMES.indexOf(scheme.value) + 1) % SCHEMES.length] ?? 'system';
  localStorage.setItem(STORED, scheme.value);
  show();
}

function show(): void {
  document.documentElement.dataset.scheme = scheme.value;
  colours.value += 1;
}

export function startScheme(): void {
  show();
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
    window.matchMedia(query).addEventListener('change', show);
  }
}
