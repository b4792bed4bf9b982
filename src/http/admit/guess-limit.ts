/**
 * Slows down the guessing of tokens: after 60 wrong ones in a minute, an address has to wait.
 *
 * A valid token is always accepted, whatever else came from its address, because all clients
 * behind a proxy share one address. The same wrong token counts once a minute: a client that
 * repeats its expired token learns nothing from it.
 */
import { isIPv4, isIPv6 } from 'node:net';

const WINDOW_MILLIS = 60_000;
const GUESSES_MAX = 60;

/** Bounds memory. The oldest entries are evicted, which only forgets guesses early. */
const ADDRESSES_MAX = 10_000;

interface Window {
  readonly endsAt: number;
  readonly guesses: Set<string>;
}

export class GuessLimit {
  /** In order of the start of the windows, so the first ends first. */
  private readonly windows = new Map<string, Window>();

  constructor(private readonly now: () => number = Date.now) {}

  /** How many seconds an address has to wait; 0 if it need not. */
  secondsToWait(address: string): number {
    const window = this.current(networkOf(address));
    if (window === undefined || window.guesses.size < GUESSES_MAX) return 0;
    return Math.ceil((window.endsAt - this.now()) / 1000);
  }

  addWrong(address: string, digest: string): void {
    const network = networkOf(address);
    let window = this.current(network);
    if (window === undefined) {
      window = { endsAt: this.now() + WINDOW_MILLIS, guesses: new Set() };
      if (this.windows.size >= ADDRESSES_MAX) this.forgetOldest();
      this.windows.set(network, window);
    }
    if (window.guesses.size < GUESSES_MAX) window.guesses.add(digest);
  }

  private current(network: string): Window | undefined {
    const window = this.windows.get(network);
    if (window === undefined || window.endsAt > this.now()) return window;
    this.windows.delete(network);
    return undefined;
  }

  private forgetOldest(): void {
    const [oldest] = this.windows.keys();
    if (oldest !== undefined) this.windows.delete(oldest);
  }
}

/** An IPv6 client owns a /64 and could use a new address for each guess, so the /64 is counted. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:/i, '');
  if (isIPv4(plain) || !isIPv6(address)) return plain;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':');
    while (groups.length + last.length < 8) groups.push('0');
    groups.push(...last);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
