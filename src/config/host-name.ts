/** Names of machines as they stand in `Host`, `Origin` and our own configuration, brought to one form. */
import { isIP, isIPv6 } from 'node:net';

const NAME = /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/;

/** A name or an address in one spelling, IPv6 without brackets; undefined where it is neither. */
export function hostName(text: string): string | undefined {
  if (text.length > 255) return undefined;
  const bare = /^\[(.*)\]$/.exec(text)?.[1];
  if (bare !== undefined) return isIPv6(bare) ? canonical(bare) : undefined;
  const name = text.toLowerCase();
  if (isIP(name) !== 0) return canonical(name);
  // Browsers take numbers such as 2130706433 and 127.1 for addresses, and send the address then.
  return NAME.test(name) ? name.replace(/\.$/, '') : undefined;
}

/** The name in a `Host` or the authority of an `Origin`, without its port. */
export function hostOfAuthority(authority: string): string | undefined {
  const [, name = ''] = /^(\[[^\]]*\]|[^:]*)(?::[0-9]{0,5})?$/.exec(authority) ?? [];
  return hostName(name);
}

/** IPv6 has many spellings of one address; URLs know one. */
function canonical(address: string): string {
  if (!isIPv6(address)) return address;
  // A zone has no place in a URL, and names a link of this machine only.
  if (!URL.canParse(`http://[${address}]/`)) return address.toLowerCase();
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
