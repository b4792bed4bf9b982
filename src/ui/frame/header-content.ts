/** What a screen puts into the bar at the top: which world it shows, the same as curl, and what can be taken along. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Take {
  readonly label: string;
  /** The address of the file, and what to ask for there. */
  readonly address: string;
  readonly name: string;
  readonly isForPerfetto?: boolean;
}

export interface HeaderContent {
  /** The world, spelt out. */
  readonly title: string;
  /** Commands that give what is on screen. */
  readonly curl?: readonly string[];
  readonly take?: readonly Take[];
  /** The address of what is on screen, for others; that of the browser if there is no better one. */
  readonly link?: string | undefined;
}

export const headerContent = signal<HeaderContent>({ title: '' });

/** `content` is compared by what it says, so it may be made anew each time. */
export function useHeader(content: HeaderContent): void {
  const said = JSON.stringify(content);
  useEffect(() => {
    headerContent.value = content;
    document.title = content.title === '' ? 'pebslab' : `${content.title} · pebslab`;
  }, [said]);
}

/** A command for a terminal; the body as JSON. */
export function curl(address: string, body?: unknown, ...headers: readonly string[]): string {
  const url = `${window.location.origin}${address}`;
  const quoted = /[?&*]/.test(url) ? quote(url) : url;
  const parts = ['curl -s', quoted, ...headers.map((header) => `-H ${quote(header)}`)];
  if (body !== undefined) parts.push(`--json ${quote(JSON.stringify(body))}`);
  return parts.join(' ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
