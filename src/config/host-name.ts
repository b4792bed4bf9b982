/** Normalises host names from `Host`, `Origin` and the configuration. */
import { isIP, isIPv6 } from 'node:net';

const NAME = /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/;

/** The canonical form of a name or an address, IPv6 without brackets; undefined if it is neither. */
export function hostName(text: string): string | undefined {
  if (text.length > 255) return undefined;
  const bare = /^\[(.*)\]$/.exec(text)?.[1];
  if (bare !== undefined) return isIPv6(bare) ? canonical(bare) : undefined;
  const name = text.toLowerCase();
  if (isIP(name) !== 0) return canonical(name);
  // Browsers read numbers such as 2130706433 and 127.1 as addresses, and send the address.
  return NAME.test(name) ? name.replace(/\.$/, '') : undefined;
}

/** The name in a `Host` or the authority of an `Origin`, without its port. */
export function hostOfAuthority(authority: string): string | undefined {
  const [, name = ''] = /^(\[[^\]]*\]|[^:]*)(?::[0-9]{0,5})?$/.exec(authority) ?? [];
  return hostName(name);
}

/** An IPv6 address has many spellings; URLs use one. */
function canonical(address: string): string {
  if (!isIPv6(address)) return address;
  // URLs cannot have a zone, which only names a link of this machine.
  if (!URL.canParse(`http://[${address}]/`)) return address.toLowerCase();
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
