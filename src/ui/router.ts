/**
 * The place in the page is its address, so that every place can be shared. A move to another screen or world is a step of the
 * history; a move of the cursor only rewrites the address, and not too often, because browsers limit that.
 */
import { computed, signal } from '@preact/signals';

export const ROOT = '/ui';
const REWRITE_MILLIS = 500;

const here = signal(read());
let rewrite: ReturnType<typeof setTimeout> | undefined;

/** The path below /ui, such as `/live`. */
export const path = computed(() => here.value.path);
export const query = computed(() => here.value.query);

function read() {
  const { pathname, search } = window.location;
  return { path: pathname.slice(ROOT.length) || '/', query: new URLSearchParams(search) };
}

/** The address of a place, for links. */
export function addressOfPlace(
  path: string,
  query: Readonly<Record<string, unknown>> = {},
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return `${ROOT}${path}${search.size === 0 ? '' : `?${search}`}`;
}

interface Move {
  /** The place belongs to what is on screen: the focus and the scrolling stay. */
  readonly isNear?: boolean;
}

export function go(address: string, { isNear = false }: Move = {}): void {
  flush();
  history.pushState(null, '', address);
  here.value = read();
  if (isNear) return;
  window.scrollTo(0, 0);
  document.querySelector('main')?.focus({ preventScroll: true });
}

/** Changes the query of this place; undefined takes a name out. */
export function setQuery(changes: Readonly<Record<string, string | number | undefined>>): void {
  const next = new URLSearchParams(here.peek().query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) next.delete(name);
    else next.set(name, String(value));
  }
  here.value = { path: here.peek().path, query: next };
  rewrite ??= setTimeout(flush, REWRITE_MILLIS);
}

/** The whole address of what is on screen, also while the one in the browser lags behind. */
export function currentAddress(): string {
  const { path, query } = here.peek();
  return `${ROOT}${path}${query.size === 0 ? '' : `?${query}`}`;
}

/** The same, not yet put together. */
export function currentPlace(): { readonly path: string; readonly query: URLSearchParams } {
  return here.value;
}

function flush(): void {
  if (rewrite === undefined) return;
  clearTimeout(rewrite);
  rewrite = undefined;
  history.replaceState(null, '', currentAddress());
}

/** Follows the browser's buttons, and plain clicks on links to places of the page. */
export function startRouter(): void {
  window.addEventListener('popstate', () => {
    clearTimeout(rewrite);
    rewrite = undefined;
    here.value = read();
  });
  window.addEventListener('pagehide', flush);
  document.addEventListener('click', (event) => {
    const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey);
    const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
    if (!isPlain || event.defaultPrevented || link === null || link.target !== '') return;
    const { origin, pathname, search } = new URL(link.href);
    if (origin !== window.location.origin || !pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    go(pathname + search, { isNear: 'near' in link.dataset });
  });
}

/** What a path says by a pattern like `/s/:scenario/ce/:id`; a last part `*` takes the rest. Undefined if it is another path. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const parts = path.replace(/(?<=.)\/$/, '').split('/');
  const found: Record<string, string> = {};
  for (const [at, name] of wanted.entries()) {
    if (name === '*') {
      found.rest = parts.slice(at).map(decodeURIComponent).join('/');
      return found;
    }
    const part = parts[at];
    if (part === undefined) return undefined;
    if (name.startsWith(':') && part !== '') found[name.slice(1)] = decodeURIComponent(part);
    else if (name !== part) return undefined;
  }
  return parts.length === wanted.length ? found : undefined;
}
